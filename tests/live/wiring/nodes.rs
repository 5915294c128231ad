//! Nodes that are lost. The test plays kubelet and node lifecycle controller; the pod garbage collector is the real one.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use ordinal_tests::{
    HandPlayedNode, Look, Namespace, Outcome,
    namespace::is_ready,
    node::{KUBELET_LABEL, PLAYED_BY_KWOK},
    world,
};
use serde_json::{Value, json};

use super::at_rest;
use crate::sets::{SOON, Sets, set};

/// The pod garbage collector looks every 20 s, and keeps a vanished node in quarantine for 40 s.
const COLLECTED: Duration = Duration::from_secs(110);

/// A set whose pods may be on the test's node as well as on kwok's, but prefer the test's.
fn on(node: &HandPlayedNode, replicas: i32, policy: &str) -> Value {
    let mut object = set("web", replicas, json!({"podManagementPolicy": policy}));
    let spec = &mut object["spec"]["template"]["spec"];
    spec["tolerations"] = node.placement()["tolerations"].clone();
    // Its own; not the lifecycle's taints, which would be added by admission with 300 s.
    spec["tolerations"][0]["effect"] = "NoSchedule".into();
    let here = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name()]});
    // Not on the nodes of other tests.
    let played = json!({"key": KUBELET_LABEL, "operator": "In", "values": [PLAYED_BY_KWOK]});
    spec["affinity"] = json!({"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [here]},
            {"matchExpressions": [played]},
        ]},
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": {"matchExpressions": [here]}},
        ],
    }});
    object
}

fn nodes(ns: &Namespace) -> Api<Node> {
    Api::all(ns.client())
}

async fn on_the_node(ns: &Namespace, node: &HandPlayedNode, pod: &str) -> Result<()> {
    ns.eventually(SOON, &format!("{pod} is on {}", node.name()), async || {
        let at = ns.pods().get(pod).await?.spec.and_then(|s| s.node_name);
        Ok(Look::when(at.as_deref() == Some(node.name()), || format!("{at:?}")))
    })
    .await?;
    node.ready(ns.name(), pod).await
}

/// No more pods for this node.
async fn cordon(ns: &Namespace, node: &HandPlayedNode, taints: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"unschedulable": true, "taints": taints}}));
    nodes(ns).patch(node.name(), &PatchParams::default(), &patch).await?;
    Ok(())
}

/// What the node lifecycle and taint eviction controllers do to a pod of a lost node, and what becomes of it.
async fn lose(ns: &Namespace, node: &HandPlayedNode, pod: &str) -> Result<()> {
    node.running(ns.name(), pod).await?; // its Ready condition becomes False, its phase stays
    ns.delete_pod(pod).await?; // after 300 s; no kubelet answers
    Ok(())
}

// also: S-12.2, S-9.1, N-2
#[tokio::test]
async fn s_9_2_a_lost_node_blocks_an_ordered_set_until_its_pod_is_gone() -> Outcome {
    let ns = world::namespace("lost").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    ns.create_set(on(&node, 1, "OrderedReady")).await?;
    on_the_node(&ns, &node, "web-0").await?;
    cordon(&ns, &node, json!([])).await?;
    ns.scale("web", 2).await?;
    ns.pod_ready("web-1", SOON).await?;
    let lost = ns.pods().get("web-0").await?.uid();

    node.running(ns.name(), "web-0").await?;
    ns.condition("web", "Progressing", "True", "WaitingForPod").await?;
    ns.scale("web", 3).await?;
    ns.delete_pod("web-0").await?;
    let message = ns.condition("web", "Progressing", "True", "ScalingUp").await?;
    assert!(message.contains("waiting for web-0 to be"), "{message}");
    let made = at_rest(&ns).await?.len();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(at_rest(&ns).await?.len(), made, "it waits for ever, and does nothing");
    assert_eq!(ns.pods().get("web-0").await?.uid(), lost);
    assert!(ns.pods().get_opt("web-2").await?.is_none(), "a higher ordinal was made");

    ns.pods().delete("web-0", &DeleteParams::default().grace_period(0)).await?;
    ns.replaced("web-0", lost).await?;
    ns.settled("web").await?;
    assert_ne!(ns.pods().get("web-0").await?.spec.and_then(|s| s.node_name).as_deref(), Some(node.name()));
    Ok(())
}

