//! kubectl, the pinned one, as a person would call it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::{io::AsyncWriteExt, process::Command, sync::OnceCell};

use crate::binaries::{built, repository};

/// How a call of kubectl ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// kubectl against one cluster. It runs in the root of the checkout, so `-f examples/kubia.yaml` is what a person types.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
    namespace: Option<String>,
}

impl Kubectl {
    /// `program` with `kubeconfig`; what it remembers about the server goes to `cache`, never to the user's home: another
    /// control plane may have had the same port.
    pub fn new(program: PathBuf, kubeconfig: PathBuf, cache: &Path) -> Self {
        Self { program, kubeconfig, cache: cache.to_owned(), namespace: None }
    }

    /// The program that is run.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The same with another kubeconfig.
    pub fn through(&self, kubeconfig: PathBuf) -> Self {
        Self { kubeconfig, ..self.clone() }
    }

    /// The same in a namespace.
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self.clone() }
    }

    /// Runs it, whatever comes out.
    pub async fn run<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Output> {
        self.feed(args, "").await
    }

    /// Runs it and returns its stdout; an error with its own words when it fails.
    pub async fn ok<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<String> {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        succeeded(&args, self.run(&args).await?)
    }

    /// `kubectl apply` of manifests in YAML or JSON; an error when the server refuses.
    pub async fn apply(&self, manifests: &str) -> Result<String> {
        succeeded(&["apply".to_owned()], self.try_apply(manifests).await?)
    }

    /// `kubectl apply`, whatever comes out: for manifests that must be refused.
    pub async fn try_apply(&self, manifests: &str) -> Result<Output> {
        self.feed(["apply", "-f", "-"], manifests).await
    }

    /// Runs `kubectl ordinal`, whatever comes out: the plugin of this checkout, which kubectl finds in PATH.
    pub async fn ordinal<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Output> {
        static PLUGIN: OnceCell<PathBuf> = OnceCell::const_new();
        let plugin = PLUGIN.get_or_try_init(|| built("kubectl-ordinal")).await?;
        let folder = plugin.parent().unwrap_or(Path::new("."));
        let mut command = Command::new(&self.program);
        // kubectl's own flags would have to stand behind the plugin's name, too.
        command.arg("ordinal").args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        command.env("PATH", folder).arg("--kubeconfig").arg(&self.kubeconfig);
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        self.finish(command, "").await
    }

    async fn feed<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>, stdin: &str) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(&self.cache);
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        command.args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self.finish(command, stdin).await
    }

    async fn finish(&self, mut command: Command, stdin: &str) -> Result<Output> {
        let mut child = command
            .current_dir(repository())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let mut pipe = child.stdin.take().context("kubectl's stdin is a pipe")?;
        // It reads all of its stdin before it prints, so this cannot wait for ever; it may also end before it has read it.
        let _ = pipe.write_all(stdin.as_bytes()).await;
        drop(pipe);
        let output = child.wait_with_output().await.context("cannot wait for kubectl")?;
        Ok(Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

fn succeeded(args: &[String], output: Output) -> Result<String> {
    if output.code != 0 {
        bail!("kubectl {} failed with {}: {}", args.join(" "), output.code, output.stderr.trim());
    }
    Ok(output.stdout)
}
