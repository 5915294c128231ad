//! Claims that are in the way, left over, or somebody else's.

use std::time::{Duration, Instant};

use anyhow::Result;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::{Value, json};

use super::{HELD, at_rest, gone, in_words};
use crate::sets::{SOON, Sets, claim_comes_back_under_pending_pod, claims, set};

/// The operator looks again after 30 s at the latest; what comes so soon was woken.
const WOKEN: Duration = Duration::from_secs(5);

async fn patch_claim(ns: &Namespace, name: &str, patch: Value) -> Result<PersistentVolumeClaim> {
    Ok(ns.claims().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
}

fn deleting_when_scaled(replicas: i32) -> Value {
    let policy = json!({"whenScaled": "Delete"});
    set("db", replicas, json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy}))
}

/// The claim of a scaled-down predecessor, held so that it cannot go.
// also: O-6, S-12.13, S-4.18
#[tokio::test]
async fn s_5_4_creation_waits_for_a_stale_claim_without_a_call_and_is_woken() -> Outcome {
    let ns = world::namespace("stale").await?;
    ns.create_set(deleting_when_scaled(2)).await?;
    ns.settled("db").await?;
    let old = patch_claim(&ns, "data-db-1", json!({"metadata": {"finalizers": [HELD]}})).await?.uid();
    ns.scale("db", 1).await?;
    gone(&ns, "db-1").await?;
    ns.scale("db", 2).await?;
    let message = ns.condition("db", "Progressing", "True", "ScalingUp").await?;
    assert!(message.contains("db-1 until a claim of its predecessor is collected"), "{message}");
    let waiting = at_rest(&ns).await?.len();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let made = at_rest(&ns).await?;
    assert_eq!(made.len(), waiting, "it waits, it does not try: {:#?}", in_words(&made[waiting..]));
    assert!(ns.notes("db", "FailedCreate").await?.is_empty(), "waiting is no event (S-7.4)");
    assert!(ns.pods().get_opt("db-1").await?.is_none());

    let released = Instant::now();
    patch_claim(&ns, "data-db-1", json!({"metadata": {"finalizers": null}})).await?;
    ns.pod_ready("db-1", SOON).await?;
    assert!(released.elapsed() < WOKEN, "not woken, but after {:?}", released.elapsed());
    assert_ne!(ns.claims().get("data-db-1").await?.uid(), old, "a fresh claim");
    Ok(())
}

// also: S-5.2, S-4.18, N-6
#[tokio::test]
async fn o_6_a_terminating_claim_is_waited_for_and_its_end_wakes_the_set() -> Outcome {
    let ns = world::namespace("held-claim").await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    patch_claim(&ns, "data-db-0", json!({"metadata": {"finalizers": [HELD]}})).await?;
    ns.claims().delete("data-db-0", &DeleteParams::default()).await?;
    ns.delete_pod("db-0").await?;
    let message = ns.condition("db", "Progressing", "True", "WaitingForClaim").await?;
    assert_eq!(message, "pvc data-db-0 is being deleted");
    ns.eventually(SOON, "an event says so", async || {
        let notes = ns.notes("db", "FailedCreate").await?;
        let told = "Create Pod db-0 in OrdinalSet db failed error: pvc data-db-0 is being deleted";
        Ok(Look::when(notes.iter().any(|n| n == told), || format!("{notes:?}")))
    })
    .await?;
    // Let the pauses between two tries grow, so that only a wake-up can be quick.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let released = Instant::now();
    patch_claim(&ns, "data-db-0", json!({"metadata": {"finalizers": null}})).await?;
    ns.pod_ready("db-0", SOON).await?;
    assert!(released.elapsed() < WOKEN, "not woken, but after {:?}", released.elapsed());
    Ok(())
}

// also: O-6
#[tokio::test]
async fn s_5_3_a_claim_deleted_under_a_pending_pod_comes_back() -> Outcome {
    let ns = world::namespace("pending").await?;
    claim_comes_back_under_pending_pod(&ns).await?;
    let notes = ns.notes("db", "FailedCreate").await?;
    assert!(notes.iter().all(|n| !n.starts_with("Create Pod")), "the pod was there all the time: {notes:?}");
    Ok(())
}

#[tokio::test]
async fn s_5_8_an_existing_claim_is_used_as_it_is_and_never_changed() -> Outcome {
    let ns = world::namespace("as-it-is").await?;
    let spec = json!({"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "7Mi"}}});
    let claim = json!({"metadata": {"name": "data-db-0", "labels": {"by": "hand"}}, "spec": spec});
    let before = ns.create_object::<PersistentVolumeClaim>(claim).await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    patch_claim(&ns, "data-db-0", json!({"metadata": {"labels": {"by": "somebody"}}})).await?;
    ns.delete_pod("db-0").await?;
    ns.settled("db").await?;
    let after = ns.claims().get("data-db-0").await?;
    assert_eq!((after.uid(), after.labels()["by"].as_str()), (before.uid(), "somebody"));
    let requests = after.spec.and_then(|s| s.resources?.requests).unwrap_or_default();
    assert_eq!(requests["storage"].0, "7Mi");
    let touched = at_rest(&ns).await?;
    let touched: Vec<_> = touched.iter().filter(|c| c.object.resource == "persistentvolumeclaims").collect();
    assert!(touched.is_empty(), "{touched:#?}");
    Ok(())
}

#[tokio::test]
async fn s_12_15_claims_left_over_from_before_stay_whatever_the_policy_becomes() -> Outcome {
    let ns = world::namespace("left-over").await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    ns.scale("db", 1).await?;
    ns.members_are("db", &["db-0"]).await?;
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    ns.patch_set("db", json!({"spec": {"persistentVolumeClaimRetentionPolicy": policy}})).await?;
    ns.eventually(SOON, "the claim in use belongs to the set", async || {
        let owners = ns.claims().get("data-db-0").await?.owner_references().len();
        Ok(Look::when(owners == 1, || format!("{owners} owners")))
    })
    .await?;
    ns.delete_set("db").await?;
    ns.eventually(SOON, "the claim in use is collected", async || {
        let left = ns.claims().get_opt("data-db-0").await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    let left = ns.claims().get("data-db-1").await?;
    assert!(left.owner_references().is_empty() && left.metadata.deletion_timestamp.is_none(), "{:?}", left.metadata);
    Ok(())
}
