//! The retention policy with the real garbage collector: all four combinations, through all that happens to a set.

use std::collections::BTreeMap;

use anyhow::Result;
use kube::{ResourceExt, api::DeleteParams};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::{Value, json};

use super::at_rest;
use crate::sets::{SOON, Sets, claims, set};

/// A set of each policy: its name, `whenDeleted`, `whenScaled`.
const POLICIES: [(&str, &str, &str); 4] =
    [("rr", "Retain", "Retain"), ("dr", "Delete", "Retain"), ("rd", "Retain", "Delete"), ("dd", "Delete", "Delete")];

fn policy(deleted: &str, scaled: &str) -> Value {
    json!({"whenDeleted": deleted, "whenScaled": scaled})
}

fn keeping(name: &str, replicas: i32, deleted: &str, scaled: &str) -> Value {
    let more = json!({
        "volumeClaimTemplates": claims(),
        "persistentVolumeClaimRetentionPolicy": policy(deleted, scaled),
    });
    set(name, replicas, more)
}

async fn make_all(ns: &Namespace, replicas: i32) -> Result<()> {
    for (name, deleted, scaled) in POLICIES {
        ns.create_set(keeping(name, replicas, deleted, scaled)).await?;
    }
    for (name, ..) in POLICIES {
        ns.settled(name).await?;
    }
    Ok(())
}

/// Kind and name of each owner of a claim; each must be a full controller reference to an object that is there.
async fn owners(ns: &Namespace, claim: &str) -> Result<Vec<String>> {
    let claim = ns.claims().get(claim).await?;
    let mut all = Vec::new();
    for o in claim.owner_references() {
        let uid = match o.kind.as_str() {
            "Pod" => ns.pods().get(&o.name).await?.uid(),
            _ => ns.sets().get(&o.name).await?.uid(),
        };
        assert_eq!(uid.as_ref(), Some(&o.uid), "{o:?}");
        assert_eq!((o.controller, o.block_owner_deletion), (Some(true), Some(true)), "{o:?}");
        let group = if o.kind == "Pod" { "v1" } else { "apps.ordinal.dev/v1" };
        assert_eq!(o.api_version, group);
        all.push(format!("{} {}", o.kind, o.name));
    }
    Ok(all)
}

async fn owners_are(ns: &Namespace, claim: &str, expected: &[String]) -> Result<()> {
    ns.eventually(SOON, &format!("the owners of {claim} are {expected:?}"), async || {
        let now = owners(ns, claim).await?;
        Ok(Look::when(now == expected, || format!("{now:?}")))
    })
    .await
}

/// Waits until the claims are exactly these.
async fn claims_are(ns: &Namespace, expected: &[&str]) -> Result<()> {
    ns.eventually(SOON, &format!("the claims are {expected:?}"), async || {
        let list = ns.claims().list(&Default::default()).await?;
        let now: Vec<String> = list.items.iter().map(ResourceExt::name_any).collect();
        Ok(Look::when(now == expected, || format!("{now:?}")))
    })
    .await
}

async fn uids(ns: &Namespace) -> Result<BTreeMap<String, String>> {
    let list = ns.claims().list(&Default::default()).await?;
    Ok(list.items.iter().map(|c| (c.name_any(), c.uid().unwrap_or_default())).collect())
}

