//! A program that cannot outlive this process.
//!
//! Each program runs under a small shell guard (control-plane/guard.sh) which holds the reading end of a pipe from us. When
//! we end, by whatever way, the kernel closes our end and the guard kills its program. Guard and program have a process
//! group of their own, so that Ctrl-C on a terminal reaches us alone and we decide in which order things stop.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

const GUARD: &str = include_str!("control-plane/guard.sh");

/// How often a wait for an exit looks again: the process is ours, looking is cheap.
const POLL: Duration = Duration::from_millis(10);

/// A signal that a test sends to a [`Process`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ask to stop.
    Term,
    /// End at once.
    Kill,
    /// Freeze: the process keeps its connections and answers nobody.
    Stop,
    /// Go on after [`Signal::Stop`].
    Cont,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Term => "TERM",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Cont => "CONT",
        }
    }
}

/// A running program with its log. Dropping it kills the program.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    guard: Child,
    orders: Option<ChildStdin>,
}

impl Process {
    /// Starts `program`; its output goes to the end of the file `log`.
    pub fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: PathBuf,
    ) -> Result<Self> {
        if !program.is_file() {
            bail!("cannot start {name}: there is no file {}", program.display());
        }
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(&log)
            .arg(program)
            .args(args)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the guard of {name}"))?;
        let orders = guard.stdin.take();
        let stdout = guard.stdout.take().context("the guard's stdout is a pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).with_context(|| format!("the guard of {name} says nothing"))?;
        let pid = line.trim().parse().with_context(|| format!("the guard of {name} says {line:?} instead of a pid"))?;
        Ok(Self { name: name.to_owned(), pid, log, guard, orders })
    }

    /// What it was started as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program's own pid, not its guard's: `/proc/<pid>/status` is about the program.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines of its log, for a failure message.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Sends a signal. A program that has ended already does not mind.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(orders) = &mut self.orders {
            // The guard is gone when the program is: then there is nobody to signal.
            let _ = writeln!(orders, "{}", signal.name());
        }
    }

    /// The exit code when it has ended; 128 + n when signal n ended it, as a shell tells it.
    pub fn exit_code(&mut self) -> Result<Option<i32>> {
        let status = self.guard.try_wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(status.map(|status| status.code().unwrap_or(-1)))
    }

    /// Waits until it ends by itself and returns the exit code.
    pub async fn wait(&mut self, within: Duration) -> Result<i32> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(code) = self.exit_code()? {
                return Ok(code);
            }
            if Instant::now() > deadline {
                bail!("{} (pid {}) has not ended within {within:?}", self.name, self.pid);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks it to stop and returns the exit code; an error when it is still there after `grace` (dropping it kills it then).
    pub async fn stop(mut self, grace: Duration) -> Result<i32> {
        self.signal(Signal::Term);
        self.wait(grace).await
    }

    /// Ends it at once, without a chance to say goodbye.
    pub fn kill(self) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of the pipe is the order to kill; the guard follows within milliseconds.
        self.orders = None;
        let _ = self.guard.wait();
    }
}
