//! Pods that cannot go, go at once, or ended by themselves.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use ordinal_tests::{HandPlayedNode, Look, Namespace, Outcome, world};
use serde_json::json;

use super::{HELD, at_rest, gone, hold};
use crate::sets::{SOON, Sets, image, set};

async fn terminating(ns: &Namespace, name: &str) -> anyhow::Result<Pod> {
    ns.eventually(SOON, &format!("{name} terminates"), async || {
        let pod = ns.pods().get(name).await?;
        let terminates = pod.metadata.deletion_timestamp.is_some();
        Ok(if terminates { Look::Done(pod) } else { Look::NotYet("it does not".to_owned()) })
    })
    .await
}

/// TestDeletingAndTerminatingPods, and finalizers that come with the template.
// also: S-9.1, N-2
#[tokio::test]
async fn s_9_6_a_finalizer_of_the_template_holds_the_pod_and_its_successor() -> Outcome {
    let ns = world::namespace("finalizer").await?;
    let mut object = set("web", 2, json!({"podManagementPolicy": "Parallel"}));
    object["spec"]["template"]["metadata"]["finalizers"] = json!([HELD]);
    ns.create_set(object).await?;
    ns.settled("web").await?;
    let before = ns.pods().get("web-0").await?;
    assert_eq!(before.finalizers(), [HELD]);
    ns.delete_pod("web-0").await?;
    terminating(&ns, "web-0").await?;
    // The last thing that there is to say of it.
    ns.blocked("web", "not going", |pod| pod["reason"] == "Terminating").await?;
    let blocked = at_rest(&ns).await?.len();
    assert_eq!(ns.pods().get("web-0").await?.uid(), before.uid(), "it was replaced before it was gone");
    assert_eq!(at_rest(&ns).await?.len(), blocked, "a held pod is not deleted again");
    assert_eq!(ns.set("web").await?["status"]["replicas"], 2, "a terminating pod is counted (S-12.29)");
    hold(&ns, "web-0", &[]).await?;
    ns.replaced("web-0", before.uid()).await?;
    ns.settled("web").await?;
    for pod in ["web-0", "web-1"] {
        hold(&ns, pod, &[]).await?;
    }
    Ok(())
}

/// TestDeletingPodForRollingUpdatePartition.
// also: S-3.9, S-4.4
#[tokio::test]
async fn s_9_8_a_failed_pod_held_below_the_partition_comes_back_at_the_old_revision() -> Outcome {
    let ns = world::namespace("held-below").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let mut patch = image("nginx:2");
    patch["spec"]["updateStrategy"] = json!({"rollingUpdate": {"partition": 1}});
    ns.patch_set("web", patch).await?;
    ns.settled("web").await?;
    let before = hold(&ns, "web-0", &[HELD]).await?;
    ns.annotate_pod("web-0", json!({"test.ordinal.dev/fails": "true"})).await?;
    let held = terminating(&ns, "web-0").await?;
    assert_eq!(held.metadata.deletion_grace_period_seconds, Some(0), "a failed pod has no grace");
    at_rest(&ns).await?;
    assert_eq!(ns.pods().get("web-0").await?.uid(), before.uid());
    hold(&ns, "web-0", &[]).await?;
    ns.replaced("web-0", before.uid()).await?;
    ns.settled("web").await?;
    assert_eq!(ns.images("web").await?.into_values().collect::<Vec<_>>(), ["nginx:1", "nginx:2"]);
    Ok(())
}

// also: S-9.8
#[tokio::test]
async fn s_4_4_a_pod_that_succeeded_is_deleted_once_and_made_anew() -> Outcome {
    let ns = world::namespace("succeeded").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let before = ns.pods().get("web-0").await?.uid();
    let ended = Patch::Strategic(
        json!({"status": {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False"}]}}),
    );
    ns.pods().patch_status("web-0", &PatchParams::default(), &ended).await?;
    ns.replaced("web-0", before.clone()).await?;
    ns.settled("web").await?;
    let calls = at_rest(&ns).await?;
    let deletions: Vec<_> = calls.iter().filter(|c| c.is("delete", "pods", "web-0")).collect();
    assert_eq!(deletions.len(), 1, "{deletions:#?}");
    assert_eq!(deletions[0].body["preconditions"]["uid"], json!(before));
    Ok(())
}

/// On a node whose kubelet never answers.
// also: S-9.1
#[tokio::test]
async fn s_9_6_without_grace_a_pod_is_replaced_although_no_kubelet_let_it_go() -> Outcome {
    let ns = world::namespace("no-grace").await?;
    let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
    let mut object = set("web", 1, json!({}));
    object["spec"]["template"]["spec"] = node.placement();
    object["spec"]["template"]["spec"]["containers"] = json!([{"name": "main", "image": "nginx:1"}]);
    object["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(0);
    ns.create_set(object).await?;
    ns.members_are("web", &["web-0"]).await?;
    node.ready(ns.name(), "web-0").await?;
    ns.settled("web").await?;
    let before = ns.pods().get("web-0").await?.uid();
    ns.delete_pod("web-0").await?;
    ns.replaced("web-0", before).await?;
    Ok(())
}

/// What nobody can schedule was never anywhere: its deletion needs no kubelet.
#[tokio::test]
async fn s_9_8_an_unscheduled_pod_goes_at_once() -> Outcome {
    let ns = world::namespace("unscheduled").await?;
    let mut object = set("web", 1, json!({}));
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"nowhere": "yet"});
    ns.create_set(object).await?;
    ns.members_are("web", &["web-0"]).await?;
    let before = ns.pods().get("web-0").await?.uid();
    // Pending, and condemned: the operator's own deletion.
    ns.scale("web", 0).await?;
    gone(&ns, "web-0").await?;
    ns.scale("web", 1).await?;
    ns.replaced("web-0", before).await?;
    Ok(())
}

#[tokio::test]
async fn s_9_7_an_evicted_pod_comes_back() -> Outcome {
    let ns = world::namespace("evicted").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let before = ns.pods().get("web-1").await?.uid();
    ns.pods().evict("web-1", &Default::default()).await?;
    ns.replaced("web-1", before).await?;
    ns.settled("web").await?;
    Ok(())
}

/// The user's responsibility, and the way out of S-9.2.
#[tokio::test]
async fn s_9_6_a_pod_deleted_by_force_is_replaced_at_once() -> Outcome {
    let ns = world::namespace("by-force").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    let before = ns.pods().get("web-0").await?.uid();
    ns.annotate_pod("web-0", json!({"test.ordinal.dev/stop-after": "1h"})).await?;
    ns.delete_pod("web-0").await?;
    terminating(&ns, "web-0").await?;
    at_rest(&ns).await?;
    assert_eq!(ns.pods().get("web-0").await?.uid(), before, "N-2");
    ns.pods().delete("web-0", &DeleteParams::default().grace_period(0)).await?;
    ns.replaced("web-0", before).await?;
    ns.settled("web").await?;
    Ok(())
}