// also: S-5.6
#[tokio::test]
async fn s_5_5_owners_of_claims_are_those_of_the_table() -> Outcome {
    let ns = world::namespace("owners").await?;
    make_all(&ns, 2).await?;
    for (name, deleted, _) in POLICIES {
        let in_range = if deleted == "Delete" { vec![format!("OrdinalSet {name}")] } else { Vec::new() };
        owners_are(&ns, &format!("data-{name}-1"), &in_range).await?;
        // Condemned, and held so that it can be looked at.
        ns.annotate_pod(&format!("{name}-1"), json!({"test.ordinal.dev/stop-after": "1h"})).await?;
        ns.scale(name, 1).await?;
    }
    for (name, deleted, scaled) in POLICIES {
        let out = match (deleted, scaled) {
            (_, "Delete") => vec![format!("Pod {name}-1")],
            ("Delete", _) => vec![format!("OrdinalSet {name}")],
            _ => Vec::new(),
        };
        ns.eventually(SOON, &format!("{name}-1 terminates"), async || {
            let pod = ns.pods().get(&format!("{name}-1")).await?;
            Ok(Look::when(pod.metadata.deletion_timestamp.is_some(), || "not yet".to_owned()))
        })
        .await?;
        // The claim was seen to before its pod was deleted: there is nothing to wait for.
        assert_eq!(owners(&ns, &format!("data-{name}-1")).await?, out, "{name}");
        assert_eq!(owners(&ns, &format!("data-{name}-0")).await?.len(), usize::from(deleted == "Delete"), "{name}");
    }
    Ok(())
}

/// With Appendix B, B-13.
// also: S-5.6
#[tokio::test]
async fn s_5_7_scaled_down_and_up_again_only_what_was_to_be_kept_is_there() -> Outcome {
    let ns = world::namespace("down-and-up").await?;
    make_all(&ns, 2).await?;
    let before = uids(&ns).await?;
    for (name, ..) in POLICIES {
        ns.scale(name, 1).await?;
    }
    let left = ["data-dd-0", "data-dr-0", "data-dr-1", "data-rd-0", "data-rr-0", "data-rr-1"];
    claims_are(&ns, &left).await?;
    for (name, ..) in POLICIES {
        ns.settled(name).await?;
        ns.scale(name, 2).await?;
    }
    for (name, deleted, scaled) in POLICIES {
        ns.settled(name).await?;
        let claim = format!("data-{name}-1");
        let kept = ns.claims().get(&claim).await?.uid().as_ref() == before.get(&claim);
        assert_eq!(kept, scaled == "Retain", "{claim}");
        let owner = if deleted == "Delete" { vec![format!("OrdinalSet {name}")] } else { Vec::new() };
        owners_are(&ns, &claim, &owner).await?;
    }
    let now = uids(&ns).await?;
    assert!(left.iter().all(|claim| now.get(*claim) == before.get(*claim)), "{before:?} {now:?}");
    Ok(())
}

async fn delete_all(how: DeleteParams, left: &[&str]) -> Outcome {
    let ns = world::namespace("delete-all").await?;
    make_all(&ns, 1).await?;
    for name in ["dd", "dr"] {
        owners_are(&ns, &format!("data-{name}-0"), &[format!("OrdinalSet {name}")]).await?;
    }
    for (name, ..) in POLICIES {
        ns.sets().delete(name, &how).await?;
    }
    ns.eventually(SOON, "the sets are gone", async || {
        let sets = ns.sets().list(&Default::default()).await?.items.len();
        Ok(Look::when(sets == 0, || format!("{sets} are left")))
    })
    .await?;
    claims_are(&ns, left).await?;
    // What is left is nobody's, and stays.
    let list = ns.claims().list(&Default::default()).await?;
    for claim in &list.items {
        assert!(claim.owner_references().is_empty() && claim.metadata.deletion_timestamp.is_none(), "{claim:?}");
    }
    let pods = if left.len() == 4 { 4 } else { 0 };
    ns.eventually(SOON, &format!("{pods} pods are left"), async || {
        let now = ns.pods().list(&Default::default()).await?.items.len();
        Ok(Look::when(now == pods, || format!("{now}")))
    })
    .await?;
    let calls = at_rest(&ns).await?;
    assert!(calls.iter().all(|c| !(c.verb == "delete" && c.object.resource == "persistentvolumeclaims")));
    Ok(())
}

// also: S-5.6, N-1
#[tokio::test]
async fn s_5_7_a_set_deleted_in_the_background_takes_the_claims_of_when_deleted() -> Outcome {
    delete_all(DeleteParams::background(), &["data-rd-0", "data-rr-0"]).await
}

