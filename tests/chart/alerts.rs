//! Alerts and dashboard: rules that Prometheus' own tool accepts, about metrics that there are.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use ordinal_tests::{
    ControlPlane, Operator, OperatorOptions, Options, Outcome,
    binaries::{repository, tool},
};
use serde_json::Value;
use tokio::process::Command;

const ALERTS: &str = "deploy/helm/ordinal/files/alerts.yaml";
const DASHBOARD: &str = "deploy/helm/ordinal/files/dashboard.json";

async fn promtool(args: &[&str]) -> Result<()> {
    let output = Command::new(tool("promtool").await?).args(args).current_dir(repository()).output().await?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    ensure!(output.status.success(), "promtool {}: {said}", args.join(" "));
    Ok(())
}

#[tokio::test]
async fn promtool_accepts_the_alerts() -> Outcome {
    Ok(promtool(&["check", "rules", ALERTS]).await?)
}

#[tokio::test]
async fn each_alert_fires_when_it_should_and_not_before() -> Outcome {
    Ok(promtool(&["test", "rules", "tests/chart/alerts_test.yaml"]).await?)
}

#[test]
fn each_alert_has_a_runbook() -> Outcome {
    let runbooks = std::fs::read_to_string(repository().join("docs/alerts.md"))?;
    let titles: BTreeSet<String> =
        runbooks.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect();
    let rules: Value = serde_saphyr::from_str(&std::fs::read_to_string(repository().join(ALERTS))?)?;
    for rule in rules["groups"][0]["rules"].as_array().context("no rules")? {
        let name = rule["alert"].as_str().unwrap_or_default().to_lowercase();
        assert!(titles.contains(&name), "{name} is not in docs/alerts.md");
        assert_eq!(rule["annotations"]["runbook_url"], format!("RUNBOOKS#{name}"));
    }
    Ok(())
}

/// The names of our metrics in an expression.
fn metrics_in(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("ordinal_") || word.starts_with("workqueue_"))
}

fn expressions(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "expr" || key == "query" => all.push(text.clone()),
                    value => expressions(value, all),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, all)),
        _ => {}
    }
}

#[tokio::test]
async fn alerts_dashboard_and_docs_ask_for_metrics_that_there_are() -> Outcome {
    let control_plane = ControlPlane::start(Options { nodes: 0, ..Options::default() }).await?;
    let operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
    let (_, text) = operator.get("/metrics").await?;
    let mut there = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').context("a metric without a type")?;
        there.extend(match kind {
            "counter" => vec![format!("{name}_total")],
            "histogram" => ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).into(),
            _ => vec![name.to_owned()],
        });
    }
    let mut asked = Vec::new();
    expressions(&serde_saphyr::from_str(&std::fs::read_to_string(repository().join(ALERTS))?)?, &mut asked);
    expressions(&serde_json::from_str(&std::fs::read_to_string(repository().join(DASHBOARD))?)?, &mut asked);
    let asked: BTreeSet<&str> = asked.iter().flat_map(|expression| metrics_in(expression)).collect();
    assert!(asked.len() > 10, "{asked:?}");
    let missing: Vec<_> = asked.iter().filter(|name| !there.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} are asked for; there are {there:#?}");

    let docs = std::fs::read_to_string(repository().join("docs/metrics.md"))?;
    let told: BTreeSet<&str> = metrics_in(&docs).map(|name| name.trim_end_matches("_bucket")).collect();
    let plain = |name: &String| {
        ["_bucket", "_sum", "_count"].iter().fold(name.clone(), |n, end| n.trim_end_matches(end).to_owned())
    };
    let there: BTreeSet<String> = there.iter().map(plain).collect();
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    assert_eq!(told, there, "docs/metrics.md names them all, and no others");
    Ok(())
}
