//! The operator as a process of the test, built from this checkout.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{process::Command, sync::OnceCell, time::timeout};

use crate::{
    binaries::{build, built},
    control_plane::ControlPlane,
    identity::Identity,
    kubectl::Output,
    ports, probe,
    process::{Process, Signal},
    usage::Usage,
    wait::{Look, eventually},
};

/// From start to ready: a few hundred milliseconds, more when another replica holds the lease for its 15 s.
const START: Duration = Duration::from_secs(40);

/// How an operator is started.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// Whose kubeconfig it gets.
    pub identity: Identity,
    /// More arguments for `ordinal run`.
    pub args: Vec<String>,
    /// Whether to wait for `/readyz`.
    pub wait_ready: bool,
    /// Whether it is the one of the image, whatever this process is.
    pub shipped: bool,
}

impl Default for OperatorOptions {
    fn default() -> Self {
        Self { identity: Identity::Operator, args: Vec::new(), wait_ready: true, shipped: !cfg!(debug_assertions) }
    }
}

/// A running operator. Dropping it kills it.
#[derive(Debug)]
pub struct Operator {
    process: Mutex<Process>,
    health_port: u16,
}

impl Operator {
    /// Starts one against a control plane.
    pub async fn start(control_plane: &ControlPlane, options: OperatorOptions) -> Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("operator-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut args = options.args;
        args.push("--lease-namespace=ordinal-system".to_owned());
        let program = if options.shipped { shipped_binary().await? } else { debug_binary().await? };
        let kubeconfig = control_plane.kubeconfig(options.identity);
        let operator = Self::spawn(program, &kubeconfig, &args, control_plane.log(&name))?;
        if options.wait_ready {
            operator.ready(START).await?;
        }
        Ok(operator)
    }

    /// Starts another program than this checkout's, and does not wait.
    pub fn launch_program(program: &Path, control_plane: &ControlPlane, args: &[String]) -> Result<Self> {
        let (kubeconfig, log) = (control_plane.kubeconfig(Identity::Operator), control_plane.log("operator-other"));
        Self::spawn(program, &kubeconfig, args, log)
    }

    /// Starts one with any kubeconfig and does not wait.
    pub async fn launch(kubeconfig: &Path, args: &[String], log: PathBuf) -> Result<Self> {
        Self::spawn(binary().await?, kubeconfig, args, log)
    }

    fn spawn(program: &Path, kubeconfig: &Path, args: &[String], log: PathBuf) -> Result<Self> {
        let [health_port] = ports::free()?;
        let mut all = vec![
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--health-bind-address=127.0.0.1:{health_port}"),
        ];
        all.extend_from_slice(args);
        let process = Process::start("operator", program, all, log)?;
        Ok(Self { process: Mutex::new(process), health_port })
    }

    /// Waits until `/readyz` says 200. An operator that ends meanwhile is an error at once, with the end of its log.
    pub async fn ready(&self, within: Duration) -> Result<()> {
        let answered = eventually(within, "the operator's /readyz says 200", async || {
            if let Some(code) = self.exit_code()? {
                return Ok(Look::Done(Err(code)));
            }
            let (code, body) = self.get("/readyz").await?;
            Ok(if code == 200 { Look::Done(Ok(())) } else { Look::NotYet(format!("{code} {body}")) })
        })
        .await;
        let problem = match answered {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(code)) => format!("the operator ended with {code}"),
            Err(error) => format!("{error:#}"),
        };
        bail!("{problem}; the end of its log:\n{}", self.process().log_tail(20))
    }

    /// GETs a path of its health server: status code and body.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        probe::get(self.health_port, path).await
    }

    /// The exit code when it has ended.
    pub fn exit_code(&self) -> Result<Option<i32>> {
        self.process().exit_code()
    }

    /// Waits until it ends by itself.
    pub async fn ended(&self, within: Duration) -> Result<i32> {
        eventually(within, "the operator ends", async || {
            Ok(self.exit_code()?.map_or_else(|| Look::NotYet("it runs".to_owned()), Look::Done))
        })
        .await
    }

    /// Waits until its log has a line with all of these words, and returns the line.
    pub async fn says(&self, within: Duration, words: &[&str]) -> Result<String> {
        eventually(within, &format!("the operator's log has a line with {words:?}"), async || {
            let log = self.log();
            let found = log.lines().find(|line| words.iter().all(|word| line.contains(word)));
            Ok(found.map_or_else(|| Look::NotYet(self.process().log_tail(20)), |line| Look::Done(line.to_owned())))
        })
        .await
    }

    /// SIGTERM; the exit code.
    pub async fn stop(self, grace: Duration) -> Result<i32> {
        self.process.into_inner().unwrap_or_else(PoisonError::into_inner).stop(grace).await
    }

    /// SIGKILL.
    pub fn kill(self) {}

    /// Any other signal.
    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// The pid of the operator itself.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.process().log()
    }

    /// Where its log is.
    pub fn log_path(&self) -> PathBuf {
        self.process().log_path().to_owned()
    }

    /// Resident memory in KiB (Linux).
    pub fn resident_kib(&self) -> Result<u64> {
        Ok(Usage::of(self.pid())?.resident_kib)
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the operator's binary to its end, without any of our environment; an error when it has not ended by then.
pub async fn call(args: &[&str], within: Duration) -> Result<Output> {
    let call = Command::new(binary().await?).args(args).env_clear().stdin(Stdio::null()).kill_on_drop(true).output();
    let told = || format!("ordinal {}", args.join(" "));
    let ended = timeout(within, call).await.with_context(|| format!("{} has not ended within {within:?}", told()))?;
    let output = ended.with_context(told)?;
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The operator's binary, built once per process: of a release build of ours the one that ships.
pub async fn binary() -> Result<&'static Path> {
    if cfg!(debug_assertions) { debug_binary().await } else { shipped_binary().await }
}

async fn debug_binary() -> Result<&'static Path> {
    static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
    BINARY.get_or_try_init(|| built("ordinal")).await.map(PathBuf::as_path)
}

/// As in the image: musl's allocator keeps less memory than glibc's and takes more time, so it is the one to be measured.
async fn shipped_binary() -> Result<&'static Path> {
    static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
    BINARY.get_or_try_init(|| build("deploy/static.sh", &["ordinal"])).await.map(PathBuf::as_path)
}
