//! Where the programs are that tests run: those of the control plane, and tools.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{process::Command, sync::OnceCell};

/// The root of the checkout.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The minor version of Kubernetes that tests run against: what `KUBERNETES` says, as in 1.34, or the usual one.
pub fn kubernetes_minor() -> u32 {
    let asked = std::env::var("KUBERNETES").ok();
    asked.and_then(|version| version.split_once('.')?.1.parse().ok()).unwrap_or(37)
}

/// The folder with etcd, kube-apiserver, kubectl and the others. Builds what is missing, which takes minutes the first time;
/// its progress goes to our stderr.
pub async fn folder() -> Result<&'static Path> {
    static FOLDER: OnceCell<PathBuf> = OnceCell::const_new();
    FOLDER.get_or_try_init(|| build("tests/control-plane/build.sh", &[])).await.map(PathBuf::as_path)
}

/// The folder with what runs on a real node, and CoreDNS.
pub async fn nodes() -> Result<PathBuf> {
    build("tests/node/build.sh", &[]).await
}

/// The user's kubectl, or else ours.
pub async fn kubectl() -> Result<PathBuf> {
    match in_path("kubectl") {
        Some(program) => Ok(program),
        None => Ok(folder().await?.join("kubectl")),
    }
}

/// Where a program of this machine is, if it is there.
pub fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// What cargo tells the program that it runs about its package. A cargo that this program runs must not hear it: build scripts
/// would run anew, back and forth.
pub fn cargo_variables() -> impl Iterator<Item = OsString> {
    let is_of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars_os().map(|(name, _)| name).filter(move |name| name.to_str().is_some_and(is_of_package))
}

/// A program of this checkout for tests, which has its package's name; built anew where its sources have changed.
pub async fn built(package: &str) -> Result<PathBuf> {
    // cargo sets CARGO for what it runs; a binary that was started by hand takes the one in PATH.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--locked", "--message-format=json-render-diagnostics"]).args([
        "--package",
        package,
        "--bin",
        package,
    ]);
    cargo_variables().for_each(|name| _ = command.env_remove(name));
    let output = command
        .current_dir(repository())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run cargo to build {package}"))?;
    if !output.status.success() {
        bail!("cargo cannot build {package} ({}); the lines above say why", output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.with_context(|| format!("cargo does not say where {package} is"))
}

/// A tool, built when it is missing.
pub async fn tool(name: &str) -> Result<PathBuf> {
    Ok(build("tests/tools/build.sh", &[name]).await?.join(name))
}

/// What a script of the checkout builds: the folder that it prints. Its progress goes to our stderr.
pub async fn build(script: &str, args: &[&str]) -> Result<PathBuf> {
    let script = repository().join(script);
    let mut command = Command::new(&script);
    // Some of them run cargo.
    cargo_variables().for_each(|name| _ = command.env_remove(name));
    let output = command
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !output.status.success() {
        bail!("{} failed ({}); the lines above say why", script.display(), output.status);
    }
    let folder = String::from_utf8(output.stdout).context("the folder's name is not UTF-8")?;
    Ok(PathBuf::from(folder.trim_end()))
}
