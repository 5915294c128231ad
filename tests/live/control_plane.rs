//! The control plane that all live tests rely on does what a cluster does.

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{Namespace, Node, PersistentVolumeClaim, Pod, Secret, Service},
    rbac::v1::ClusterRole,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use ordinal_tests::{
    ControlPlane, HandPlayedNode, Identity, Look, Options, Outcome, eventually, namespace::is_ready, node,
};
use serde_json::{Value, json};

/// Generous: a busy machine must not fail a test, and a passing test never waits that long.
const SOON: Duration = Duration::from_secs(30);

fn pod(name: &str, annotations: Value) -> Value {
    json!({
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"containers": [{"name": "main", "image": "nginx"}]},
    })
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

#[tokio::test]
async fn five_nodes_are_ready() -> Outcome {
    let nodes: Api<Node> = Api::all(ControlPlane::shared().await?.client(Identity::Tests).await?);
    let played_by_kwok = ListParams::default().labels(&format!("{}={}", node::KUBELET_LABEL, node::PLAYED_BY_KWOK));
    let nodes = nodes.list(&played_by_kwok).await?;
    assert_eq!(nodes.items.iter().filter(|node| node::is_ready(node)).count(), 5);
    Ok(())
}

#[tokio::test]
async fn a_pod_is_scheduled_gets_ready_and_goes() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("pod").await?;
    ns.create_object::<Pod>(pod("plain", json!({}))).await?;
    let ready = ns.pod_ready("plain", SOON).await?;
    assert!(ready.spec.and_then(|spec| spec.node_name).is_some());
    assert!(ready.status.and_then(|status| status.pod_ip).is_some());
    ns.delete_pod("plain").await?;
    ns.eventually(SOON, "the pod is gone", async || {
        let left = ns.pods().get_opt("plain").await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn annotations_say_how_a_pod_behaves() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("annotated").await?;
    ns.create_object::<Pod>(pod("fails", json!({"test.ordinal.dev/fails": "true"}))).await?;
    ns.create_object::<Pod>(pod("never", json!({"test.ordinal.dev/never-ready": "true"}))).await?;
    ns.create_object::<Pod>(pod("late", json!({"test.ordinal.dev/ready-after": "2s"}))).await?;
    ns.eventually(SOON, "one pod has failed, the others run", async || {
        let pods = ns.pods();
        let phases = [pods.get("fails").await?, pods.get("never").await?, pods.get("late").await?];
        let phases = phases.each_ref().map(phase);
        Ok(Look::when(phases == ["Failed", "Running", "Running"], || format!("{phases:?}")))
    })
    .await?;
    let late = ns.pod_ready("late", SOON).await?;
    let status = late.status.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions.iter().find(|c| c.type_ == "Ready").and_then(|c| c.last_transition_time.as_ref());
    let waited = ready.zip(status.start_time.as_ref()).map(|(ready, started)| ready.0.duration_since(started.0));
    assert!(waited.is_some_and(|waited| waited.as_secs() >= 2), "ready {waited:?} after its start");
    assert!(!is_ready(&ns.pods().get("never").await?));

    ns.annotate_pod("never", json!({"test.ordinal.dev/never-ready": null})).await?;
    ns.pod_ready("never", SOON).await?;
    ns.annotate_pod("never", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    ns.eventually(SOON, "a ready pod ceases to be ready", async || {
        let pod = ns.pods().get("never").await?;
        Ok(Look::when(!is_ready(&pod) && phase(&pod) == "Running", || "it is ready".to_owned()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_pod_stays_as_long_as_its_annotation_says() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("slow-stop").await?;
    ns.create_object::<Pod>(pod("slow", json!({"test.ordinal.dev/stop-after": "1h"}))).await?;
    ns.pod_ready("slow", SOON).await?;
    ns.delete_pod("slow").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let slow = ns.pods().get("slow").await?;
    assert!(slow.metadata.deletion_timestamp.is_some());
    assert_eq!(phase(&slow), "Running");
    Ok(())
}

#[tokio::test]
async fn a_test_can_play_the_kubelet_itself() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("by-hand").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    let mut pod = pod("puppet", json!({}));
    if let (Value::Object(spec), Value::Object(placement)) = (&mut pod["spec"], node.placement()) {
        spec.extend(placement);
    }
    ns.create_object::<Pod>(pod).await?;
    ns.eventually(SOON, "the pod is bound", async || {
        let bound = ns.pods().get("puppet").await?.spec.and_then(|spec| spec.node_name);
        Ok(Look::when(bound.as_deref() == Some(node.name()), || format!("bound to {bound:?}")))
    })
    .await?;
    assert_eq!(phase(&ns.pods().get("puppet").await?), "Pending", "nobody else moves it");
    node.running(ns.name(), "puppet").await?;
    assert!(!is_ready(&ns.pods().get("puppet").await?));
    node.ready(ns.name(), "puppet").await?;
    assert!(is_ready(&ns.pods().get("puppet").await?));

    ns.delete_pod("puppet").await?;
    node.end(ns.name(), "puppet").await?;
    assert_eq!(phase(&ns.pods().get("puppet").await?), "Succeeded", "it waits for its kubelet");
    node.let_go(ns.name(), "puppet").await?;
    assert!(ns.pods().get_opt("puppet").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_claim_is_bound() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("claim").await?;
    ns.create_object::<PersistentVolumeClaim>(json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }))
    .await?;
    ns.eventually(SOON, "the claim is bound", async || {
        let phase = ns.claims().get("data").await?.status.and_then(|status| status.phase);
        Ok(Look::when(phase.as_deref() == Some("Bound"), || format!("{phase:?}")))
    })
    .await?;
    // The folder behind the volume goes with it.
    ns.claims().delete("data", &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_namespace_really_goes_with_all_in_it() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("doomed").await?;
    ns.create_object::<Pod>(pod("inhabitant", json!({}))).await?;
    let namespaces: Api<Namespace> = Api::all(ns.client());
    namespaces.delete(ns.name(), &DeleteParams::default()).await?;
    ns.eventually(SOON, "the namespace is gone", async || {
        let left = namespaces.get_opt(ns.name()).await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    assert!(ns.pods().get_opt("inhabitant").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn the_operator_may_do_what_its_role_grants_and_nothing_else() -> Outcome {
    // Not the shared one, where a missing right is a failure.
    let control_plane = ControlPlane::start(Options { nodes: 0, ..Options::default() }).await?;
    let ns = control_plane.namespace("rights").await?;
    let operator = control_plane.client(Identity::Operator).await?;

    let pods: Api<Pod> = Api::namespaced(operator.clone(), ns.name());
    pods.create(&PostParams::default(), &serde_json::from_value(pod("allowed", json!({})))?).await?;

    let secrets = Api::<Secret>::namespaced(operator.clone(), ns.name()).list(&ListParams::default()).await;
    let roles = Api::<ClusterRole>::all(operator.clone()).list(&ListParams::default()).await;
    let services: Api<Service> = Api::namespaced(operator, ns.name());
    let service = services.delete("any", &DeleteParams::default()).await;
    for refused in [secrets.err(), roles.err(), service.err()] {
        match refused {
            Some(kube::Error::Api(status)) => assert!(status.is_forbidden(), "{status:?}"),
            other => panic!("forbidden is what it should be, not {other:?}"),
        }
    }
    let path = format!("/api/v1/namespaces/{}/secrets?", ns.name());
    ns.eventually(SOON, "the call is in the audit log", async || {
        let calls = control_plane.calls(Identity::Operator)?;
        let found = calls.iter().any(|call| call.verb == "list" && call.uri.starts_with(&path));
        Ok(Look::when(found, || format!("{} other calls are", calls.len())))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_wait_that_fails_says_how_things_stood() {
    let waited = eventually::<()>(Duration::from_millis(120), "the moon is blue", async || {
        Ok(Look::NotYet("it is grey".to_owned()))
    });
    let error = waited.await.expect_err("the moon is never blue").to_string();
    assert_eq!(error, "not within 120ms: the moon is blue; at last: it is grey");
}
