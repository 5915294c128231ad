//! Somebody does something amid an adoption: it is refused or reported, and nothing is lost.

use anyhow::Result;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch},
};
use ordinal_tests::{Look, Namespace, Operator, Outcome};
use serde_json::json;

use super::{Natives, control_plane, held, options, owned_by, place};
use crate::sets::{SOON, image, set};

/// What an earlier operator has left of its work in the status.
async fn came_so_far(ns: &Namespace, native: &StatefulSet, phase: &str) -> Result<()> {
    let adoption = json!({"status": {"adoption": {"uid": native.uid(), "phase": phase}}});
    ns.sets().patch_status("web", &Default::default(), &Patch::Merge(adoption)).await?;
    Ok(())
}

/// An operator that comes to a set in the middle of an adoption; what is said of it says how far an earlier one had come.
#[tokio::test]
async fn n_3_a_stateful_set_that_was_changed_meanwhile_is_verified_again() -> Outcome {
    let control_plane = control_plane().await?;
    let ns = control_plane.namespace("edited").await?;
    let native = ns.native(set("web", 2, json!({}))).await?;
    ns.adopt(&native, json!({})).await?;
    came_so_far(&ns, &native, "Releasing").await?;
    ns.patch_native("web", image("nginx:2")).await?;
    let _operator = Operator::start(control_plane, options(&ns)).await?;
    let words = held(&ns, "web", "Refused").await?;
    assert!(words.contains("nginx:2"), "{words}");
    let alive = ns.native_settled("web").await?;
    assert_eq!((alive.uid(), alive.metadata.deletion_timestamp), (native.uid(), None), "it goes on as it was");
    Ok(())
}

#[tokio::test]
async fn n_9_a_stateful_set_that_gitops_puts_back_is_reported_and_nothing_deleted() -> Outcome {
    let control_plane = control_plane().await?;
    let ns = control_plane.namespace("gitops").await?;
    let native = ns.native(set("web", 2, json!({}))).await?;
    let before = ns.photo().await?;
    ns.adopt(&native, json!({})).await?;
    // An earlier operator came so far, and died.
    came_so_far(&ns, &native, "Releasing").await?;
    ns.natives().delete("web", &DeleteParams::orphan()).await?;
    ns.eventually(SOON, "the StatefulSet is gone", async || {
        Ok(Look::when(ns.natives().get_opt("web").await?.is_none(), || "it is there".into()))
    })
    .await?;
    let back = ns.native(set("web", 2, json!({}))).await?;
    let _operator = Operator::start(control_plane, options(&ns)).await?;
    let words = held(&ns, "web", "ConflictingStatefulSet").await?;
    assert!(words.contains("made anew"), "{words}");
    assert_eq!(ns.photo().await?.pods, before.pods);
    owned_by(&ns, "StatefulSet", back.uid()).await?;
    Ok(())
}

#[tokio::test]
async fn a_set_that_is_deleted_before_the_end_leaves_the_stateful_set_as_it_was() -> Outcome {
    let (ns, _operator) = place("called-off").await?;
    let native = ns.native(set("web", 2, json!({}))).await?;
    let before = ns.photo().await?;
    ns.adopt(&native, json!({"replicas": 5})).await?;
    held(&ns, "web", "Refused").await?;
    ns.delete_set("web").await?;
    ns.eventually(SOON, "the set is gone", async || {
        Ok(Look::when(ns.sets().get_opt("web").await?.is_none(), || "it is there".into()))
    })
    .await?;
    let alive = ns.native_settled("web").await?;
    owned_by(&ns, "StatefulSet", alive.uid()).await?;
    assert_eq!(ns.photo().await?, before);
    Ok(())
}

/// The set is the second owner of pods by then: it goes, and they stay the StatefulSet's.
#[tokio::test]
async fn n_8_a_set_that_is_deleted_when_all_is_staged_takes_no_pod_along() -> Outcome {
    let control_plane = control_plane().await?;
    let ns = control_plane.namespace("staged").await?;
    let native = ns.native(set("web", 2, json!({}))).await?;
    let before = ns.photo().await?;
    ns.adopt(&native, json!({})).await?;
    let ours = ns.set("web").await?["metadata"]["uid"].clone();
    let owner = json!({"apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "name": "web", "uid": ours});
    for pod in before.pods.keys() {
        let mut owners = json!(ns.pods().get(pod).await?.owner_references());
        owners.as_array_mut().into_iter().for_each(|owners| owners.push(owner.clone()));
        let patch = Patch::Merge(json!({"metadata": {"ownerReferences": owners}}));
        ns.pods().patch(pod, &Default::default(), &patch).await?;
    }
    let params = DeleteParams::foreground();
    ns.sets().delete("web", &params).await?;
    owned_by(&ns, "StatefulSet", native.uid()).await?;
    assert_eq!(ns.photo().await?, before);
    Ok(())
}
