//! Voluntary disruptions (S-9.7): budgets by the disruption controller of kube-controller-manager, the eviction API, and
//! `kubectl drain`.

use anyhow::Result;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{
    ResourceExt,
    api::{EvictParams, Patch, PatchParams},
};
use ordinal_tests::{HandPlayedNode, Look, Namespace, Outcome, eventually, world};
use serde_json::{Value, json};

use crate::{
    server::refusal,
    sets::{SOON, Sets, image, set},
};

/// Makes the budget, or changes it; the other bound goes.
async fn budget(ns: &Namespace, bound: &str, value: Value) -> Result<()> {
    let spec = json!({"selector": {"matchLabels": {"app": "web"}}, bound: value});
    let object =
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec});
    let params = PatchParams::apply("tests").force();
    ns.api::<PodDisruptionBudget>().patch("web", &params, &Patch::Apply(object)).await?;
    Ok(())
}

/// Waits until the budget counts so many pods, and allows so many disruptions.
async fn allows(ns: &Namespace, expected: i32, allowed: i32) -> Result<()> {
    ns.eventually(SOON, &format!("{allowed} of {expected} pods may be disrupted"), async || {
        let budget = ns.api::<PodDisruptionBudget>().get("web").await?;
        let status = budget.status.clone().unwrap_or_default();
        let condition = status.conditions.iter().flatten().find(|c| c.type_ == "DisruptionAllowed");
        let truth = if allowed > 0 { "True" } else { "False" };
        let done = status.observed_generation == budget.metadata.generation
            && (status.expected_pods, status.disruptions_allowed) == (Some(expected), Some(allowed))
            && condition.is_some_and(|c| c.status == truth && c.reason != "SyncFailed");
        Ok(Look::when(done, || format!("{status:?}")))
    })
    .await
}

/// By the set's scale, whose `spec.replicas` counts, whether its pods are there or not.
#[tokio::test]
async fn s_9_7_a_budget_counts_by_the_sets_scale() -> Outcome {
    let ns = world::namespace("budget").await?;
    ns.create_set(set("web", 4, json!({"podManagementPolicy": "Parallel"}))).await?;
    ns.settled("web").await?;
    budget(&ns, "minAvailable", json!(3)).await?;
    allows(&ns, 4, 1).await?;
    budget(&ns, "minAvailable", json!("50%")).await?;
    allows(&ns, 4, 2).await?;
    budget(&ns, "maxUnavailable", json!(1)).await?;
    allows(&ns, 4, 1).await?;
    budget(&ns, "maxUnavailable", json!("50%")).await?;
    allows(&ns, 4, 2).await?;
    ns.scale("web", 5).await?;
    allows(&ns, 5, 3).await?;

    // A pod of five does not get ready: it uses up one of the three.
    ns.annotate_pod("web-4", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    allows(&ns, 5, 2).await?;
    Ok(())
}

#[tokio::test]
async fn s_9_7_an_eviction_is_refused_when_the_budget_is_used_up() -> Outcome {
    let ns = world::namespace("eviction").await?;
    let mut object = set("web", 3, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/stop-after": "1h"});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    budget(&ns, "maxUnavailable", json!(1)).await?;
    allows(&ns, 3, 1).await?;
    let before = ns.pods().get("web-1").await?.uid();
    ns.pods().evict("web-1", &EvictParams::default()).await?;
    allows(&ns, 3, 0).await?;
    let told = refusal(ns.pods().evict("web-0", &EvictParams::default()).await, 429)?;
    assert!(told.contains("would violate the pod's disruption budget"), "{told}");
    assert!(ns.pods().get("web-0").await?.metadata.deletion_timestamp.is_none());

    // An eviction is a plain deletion: the pod comes back, and the next may go.
    ns.annotate_pod("web-1", json!({"test.ordinal.dev/stop-after": null})).await?;
    ns.replaced("web-1", before).await?;
    allows(&ns, 3, 1).await?;
    ns.pods().evict("web-0", &EvictParams::default()).await?;
    Ok(())
}

/// The set's own deletions ask no budget, as natively.
#[tokio::test]
async fn s_9_7_a_roll_out_and_a_scale_down_do_not_ask_the_budget() -> Outcome {
    let ns = world::namespace("no-disruption").await?;
    ns.create_set(set("web", 3, json!({}))).await?;
    ns.settled("web").await?;
    budget(&ns, "maxUnavailable", json!(0)).await?;
    allows(&ns, 3, 0).await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    assert!(ns.images("web").await?.values().all(|i| i == "nginx:2"));
    ns.scale("web", 1).await?;
    ns.members_are("web", &["web-0"]).await?;
    Ok(())
}

/// Without `--force`, which pods without a controller would need.
#[tokio::test]
async fn s_9_7_kubectl_drain_evicts_the_pods_of_a_set() -> Outcome {
    let ns = world::namespace("drain").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    let mut object = set("web", 2, json!({"podManagementPolicy": "Parallel"}));
    if let (Value::Object(spec), Value::Object(placement)) = (&mut object["spec"]["template"]["spec"], node.placement())
    {
        spec.extend(placement);
    }
    ns.create_set(object).await?;
    let names = ["web-0", "web-1"];
    for name in names {
        eventually(SOON, &format!("{name} runs"), async || Ok(Look::Done(node.ready(ns.name(), name).await?))).await?;
    }
    let before = ns.uids("web").await?;
    let drain = ["drain", node.name(), "--timeout=60s"];
    let stop = async || -> Result<()> {
        for name in names {
            let terminating = async || {
                let pod = ns.pods().get(name).await?;
                Ok(Look::when(pod.metadata.deletion_timestamp.is_some(), || "it is not being deleted".to_owned()))
            };
            ns.eventually(SOON, &format!("{name} is evicted"), terminating).await?;
            node.end(ns.name(), name).await?;
            node.let_go(ns.name(), name).await?;
        }
        Ok(())
    };
    let (drained, stopped) = tokio::join!(ns.kubectl().ok(drain), stop());
    stopped?;
    assert!(drained?.contains("drained"));
    for name in names {
        ns.replaced(name, before.get(name).cloned()).await?;
    }
    assert!(ns.members("web").await?.values().all(|p| p.spec.as_ref().is_some_and(|s| s.node_name.is_none())));
    ns.kubectl().ok(["uncordon", node.name()]).await?;
    for name in names {
        eventually(SOON, &format!("{name} runs"), async || Ok(Look::Done(node.ready(ns.name(), name).await?))).await?;
    }
    ns.settled("web").await?;
    Ok(())
}
