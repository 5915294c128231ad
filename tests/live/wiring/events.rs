//! Events, as they are stored and as `kubectl describe` prints them (S-7).

use anyhow::Result;
use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod, ResourceQuota};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::json;

use super::{at_rest, controlled_by, hold, orphan, patch_pod, stray};
use crate::sets::{SOON, Sets, claims, image, set};

/// A row of the table that `kubectl describe` ends with: type, reason, message; who it is from was checked.
async fn described(ns: &Namespace, set: &str) -> Result<Vec<(String, String, String)>> {
    let text = ns.kubectl().ok(["describe", "ordinalset", set]).await?;
    let rows = text.lines().skip_while(|line| !line.starts_with("Events:")).filter_map(|line| {
        let (before, message) = line.split_once("ordinalset-controller")?;
        let mut words = before.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned(), message.trim().to_owned()))
    });
    Ok(rows.collect())
}

/// Waits until a row is there whose message begins so.
async fn told(ns: &Namespace, set: &str, type_: &str, reason: &str, message: &str) -> Result<String> {
    ns.eventually(SOON, &format!("{type_} {reason} {message}"), async || {
        let rows = described(ns, set).await?;
        let found = rows.iter().find(|(t, r, m)| t == type_ && r == reason && m.starts_with(message));
        Ok(found.map_or_else(|| Look::NotYet(format!("{rows:#?}")), |(_, _, m)| Look::Done(m.clone())))
    })
    .await
}

async fn quota(ns: &Namespace, hard: serde_json::Value) -> Result<()> {
    ns.create_object::<ResourceQuota>(json!({"metadata": {"name": "tight"}, "spec": {"hard": hard}})).await?;
    ns.eventually(SOON, "the quota counts", async || {
        let quota = ns.api::<ResourceQuota>().get("tight").await?;
        Ok(Look::when(quota.status.is_some_and(|s| s.used.is_some()), || "not yet".to_owned()))
    })
    .await
}

// also: S-7.6
#[tokio::test]
async fn s_7_1_an_event_is_about_the_set_and_from_its_controller() -> Outcome {
    let ns = world::namespace("involved").await?;
    let created = ns.create_set(set("web", 1, json!({}))).await?;
    told(&ns, "web", "Normal", "SuccessfulCreate", "Create Pod web-0 in OrdinalSet web successful").await?;
    let about = ListParams::default().fields("involvedObject.name=web,reason=SuccessfulCreate");
    let event = ns.api::<Event>().list(&about).await?.items.remove(0);
    let object = &event.involved_object;
    assert_eq!(object.api_version.as_deref(), Some("apps.ordinal.dev/v1"));
    assert_eq!((object.kind.as_deref(), object.name.as_deref()), (Some("OrdinalSet"), Some("web")));
    assert_eq!((object.namespace.as_deref(), &object.uid), (Some(ns.name()), &created.uid()));
    assert_eq!(event.reporting_component.as_deref(), Some("ordinalset-controller"));
    let name = event.name_any();
    let time = name.strip_prefix("web.").and_then(|hex| u128::from_str_radix(hex, 16).ok());
    assert!(time.is_some_and(|t| t > 1_600_000_000_000_000_000), "{name} is not <set>.<hexadecimal nanoseconds>");
    Ok(())
}

#[tokio::test]
async fn s_7_2_pods_made_repaired_and_deleted_are_told_in_these_words() -> Outcome {
    let ns = world::namespace("told").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    patch_pod(&ns, "web-0", json!({"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": null}}})).await?;
    ns.scale("web", 1).await?;
    for (reason, message) in [
        ("SuccessfulCreate", "Create Pod web-1 in OrdinalSet web successful"),
        ("SuccessfulUpdate", "Update Pod web-0 in OrdinalSet web successful"),
        ("SuccessfulDelete", "Delete Pod web-1 in OrdinalSet web successful"),
    ] {
        assert_eq!(told(&ns, "web", "Normal", reason, message).await?, message);
    }
    Ok(())
}

#[tokio::test]
async fn s_7_2_a_pod_that_is_refused_is_told_with_the_servers_words() -> Outcome {
    let ns = world::namespace("told-refused").await?;
    quota(&ns, json!({"pods": "0"})).await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let begin = "Create Pod web-0 in OrdinalSet web failed error: ";
    let message = told(&ns, "web", "Warning", "FailedCreate", begin).await?;
    let words = r#"pods "web-0" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=0, limited: pods=0"#;
    assert_eq!(message, format!("{begin}{words}"));
    Ok(())
}

