//! Scaling (S-4.5, S-4.14) and what becomes of claims (S-5.5).

use anyhow::Result;
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::json;

use crate::sets::{SOON, Sets, claims, set};

/// Looks until the pods are these, and each time demands that a higher ordinal never stays without the lower ones.
async fn shrink_from_the_top(ns: &Namespace, set: &str, to: &[&str]) -> Result<()> {
    ns.eventually(SOON, &format!("the pods of {set} are {to:?}"), async || {
        let names: Vec<String> = ns.members(set).await?.into_keys().collect();
        let expected: Vec<String> = (0..names.len()).map(|ordinal| format!("{set}-{ordinal}")).collect();
        assert_eq!(names, expected, "a lower ordinal went before a higher one");
        Ok(Look::when(names == to, || format!("{names:?}")))
    })
    .await
}

// also: S-5.7
#[tokio::test]
async fn s_4_5_the_highest_ordinal_goes_first_and_claims_stay() -> Outcome {
    let ns = world::namespace("scale-down").await?;
    ns.create_set(set("db", 4, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    ns.scale("db", 1).await?;
    shrink_from_the_top(&ns, "db", &["db-0"]).await?;
    ns.settled("db").await?;
    assert_eq!(ns.claims().list(&Default::default()).await?.items.len(), 4, "claims are kept");
    let before = ns.claims().get("data-db-1").await?.metadata.uid;
    ns.scale("db", 2).await?;
    ns.settled("db").await?;
    assert_eq!(ns.claims().get("data-db-1").await?.metadata.uid, before, "the pod that comes back has its old claim");
    Ok(())
}

#[tokio::test]
async fn s_4_14_an_unready_pod_holds_up_scaling() -> Outcome {
    let ns = world::namespace("held-up").await?;
    ns.create_set(set("web", 3, json!({}))).await?;
    ns.settled("web").await?;
    ns.annotate_pod("web-0", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    ns.condition("web", "Progressing", "True", "WaitingForPod").await?;
    ns.scale("web", 1).await?;
    let message = ns.condition("web", "Progressing", "True", "ScalingDown").await?;
    assert!(message.contains("waiting for web-0 to be ready"), "{message}");
    assert_eq!(ns.members("web").await?.len(), 3);
    ns.annotate_pod("web-0", json!({"test.ordinal.dev/never-ready": null})).await?;
    ns.members_are("web", &["web-0"]).await?;
    Ok(())
}

// also: N-1
#[tokio::test]
async fn s_5_5_when_scaled_delete_takes_the_claim_with_its_pod() -> Outcome {
    let ns = world::namespace("retention").await?;
    let policy = json!({"whenScaled": "Delete"});
    let spec = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    ns.create_set(set("db", 2, spec)).await?;
    ns.settled("db").await?;
    let old = ns.claims().get("data-db-1").await?.metadata.uid;
    ns.scale("db", 1).await?;
    ns.eventually(SOON, "the claim of db-1 is collected", async || {
        let claim = ns.claims().get_opt("data-db-1").await?;
        Ok(Look::when(claim.is_none(), || format!("{:?}", claim.map(|c| c.metadata))))
    })
    .await?;
    assert!(ns.claims().get_opt("data-db-0").await?.is_some());
    ns.scale("db", 2).await?;
    ns.settled("db").await?;
    assert_ne!(ns.claims().get("data-db-1").await?.metadata.uid, old, "a fresh claim");
    Ok(())
}

#[tokio::test]
async fn s_4_11_many_parallel_pods_come_and_go() -> Outcome {
    let ns = world::namespace("many").await?;
    ns.create_set(set("web", 30, json!({"podManagementPolicy": "Parallel"}))).await?;
    ns.settled("web").await?;
    ns.scale("web", 0).await?;
    ns.members_are("web", &[]).await?;
    let status = ns.settled("web").await?["status"].clone();
    assert_eq!((&status["replicas"], &status["readyReplicas"]), (&json!(0), &json!(0)), "counters are written, 0 too");
    Ok(())
}
