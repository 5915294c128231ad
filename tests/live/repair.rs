//! Pods that vanish, fail or are taken away, and what becomes of a set's pods when it goes.

use kube::{ResourceExt, api::DeleteParams};
use ordinal_tests::{Look, Outcome, world};
use serde_json::json;

use crate::sets::{SOON, Sets, claims, set};

// also: S-4.16
#[tokio::test]
async fn s_9_1_a_deleted_pod_comes_back_with_its_name_and_its_claim() -> Outcome {
    let ns = world::namespace("replaced").await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    let before = ns.pods().get("db-0").await?.uid();
    let claim = ns.claims().get("data-db-0").await?.uid();
    ns.delete_pod("db-0").await?;
    ns.replaced("db-0", before).await?;
    ns.pod_ready("db-0", SOON).await?;
    assert_eq!(ns.claims().get("data-db-0").await?.uid(), claim);
    Ok(())
}

// also: O-7
#[tokio::test]
async fn s_4_4_a_failed_pod_is_replaced() -> Outcome {
    let ns = world::namespace("failed").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let before = ns.pods().get("web-1").await?.uid();
    ns.annotate_pod("web-1", json!({"test.ordinal.dev/fails": "true"})).await?;
    ns.replaced("web-1", before).await?;
    ns.settled("web").await?;
    Ok(())
}

#[tokio::test]
async fn o_7_a_pod_that_fails_at_once_is_shown_and_waits() -> Outcome {
    let ns = world::namespace("failing-fast").await?;
    let mut object = set("web", 1, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/fails": "true"});
    ns.create_set(object).await?;
    ns.blocked("web", "failing fast, the third time in a row", |pod| {
        pod["reason"] == "FailingFast" && pod["message"].as_str().is_some_and(|m| m.contains("3 times"))
    })
    .await?;
    Ok(())
}

// also: S-5.3, O-6
#[tokio::test]
async fn s_12_13_a_claim_that_terminates_is_waited_for_and_wakes_its_set() -> Outcome {
    let ns = world::namespace("terminating-claim").await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    let old = ns.claims().get("data-db-0").await?.uid();
    // Protected while the pod uses it: it terminates, and goes with the pod.
    ns.claims().delete("data-db-0", &DeleteParams::default()).await?;
    ns.delete_pod("db-0").await?;
    ns.eventually(SOON, "db-0 has a fresh claim", async || {
        let claim = ns.claims().get_opt("data-db-0").await?;
        Ok(Look::when(claim.is_some_and(|c| c.uid() != old), || "not yet".to_owned()))
    })
    .await?;
    ns.pod_ready("db-0", SOON).await?;
    Ok(())
}

// also: S-2.5
#[tokio::test]
async fn s_12_8_a_pod_that_was_relabelled_is_released_and_its_name_waited_for() -> Outcome {
    let ns = world::namespace("released").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    ns.kubectl().ok(["label", "pod", "web-1", "app=other", "--overwrite"]).await?;
    ns.blocked("web", "taken", |pod| pod["reason"] == "NameTaken" && pod["name"] == "web-1").await?;
    assert!(ns.pods().get("web-1").await?.owner_references().is_empty());
    ns.delete_pod("web-1").await?;
    ns.members_are("web", &["web-0", "web-1"]).await?;
    ns.settled("web").await?;
    Ok(())
}

// also: N-8
#[tokio::test]
async fn s_4_15_pods_go_with_their_set_and_claims_stay() -> Outcome {
    let ns = world::namespace("deleted").await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    ns.delete_set("db").await?;
    ns.members_are("db", &[]).await?;
    assert_eq!(ns.claims().list(&Default::default()).await?.items.len(), 2);
    Ok(())
}

#[tokio::test]
async fn s_5_6_when_deleted_delete_takes_the_claims_with_the_set() -> Outcome {
    let ns = world::namespace("deleted-claims").await?;
    let policy = json!({"whenDeleted": "Delete"});
    let spec = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    ns.create_set(set("db", 2, spec)).await?;
    ns.settled("db").await?;
    ns.eventually(SOON, "the claims are owned by the set", async || {
        let claims = ns.claims().list(&Default::default()).await?;
        let owned = claims.items.iter().all(|c| c.owner_references().iter().any(|o| o.kind == "OrdinalSet"));
        Ok(Look::when(owned, || "not yet".to_owned()))
    })
    .await?;
    ns.delete_set("db").await?;
    ns.eventually(SOON, "the claims are gone", async || {
        let left = ns.claims().list(&Default::default()).await?.items.len();
        Ok(Look::when(left == 0, || format!("{left} are left")))
    })
    .await?;
    Ok(())
}

// also: S-3.11
#[tokio::test]
async fn s_2_5_an_orphaned_set_is_adopted_without_a_restart() -> Outcome {
    let ns = world::namespace("orphaned").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    let before = ns.settled("web").await?;
    let uids = ns.uids("web").await?;
    ns.sets().delete("web", &DeleteParams::orphan()).await?;
    ns.eventually(SOON, "the set is gone", async || {
        let left = ns.sets().get_opt("web").await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    let created = ns.create_set(set("web", 2, json!({}))).await?;
    let after = ns.settled("web").await?;
    assert_eq!(ns.uids("web").await?, uids, "no pod was restarted");
    assert_eq!(after["status"]["updateRevision"], before["status"]["updateRevision"]);
    let owners = ns.members("web").await?.into_values().flat_map(|p| p.owner_references().to_vec());
    assert!(owners.map(|o| Some(o.uid)).all(|uid| uid == created.metadata.uid));
    Ok(())
}