#[tokio::test]
async fn s_7_3_claims_are_told_in_these_words_and_a_refused_one_twice() -> Outcome {
    let ns = world::namespace("told-claims").await?;
    quota(&ns, json!({"persistentvolumeclaims": "1"})).await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    let success = "Create Claim data-db-0 Pod db-0 in OrdinalSet db success";
    assert_eq!(told(&ns, "db", "Normal", "SuccessfulCreate", success).await?, success);
    let words = r#"persistentvolumeclaims "data-db-1" is forbidden: exceeded quota: tight, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=1, limited: persistentvolumeclaims=1"#;
    let claim = format!("Create Claim data-db-1 for Pod db-1 in OrdinalSet db failed error: {words}");
    assert_eq!(told(&ns, "db", "Warning", "FailedCreate", "Create Claim").await?, claim);
    let pod = format!("Create Pod db-1 in OrdinalSet db failed error: failed to create PVC data-db-1: {words}");
    assert_eq!(told(&ns, "db", "Warning", "FailedCreate", "Create Pod").await?, pod);
    Ok(())
}

// also: S-5.6, N-9
#[tokio::test]
async fn s_7_3_a_claim_with_another_controller_is_told_and_left_alone() -> Outcome {
    let ns = world::namespace("told-conflict").await?;
    let owner = ns.create_object::<ConfigMap>(json!({"metadata": {"name": "owner"}})).await?;
    let owner =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid(), "controller": true}]);
    let mut claim = claims()[0].clone();
    claim["metadata"] = json!({"name": "data-db-0", "ownerReferences": owner});
    let before = ns.create_object::<PersistentVolumeClaim>(claim).await?;
    let policy = json!({"whenDeleted": "Delete"});
    let spec = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    ns.create_set(set("db", 1, spec)).await?;
    ns.settled("db").await?;
    let words = "PersistentVolumeClaim data-db-0 has a conflicting OwnerReference that acts as a manging controller, \
                 the retention policy is ignored for this claim";
    assert_eq!(told(&ns, "db", "Warning", "ConflictingController", "PersistentVolumeClaim").await?, words);
    assert_eq!(ns.claims().get("data-db-0").await?.owner_references(), before.owner_references());
    Ok(())
}

/// Adoption, release, a taken name, a terminating pod that is waited for, revisions made and used again, status writes.
#[tokio::test]
async fn s_7_4_what_is_silent_leaves_no_event() -> Outcome {
    let ns = world::namespace("silent").await?;
    // With the label that a repair, which is told, would bring.
    let labels = json!({"labels": {"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"}});
    ns.create_object::<Pod>(stray("web-0", "web", labels)).await?;
    ns.pod_ready("web-0", SOON).await?;
    let created = ns.create_set(set("web", 2, json!({"updateStrategy": {"type": "OnDelete"}}))).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:1")).await?;
    ns.settled("web").await?;
    orphan(&ns, "web-1").await?;
    controlled_by(&ns, "web-1", created.uid()).await?;
    patch_pod(&ns, "web-1", json!({"metadata": {"labels": {"app": "other"}}})).await?;
    controlled_by(&ns, "web-1", None).await?;
    hold(&ns, "web-0", &[super::HELD]).await?;
    ns.delete_pod("web-0").await?;
    at_rest(&ns).await?;
    hold(&ns, "web-0", &[]).await?;
    ns.eventually(SOON, "web-0 is made anew", async || {
        let notes = ns.notes("web", "SuccessfulCreate").await?;
        Ok(Look::when(notes.iter().any(|n| n.contains("Pod web-0")), || format!("{notes:?}")))
    })
    .await?;
    at_rest(&ns).await?;
    let rows = described(&ns, "web").await?;
    let made = |name| format!("Create Pod {name} in OrdinalSet web successful");
    let mut told: Vec<_> = rows.iter().map(|(_, reason, message)| (reason.as_str(), message.clone())).collect();
    told.sort();
    assert_eq!(told, [("SuccessfulCreate", made("web-0")), ("SuccessfulCreate", made("web-1"))], "{rows:#?}");
    Ok(())
}

/// The same refusal again and again is one event with a count.
#[tokio::test]
async fn s_7_6_an_event_that_comes_again_is_counted() -> Outcome {
    let ns = world::namespace("counted").await?;
    quota(&ns, json!({"pods": "0"})).await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let failed = ListParams::default().fields("involvedObject.name=web,reason=FailedCreate");
    ns.eventually(SOON, "the event has been counted up", async || {
        let events = ns.api::<Event>().list(&failed).await?.items;
        let counts: Vec<_> = events.iter().map(|e| e.series.as_ref().and_then(|s| s.count).unwrap_or(1)).collect();
        assert!(events.len() <= 1, "one event, not {}: {events:#?}", events.len());
        Ok(Look::when(counts.iter().any(|n| *n >= 3), || format!("{counts:?}")))
    })
    .await?;
    let raised = Patch::Merge(json!({"spec": {"hard": {"pods": "5"}}}));
    ns.api::<ResourceQuota>().patch("tight", &PatchParams::default(), &raised).await?;
    Ok(())
}
