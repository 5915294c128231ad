//! What `/metrics` tells of sets (S-7.5).

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ordinal_tests::{ControlPlane, Identity, Look, Operator, OperatorOptions, Options, Outcome, operator::call};
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

/// Waits until these gauges of the set are so.
async fn comes_to(operator: &Operator, set: &str, expected: &[(&str, &str)]) -> Result<()> {
    ordinal_tests::eventually(SOON, &format!("the metrics of {set} are {expected:?}"), async || {
        let now = gauges(operator, set).await?;
        let so = expected.iter().all(|(name, value)| now.get(*name).map(String::as_str) == Some(*value));
        Ok(Look::when(so, || format!("{now:?}")))
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
    comes_to(&operator, "web", &told("0")).await?;

    ns.patch_set(
        "web",
        json!({"spec": {"template": {"metadata": {"annotations": {"test.ordinal.dev/never-ready": "true"}}}}}),
    )
    .await?;
    comes_to(&operator, "web", &told("2")).await?;

    ns.kubectl().ok(["delete", "ordinalset", "web", "--namespace", ns.name()]).await?;
    ordinal_tests::eventually(SOON, "a set that is gone has no series", async || {
        let left = gauges(&operator, "web").await?;
        Ok(Look::when(left.is_empty(), || format!("{left:?}")))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn what_a_set_does_and_waits_for_is_told_to_prometheus_and_in_words() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
    let ns = control_plane.namespace("told").await?;
    let never_ready = json!({"annotations": {"test.ordinal.dev/never-ready": "true"}, "labels": {"app": "web"}});
    ns.create_set(set("web", 3, json!({}))).await?;
    ns.settled("web").await?;
    let settled = [
        ("ordinal_set_desired_replicas", "3"),
        ("ordinal_set_ready_replicas", "3"),
        ("ordinal_set_updated_replicas", "3"),
        ("ordinal_set_available_replicas", "3"),
    ];
    comes_to(&operator, "web", &settled).await?;
    assert!(
        !gauges(&operator, "web").await?.contains_key("ordinal_set_rollout_start_time_seconds"),
        "nothing is under way"
    );

    ns.patch_set("web", json!({"spec": {"template": {"metadata": never_ready}}})).await?;
    comes_to(&operator, "web", &[("ordinal_set_ready_replicas", "2"), ("ordinal_set_updated_replicas", "1")]).await?;
    assert!(gauges(&operator, "web").await?.contains_key("ordinal_set_rollout_start_time_seconds"), "a roll-out is");

    let path = format!("/debug/plan/{}/web", ns.name());
    let told = ordinal_tests::eventually(SOON, "the plan waits for the pod that runs", async || {
        let (code, told) = operator.get(&path).await?;
        let so = code == 200 && told.contains("waiting for web-2 to be ready");
        Ok(if so { Look::Done(told) } else { Look::NotYet(told) })
    })
    .await?;
    assert_eq!(operator.get("/debug/plan/nowhere/web").await?.0, 404);

    let kubeconfig = format!("--kubeconfig={}", control_plane.kubeconfig(Identity::Operator).display());
    let explain = async |set: &str| call(&["explain", set, &kubeconfig], SOON).await;
    let said = explain(&format!("{}/web", ns.name())).await?;
    assert_eq!((said.code, &said.stdout), (0, &told), "{}", said.stderr);
    let said = explain(&format!("{}/nobody", ns.name())).await?;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("there is no OrdinalSet"), "{}", said.stderr);

    let (_, text) = operator.get("/metrics").await?;
    for series in [
        "ordinal_leader 1",
        r#"ordinal_cache_objects{group="",resource="pods"} 3"#,
        r#"ordinal_api_requests_total{verb="create",group="",resource="pods",code="201"} 4"#,
        r#"ordinal_api_requests_total{verb="delete",group="",resource="pods",code="200"} 1"#,
        r#"workqueue_depth{name="ordinalset"} 0"#,
    ] {
        assert!(text.lines().any(|line| line == series), "no {series} in\n{text}");
    }
    assert_eq!(operator.stop(SOON).await?, 0);

    let args = vec!["--metrics-per-set=false".to_owned()];
    let operator = Operator::start(&control_plane, OperatorOptions { args, ..OperatorOptions::default() }).await?;
    operator.says(SOON, &["leading"]).await?;
    ns.patch_set("web", json!({"spec": {"replicas": 2}})).await?;
    ns.members_are("web", &["web-0", "web-1"]).await?;
    let (_, text) = operator.get("/metrics").await?;
    assert!(text.contains("ordinal_leader 1") && !text.contains("ordinal_set_"), "{text}");
    Ok(())
}
