//! `make record-adoption`: what a person types to take a StatefulSet over and to give it back, and what comes, into
//! docs/migration.md. Pods are played, all else is real.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use ordinal_tests::{
    ControlPlane, Kubectl, Look, Operator, OperatorOptions, Options, binaries::repository, eventually, install,
};

const GUIDE: &str = "docs/migration.md";
const BEGIN: &str = "<!-- make record-adoption writes from here -->";
const END: &str = "<!-- to here -->";

/// What tells whether a pod is still the same.
const PODS: &str = "custom-columns=NAME:.metadata.name,UID:.metadata.uid,STARTED:.status.startTime,\
                    OWNER:.metadata.ownerReferences[*].kind";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match record().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn record() -> Result<()> {
    let control_plane = ControlPlane::start(Options { built_in: true, ..Options::default() }).await?;
    let kubectl = control_plane.kubectl();
    install::adoption_permissions(&kubectl).await?;
    let options = OperatorOptions { args: vec!["--adoption".into()], ..OperatorOptions::default() };
    let _operator = Operator::start(&control_plane, options).await?;
    let ns = control_plane.namespace("shop").await?;
    let kubectl = kubectl.in_namespace(ns.name());

    let native = kubectl.ordinal(["convert", "-f", "examples/kubia.yaml", "--to=statefulset"]).await?;
    kubectl.apply(&native.stdout).await?;
    eventually(Duration::from_secs(60), "the StatefulSet is settled", async || {
        let ready =
            kubectl.ok(["get", "statefulset", "kubia", "--output=jsonpath={.status.availableReplicas}"]).await?;
        Ok(Look::when(ready == "3", || ready.clone()))
    })
    .await?;

    let mut text = String::new();
    let typed = Typed { kubectl: &kubectl };
    for line in [
        "get statefulsets",
        "PODS",
        "ordinal adopt kubia --dry-run",
        "ordinal adopt kubia",
        "get statefulsets,ordinalsets",
        "PODS",
        "ordinal release kubia",
        "get statefulsets,ordinalsets",
        "PODS",
    ] {
        text.push_str(&typed.line(line).await?);
    }
    write(&text)
}

/// kubectl, as it is typed.
struct Typed<'a> {
    kubectl: &'a Kubectl,
}

impl Typed<'_> {
    /// The line and what it prints.
    async fn line(&self, line: &str) -> Result<String> {
        let pods = format!("get pods --output={PODS}");
        let line = if line == "PODS" { &pods } else { line };
        let args: Vec<&str> = line.split(' ').collect();
        let output = match args.as_slice() {
            ["ordinal", rest @ ..] => self.kubectl.ordinal(rest.iter().copied()).await?,
            args => self.kubectl.run(args.iter().copied()).await?,
        };
        ensure!(output.code == 0, "kubectl {line}: {}{}", output.stdout, output.stderr);
        let printed: Vec<&str> = output.stdout.lines().chain(output.stderr.lines()).map(str::trim_end).collect();
        Ok(format!("$ kubectl {line}\n{}\n\n", printed.join("\n")))
    }
}

fn write(text: &str) -> Result<()> {
    let path = repository().join(GUIDE);
    let guide = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (before, rest) = guide.split_once(BEGIN).with_context(|| format!("no {BEGIN:?} in {GUIDE}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no {END:?} in {GUIDE}"))?;
    let guide = format!("{before}{BEGIN}\n```\n{}\n```\n{END}{after}", text.trim_end());
    std::fs::write(&path, guide).with_context(|| path.display().to_string())
}
