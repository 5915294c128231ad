//! What is made from the chart: the plain manifests, and the table of its values.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use ordinal_tests::binaries::{repository, tool};
use serde_json::Value;
use tokio::process::Command;

const CHART: &str = "deploy/helm/ordinal";
const BEGIN: &str = "<!-- make chart writes from here -->";
const END: &str = "<!-- to here -->";

const MANIFESTS: &str = "\
# Rendered from the chart by `make chart`. Do not edit.
# Everything the operator needs besides the CRD (crds/): its namespace, identity, permissions and Deployment.
---
apiVersion: v1
kind: Namespace
metadata:
  name: ordinal-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
";

const ADOPTION: &str = "\
# Rendered from the chart by `make chart`. Do not edit.
# What the operator needs besides deploy/manifests to take over running StatefulSets; it is to be run with --adoption, too.
";

const ADOPTION_ALONE: [&str; 2] = ["--set=adoption.enabled=true", "--show-only=templates/adoption.yaml"];

/// `render`: writes them; `check`: fails when they are not up to date.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let task = std::env::args().nth(1);
    let done = match task.as_deref() {
        Some("render") => made().await.and_then(|all| all.iter().try_for_each(|(path, text)| write(path, text))),
        Some("check") => made().await.and_then(|all| all.iter().try_for_each(|(path, text)| compare(path, text))),
        _ => Err(anyhow::anyhow!("usage: chart render|check")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Each file that is made, with its text.
async fn made() -> Result<Vec<(&'static str, String)>> {
    let crd = read("crds/ordinalsets.yaml")?;
    let readme = read(&format!("{CHART}/README.md"))?;
    let (before, rest) = readme.split_once(BEGIN).with_context(|| format!("no {BEGIN:?} in the chart's README.md"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no {END:?} in the chart's README.md"))?;
    let table = values(&read(&format!("{CHART}/values.yaml"))?)?;
    Ok(vec![
        ("deploy/helm/ordinal/files/ordinalsets.yaml", crd),
        ("deploy/helm/ordinal/README.md", format!("{before}{BEGIN}\n{table}{END}{after}")),
        ("deploy/manifests/ordinal.yaml", format!("{MANIFESTS}{}", rendered(&[]).await?)),
        ("deploy/adoption.yaml", format!("{ADOPTION}{}", rendered(&ADOPTION_ALONE).await?)),
    ])
}

/// The chart's objects as they are without Helm.
async fn rendered(more: &[&str]) -> Result<String> {
    let args = ["template", "ordinal", CHART, "--namespace=ordinal-system", "--set=crds.install=false"];
    let helm = tool("helm").await?;
    let output = Command::new(helm).args(args).args(more).current_dir(repository()).output().await?;
    ensure!(output.status.success(), "helm template: {}", String::from_utf8_lossy(&output.stderr));
    let rendered = String::from_utf8(output.stdout)?;
    // Nobody manages these by Helm.
    let of_helm =
        |line: &&str| !["managed-by: Helm", "helm.sh/chart:", "# Source:"].iter().any(|word| line.contains(word));
    let lines: Vec<&str> = rendered.lines().filter(of_helm).collect();
    Ok(format!("{}\n", lines.join("\n").trim_end()))
}

/// A row for each value that has a comment, with its default.
fn values(yaml: &str) -> Result<String> {
    let defaults: Value = serde_saphyr::from_str(yaml)?;
    let mut table = "| Value | Default | |\n|---|---|---|\n".to_owned();
    let mut path: Vec<(usize, &str)> = Vec::new();
    let mut comment = None;
    for line in yaml.lines() {
        let text = line.trim_start();
        if let Some(said) = text.strip_prefix("# -- ") {
            comment = Some(said);
            continue;
        }
        let Some((key, _)) = text.split_once(':').filter(|(key, _)| key.bytes().all(|b| b.is_ascii_alphanumeric()))
        else {
            continue;
        };
        let indent = line.len() - text.len();
        path.retain(|(outer, _)| *outer < indent);
        path.push((indent, key));
        if let Some(comment) = comment.take() {
            let keys: Vec<&str> = path.iter().map(|(_, key)| *key).collect();
            let value = defaults.pointer(&format!("/{}", keys.join("/"))).context("a value that YAML does not have")?;
            table.push_str(&format!("| `{}` | `{value}` | {comment} |\n", keys.join(".")));
        }
    }
    Ok(table)
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(repository().join(path)).with_context(|| format!("cannot read {path}"))
}

fn write(path: &str, text: &str) -> Result<()> {
    std::fs::write(repository().join(path), text).with_context(|| format!("cannot write {path}"))
}

fn compare(path: &str, text: &str) -> Result<()> {
    let there = read(path)?;
    if there == text {
        return Ok(());
    }
    let differs = there
        .lines()
        .zip(text.lines())
        .position(|(a, b)| a != b)
        .map_or_else(String::new, |n| format!(", line {}", n + 1));
    bail!("{path} is not up to date{differs}: run make chart")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_commented_value_has_a_row_with_its_whole_path() {
        let yaml = "# -- One.\na: 1\nb:\n  # -- Two.\n  c: \"x\"\n  # no row\n  d: 2\n# -- Three.\ne: {}\n";
        let table = values(yaml).expect("a table");
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(rows, ["| `a` | `1` | One. |", "| `b.c` | `\"x\"` | Two. |", "| `e` | `{}` | Three. |"]);
    }
}
