//! An operator that is to work in some namespaces alone.

use anyhow::Context;
use ordinal_tests::{
    ControlPlane, Identity, Look, Operator, OperatorOptions, Options, Outcome, audit::Call, eventually,
};
use serde_json::json;

use super::{grant, take_rights};
use crate::sets::{SOON, Sets, set};

#[tokio::test]
async fn with_namespaces_it_works_there_and_needs_no_right_elsewhere() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let [one, two, other] = [
        control_plane.namespace("one").await?,
        control_plane.namespace("two").await?,
        control_plane.namespace("other").await?,
    ];
    let kubectl = control_plane.kubectl();
    let rules = json!(take_rights(&kubectl).await?);
    grant(&kubectl, [&one, &two].map(|ns| (ns.name(), rules.clone()))).await?;

    let args = vec![format!("--namespaces={},{}", one.name(), two.name())];
    let operator = Operator::start(&control_plane, OperatorOptions { args, ..OperatorOptions::default() }).await?;
    for ns in [&one, &two, &other] {
        ns.create_set(set("web", 2, json!({}))).await?;
    }
    one.settled("web").await?;
    two.settled("web").await?;
    other.patch_set("web", json!({"metadata": {"annotations": {"seen": "no"}}})).await?;
    assert!(
        other.pods().list(&Default::default()).await?.items.is_empty(),
        "it worked in a namespace that is not its own"
    );

    // Each realm has its own watches: what vanishes in one is mended there.
    two.delete_pod("web-0").await?;
    eventually(SOON, "the pod is back", async || {
        let pod = two.pods().get_opt("web-0").await?;
        Ok(Look::when(pod.is_some_and(|p| p.metadata.deletion_timestamp.is_none()), || "it is not there".to_owned()))
    })
    .await?;
    let refused: Vec<_> = control_plane.calls(Identity::Operator)?.into_iter().filter(Call::is_forbidden).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let (_, text) = operator.get("/metrics").await?;
    let pods = text.lines().find(|line| line.starts_with("ordinal_cache_objects{group=\"\",resource=\"pods\"}"));
    assert!(pods.context("no line")?.ends_with(" 4"), "of both: {pods:?}");
    Ok(())
}
