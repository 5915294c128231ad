//! Every manifest in examples/ does what its comments say.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Service;
use ordinal_tests::{ControlPlane, Look, Outcome, binaries::repository, world};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn all_examples_can_be_applied_together() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("all-examples").await?;
    let all = std::fs::read_dir(repository().join("examples"))?.flatten();
    let files = all.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "yaml")).count();
    let said = ns.kubectl().ok(["apply", "-f", "examples/"]).await?;
    let sets = said.lines().filter(|line| line.starts_with("ordinalset.apps.ordinal.dev/")).count();
    assert_eq!(sets, files, "a set per file:\n{said}");
    assert!(said.lines().all(|line| line.ends_with(" created")), "two examples share a name:\n{said}");
    Ok(())
}

#[tokio::test]
async fn kubia_comes_up_with_its_claims() -> Outcome {
    let ns = world::namespace("kubia").await?;
    ns.kubectl().ok(["apply", "-f", "examples/kubia.yaml"]).await?;
    for ordinal in 0..3 {
        ns.pod_ready(&format!("kubia-{ordinal}"), SOON).await?;
        ns.claims().get(&format!("data-kubia-{ordinal}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn web_comes_up_behind_its_own_service() -> Outcome {
    let ns = world::namespace("web").await?;
    ns.kubectl().ok(["apply", "-f", "examples/web.yaml"]).await?;
    ns.pod_ready("web-0", SOON).await?;
    service_ready(&ns, "web").await?;
    let service = ns.api::<Service>().get("nginx").await?;
    assert!(service.metadata.owner_references.unwrap_or_default().is_empty(), "it is not the set's");
    Ok(())
}

#[tokio::test]
async fn o_9_a_service_that_nobody_made_is_made_for_the_set() -> Outcome {
    let ns = world::namespace("mismatched").await?;
    ns.kubectl().ok(["apply", "-f", "examples/web-mismatched-service.yaml"]).await?;
    ns.pod_ready("web-mismatched-0", SOON).await?; // S-11.1: pods never wait for a Service
    let made = ns
        .eventually(SOON, "the Service that the set names is there", async || {
            let service = ns.api::<Service>().get_opt("nginx-mismatched").await?;
            Ok(service.map_or_else(|| Look::NotYet("it is not".to_owned()), Look::Done))
        })
        .await?;
    let owners = made.metadata.owner_references.unwrap_or_default();
    assert_eq!(owners.iter().map(|owner| owner.name.as_str()).collect::<Vec<_>>(), ["web-mismatched"]);
    assert_eq!(made.spec.context("a Service has a spec")?.cluster_ip.as_deref(), Some("None"));
    service_ready(&ns, "web-mismatched").await?;
    Ok(())
}

/// Waits until the condition ServiceReady is True.
async fn service_ready(ns: &ordinal_tests::Namespace, set: &str) -> anyhow::Result<()> {
    ns.eventually(SOON, "ServiceReady is True", async || {
        let set = ns.set(set).await?;
        let conditions = set["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition["type"] == "ServiceReady").unwrap_or(Value::Null);
        Ok(Look::when(found["status"] == "True", || format!("it is {found}")))
    })
    .await
}