// also: S-12.2
#[tokio::test]
async fn s_9_2_a_lost_node_costs_a_parallel_set_only_its_own_pods() -> Outcome {
    let ns = world::namespace("lost-parallel").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    ns.create_set(on(&node, 1, "Parallel")).await?;
    on_the_node(&ns, &node, "web-0").await?;
    cordon(&ns, &node, json!([])).await?;
    let lost = ns.pods().get("web-0").await?.uid();
    lose(&ns, &node, "web-0").await?;
    ns.scale("web", 3).await?;
    ns.pod_ready("web-2", SOON).await?;
    let other = ns.pods().get("web-1").await?.uid();
    ns.delete_pod("web-1").await?;
    ns.replaced("web-1", other).await?;
    ns.scale("web", 2).await?;
    ns.members_are("web", &["web-0", "web-1"]).await?;
    assert_eq!(ns.pods().get("web-0").await?.uid(), lost, "it waits for ever");
    // The kubelet is back: it reports the end, and lets the pod go.
    node.end(ns.name(), "web-0").await?;
    node.let_go(ns.name(), "web-0").await?;
    ns.replaced("web-0", lost).await?;
    Ok(())
}

#[tokio::test]
async fn s_9_3_pods_of_a_node_that_shuts_down_are_made_anew_elsewhere() -> Outcome {
    let ns = world::namespace("shutdown").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    ns.create_set(on(&node, 2, "OrderedReady")).await?;
    for pod in ["web-0", "web-1"] {
        on_the_node(&ns, &node, pod).await?;
    }
    ns.settled("web").await?;
    let before = ns.uids("web").await?;
    cordon(&ns, &node, json!([])).await?;
    for pod in ["web-0", "web-1"] {
        let terminated = json!({"status": {"phase": "Failed", "reason": "Terminated",
            "message": "Pod was terminated in response to imminent node shutdown.",
            "conditions": [{"type": "Ready", "status": "False"}]}});
        ns.pods().patch_status(pod, &PatchParams::default(), &Patch::Strategic(terminated)).await?;
    }
    for (pod, uid) in before {
        ns.replaced(&pod, Some(uid)).await?;
        ns.pod_ready(&pod, SOON).await?;
    }
    ns.settled("web").await?;
    Ok(())
}

/// Deleted by force by the real collector: neither kubelet nor we let it go.
async fn replaced_by_the_collector(ns: &Namespace, node: &HandPlayedNode, lost: Option<String>) -> Result<()> {
    let replaced = ns
        .eventually(COLLECTED, "web-0 is collected and made anew elsewhere", async || {
            let pod = ns.pods().get_opt("web-0").await?;
            let other = pod.as_ref().is_some_and(|p| p.uid() != lost && is_ready(p));
            Ok(match pod {
                Some(pod) if other => Look::Done(pod),
                pod => Look::NotYet(format!("{:?}", pod.map(|p| p.metadata))),
            })
        })
        .await?;
    assert_ne!(replaced.spec.and_then(|s| s.node_name).as_deref(), Some(node.name()));
    Ok(())
}

#[tokio::test]
async fn s_9_4_a_pod_of_a_deleted_node_is_collected_and_comes_back_elsewhere() -> Outcome {
    let ns = world::namespace("node-deleted").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    ns.create_set(on(&node, 1, "OrderedReady")).await?;
    on_the_node(&ns, &node, "web-0").await?;
    ns.settled("web").await?;
    let lost = ns.pods().get("web-0").await?.uid();
    nodes(&ns).delete(node.name(), &DeleteParams::default()).await?;
    replaced_by_the_collector(&ns, &node, lost).await?;
    ns.settled("web").await?;
    Ok(())
}

#[tokio::test]
async fn s_9_5_the_out_of_service_taint_frees_the_pod() -> Outcome {
    let ns = world::namespace("out-of-service").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    ns.create_set(on(&node, 1, "OrderedReady")).await?;
    on_the_node(&ns, &node, "web-0").await?;
    ns.settled("web").await?;
    let lost = ns.pods().get("web-0").await?.uid();
    let down = Patch::Merge(json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}));
    nodes(&ns).patch_status(node.name(), &PatchParams::default(), &down).await?;
    let taint = json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"});
    cordon(&ns, &node, json!([taint])).await?;
    replaced_by_the_collector(&ns, &node, lost).await?;
    ns.settled("web").await?;
    Ok(())
}