// also: S-5.6, N-1
#[tokio::test]
async fn s_5_7_a_set_deleted_in_the_foreground_takes_the_claims_of_when_deleted() -> Outcome {
    delete_all(DeleteParams::foreground(), &["data-rd-0", "data-rr-0"]).await
}

#[tokio::test]
async fn s_5_7_a_set_deleted_with_orphans_leaves_all_claims() -> Outcome {
    delete_all(DeleteParams::orphan(), &["data-dd-0", "data-dr-0", "data-rd-0", "data-rr-0"]).await
}

// also: S-5.6
#[tokio::test]
async fn s_5_7_a_changed_policy_changes_the_owners_of_claims_with_pods() -> Outcome {
    let ns = world::namespace("changed").await?;
    ns.create_set(keeping("db", 2, "Retain", "Retain")).await?;
    ns.settled("db").await?;
    let set_owner = ["OrdinalSet db".to_owned()];
    let change = async |deleted, scaled| {
        ns.patch_set("db", json!({"spec": {"persistentVolumeClaimRetentionPolicy": policy(deleted, scaled)}})).await
    };
    change("Delete", "Retain").await?;
    for claim in ["data-db-0", "data-db-1"] {
        owners_are(&ns, claim, &set_owner).await?;
    }
    // A condemned pod that is still there: its claim goes from the set to the pod, and to nobody.
    ns.annotate_pod("db-1", json!({"test.ordinal.dev/stop-after": "1h"})).await?;
    ns.scale("db", 1).await?;
    change("Delete", "Delete").await?;
    owners_are(&ns, "data-db-1", &["Pod db-1".to_owned()]).await?;
    owners_are(&ns, "data-db-0", &set_owner).await?;
    change("Retain", "Retain").await?;
    owners_are(&ns, "data-db-1", &[]).await?;
    owners_are(&ns, "data-db-0", &[]).await?;
    ns.annotate_pod("db-1", json!({"test.ordinal.dev/stop-after": null})).await?;
    ns.members_are("db", &["db-0"]).await?;
    claims_are(&ns, &["data-db-0", "data-db-1"]).await?;
    Ok(())
}

/// Scales down with the condemned pod held, up again, and lets it go; whether its claim survived.
async fn taken_back(policy: &str) -> Result<bool> {
    let ns = world::namespace("taken-back").await?;
    let mut object = keeping("db", 2, "Retain", "Delete");
    object["spec"]["podManagementPolicy"] = policy.into();
    ns.create_set(object).await?;
    ns.settled("db").await?;
    let (claim, pod) = (ns.claims().get("data-db-1").await?.uid(), ns.pods().get("db-1").await?.uid());
    ns.annotate_pod("db-1", json!({"test.ordinal.dev/stop-after": "1h"})).await?;
    ns.scale("db", 1).await?;
    owners_are(&ns, "data-db-1", &["Pod db-1".to_owned()]).await?;
    ns.scale("db", 2).await?;
    at_rest(&ns).await?;
    ns.annotate_pod("db-1", json!({"test.ordinal.dev/stop-after": null})).await?;
    ns.replaced("db-1", pod).await?;
    ns.settled("db").await?;
    owners_are(&ns, "data-db-1", &[]).await?;
    Ok(ns.claims().get("data-db-1").await?.uid() == claim)
}

// also: S-5.4
#[tokio::test]
async fn s_5_7_taken_back_in_order_the_pod_waits_for_its_claim_to_go_and_gets_a_fresh_one() -> Outcome {
    assert!(!taken_back("OrderedReady").await?, "the claim was kept");
    Ok(())
}

// also: S-5.7
#[tokio::test]
async fn s_12_32_taken_back_in_parallel_the_claim_survives() -> Outcome {
    assert!(taken_back("Parallel").await?, "the claim went with its pod");
    Ok(())
}
