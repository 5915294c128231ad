//! What the API server refuses: an event and a condition with its words, growing pauses, and going on when it can.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ResourceQuota, Service};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use ordinal_tests::{Look, Outcome, world};
use serde_json::json;

use crate::sets::{SOON, Sets, set};

// also: S-7.2, S-8.8
#[tokio::test]
async fn o_10_a_quota_that_is_used_up_is_reported_in_the_servers_words() -> Outcome {
    let ns = world::namespace("quota").await?;
    ns.create_object::<ResourceQuota>(json!({"metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}})).await?;
    ns.eventually(SOON, "the quota counts", async || {
        let quota = ns.api::<ResourceQuota>().get("one").await?;
        Ok(Look::when(quota.status.is_some_and(|s| s.used.is_some()), || "not yet".to_owned()))
    })
    .await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    let message = ns.condition("web", "Stalled", "True", "PodRejected").await?;
    assert!(message.contains("exceeded quota: one"), "{message}");
    ns.eventually(SOON, "an event has the server's words", async || {
        let notes = ns.notes("web", "FailedCreate").await?;
        Ok(Look::when(notes.iter().any(|n| n.contains("web-1") && n.contains("exceeded quota")), || {
            format!("{notes:?}")
        }))
    })
    .await?;

    let raised = Patch::Merge(json!({"spec": {"hard": {"pods": "5"}}}));
    ns.api::<ResourceQuota>().patch("one", &PatchParams::default(), &raised).await?;
    ns.settled("web").await?;
    ns.condition("web", "Stalled", "False", "NotStalled").await?;
    Ok(())
}

// also: S-1.4
#[tokio::test]
async fn s_4_3_a_template_that_no_schema_can_judge_is_reported() -> Outcome {
    let ns = world::namespace("invalid-pod").await?;
    let mut object = set("web", 1, json!({}));
    let resources = json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}});
    object["spec"]["template"]["spec"]["containers"][0]["resources"] = resources;
    ns.create_set(object).await?;
    let message = ns.condition("web", "Stalled", "True", "PodRejected").await?;
    assert!(message.contains("must be less than or equal to cpu limit"), "{message}");
    Ok(())
}

// also: S-11.3
#[tokio::test]
async fn o_9_a_missing_governing_service_is_created_after_a_while() -> Outcome {
    let ns = world::namespace("service").await?;
    let mut object = set("web", 1, json!({"serviceName": "web"}));
    object["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 80}]);
    let created = ns.create_set(object).await?;
    ns.condition("web", "ServiceReady", "False", "Missing").await?;
    ns.condition("web", "ServiceReady", "True", "Found").await?;
    let service = ns.api::<Service>().get("web").await?;
    let owner = service.owner_references()[0].clone();
    assert_eq!(Some(owner.uid), created.metadata.uid);
    let spec = service.spec.unwrap_or_default();
    assert_eq!(spec.cluster_ip.as_deref(), Some("None"));
    assert_eq!(spec.selector.unwrap_or_default().get("app").map(String::as_str), Some("web"));
    assert_eq!(spec.ports.unwrap_or_default()[0].port, 80);

    // Ours, so it is kept as it shall be.
    let bent = Patch::Merge(json!({"spec": {"selector": {"more": "x"}}}));
    ns.api::<Service>().patch("web", &PatchParams::default(), &bent).await?;
    ns.eventually(SOON, "the selector is mended", async || {
        let selector = ns.api::<Service>().get("web").await?.spec.and_then(|s| s.selector).unwrap_or_default();
        Ok(Look::when(selector.len() == 1, || format!("{selector:?}")))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn n_9_a_service_of_somebody_else_is_reported_and_not_touched() -> Outcome {
    let ns = world::namespace("foreign-service").await?;
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let before = ns.create_object::<Service>(service).await?.resource_version();
    ns.create_set(set("web", 1, json!({"serviceName": "web"}))).await?;
    ns.condition("web", "ServiceReady", "False", "NotHeadless").await?;
    ns.settled("web").await?;
    assert_eq!(ns.api::<Service>().get("web").await?.resource_version(), before);
    Ok(())
}

#[tokio::test]
async fn o_14_a_settled_set_is_left_alone() -> Outcome {
    let ns = world::namespace("quiet").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let look = async || -> anyhow::Result<_> {
        let versions = ns.members("web").await?.into_values().map(|p| p.resource_version()).collect::<Vec<_>>();
        Ok((ns.set("web").await?["metadata"]["resourceVersion"].clone(), versions))
    };
    let before = look().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(look().await?, before, "something was written although nothing was to be done");
    Ok(())
}
