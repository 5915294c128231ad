//! What `/metrics` tells of sets (S-7.5).

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ordinal_tests::{ControlPlane, Look, Operator, OperatorOptions, Options, Outcome};
use serde_json::json;

use crate::sets::{SOON, Sets, set};

/// The values of a set's gauges, by the metric's name.
async fn gauges(operator: &Operator, set: &str) -> Result<BTreeMap<String, String>> {
    let (code, text) = operator.get("/metrics").await?;
    anyhow::ensure!(code == 200, "/metrics says {code}: {text}");
    let label = format!("name=\"{set}\"");
    text.lines()
        .filter(|line| line.contains(&label))
        .map(|line| {
            let (name, _) = line.split_once('{').context("a metric without labels")?;
            let (_, value) = line.rsplit_once(' ').context("a metric without a value")?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

async fn becomes(operator: &Operator, set: &str, expected: &[(&str, &str)]) -> Result<()> {
    let expected: BTreeMap<_, _> = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    ordinal_tests::eventually(SOON, &format!("the metrics of {set} are {expected:?}"), async || {
        let now = gauges(operator, set).await?;
        Ok(Look::when(now == expected, || format!("{now:?}")))
    })
    .await
}

#[tokio::test]
async fn s_7_5_the_budget_of_a_set_is_told_while_it_exists() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
    let ns = control_plane.namespace("metrics").await?;
    let strategy = json!({"rollingUpdate": {"maxUnavailable": "40%"}});
    ns.create_set(set("web", 5, json!({"podManagementPolicy": "Parallel", "updateStrategy": strategy}))).await?;
    ns.settled("web").await?;
    let told = |unavailable| [("ordinal_set_max_unavailable", "2"), ("ordinal_set_unavailable_replicas", unavailable)];
    becomes(&operator, "web", &told("0")).await?;

    ns.patch_set(
        "web",
        json!({"spec": {"template": {"metadata": {"annotations": {"test.ordinal.dev/never-ready": "true"}}}}}),
    )
    .await?;
    becomes(&operator, "web", &told("2")).await?;

    ns.kubectl().ok(["delete", "ordinalset", "web", "--namespace", ns.name()]).await?;
    becomes(&operator, "web", &[]).await?;
    Ok(())
}
