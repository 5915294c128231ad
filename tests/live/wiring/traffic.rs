//! What the operator sends, and when it sends nothing (S-8).

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{Node, Service},
};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use ordinal_tests::{Outcome, world};
use serde_json::json;

use super::{at_rest, in_words, patch_pod};
use crate::sets::{Sets, claims, image, set};

/// Every DELETE that a set's life brings: scale-down, roll-out, failed pods, history.
// also: S-12.30, N-3
#[tokio::test]
async fn o_5_every_deletion_names_the_uid_of_what_was_judged() -> Outcome {
    let ns = world::namespace("precise").await?;
    ns.create_set(set("web", 3, json!({"revisionHistoryLimit": 0}))).await?;
    ns.settled("web").await?;
    let before = ns.uids("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    let rolled = ns.uids("web").await?;
    ns.scale("web", 2).await?;
    ns.settled("web").await?;
    ns.annotate_pod("web-1", json!({"test.ordinal.dev/fails": "true"})).await?;
    ns.replaced("web-1", rolled.get("web-1").cloned()).await?;
    ns.settled("web").await?;
    let calls = at_rest(&ns).await?;
    let deletions: Vec<_> = calls.iter().filter(|c| c.verb == "delete").collect();
    for call in &deletions {
        assert!(call.body["preconditions"]["uid"].is_string(), "{}: {}", call.in_words(), call.body);
        for override_ in ["gracePeriodSeconds", "propagationPolicy"] {
            assert!(call.body[override_].is_null(), "N-2: {}: {}", call.in_words(), call.body);
        }
    }
    let of_pods: Vec<_> = deletions.iter().filter(|c| c.object.resource == "pods").collect();
    let judged: Vec<_> = of_pods.iter().map(|c| c.body["preconditions"]["uid"].clone()).collect();
    // Three for the roll-out from the top, one for the scale-down, one that failed.
    let expected = [&before["web-2"], &before["web-1"], &before["web-0"], &rolled["web-2"], &rolled["web-1"]];
    assert_eq!(judged, expected.map(|uid| json!(uid)), "{:#?}", in_words(&calls));
    assert!(deletions.iter().any(|c| c.object.resource == "controllerrevisions"), "{:#?}", in_words(&calls));
    Ok(())
}

/// Others' Services, nodes, claims that are edited, revisions that are edited, pods of nobody.
#[tokio::test]
async fn s_8_11_changes_that_concern_no_set_cost_no_call() -> Outcome {
    let ns = world::namespace("unconcerned").await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    let before = at_rest(&ns).await?.len();
    let note = Patch::Merge(json!({"metadata": {"annotations": {"a": ns.name()}}}));
    let params = PatchParams::default();
    ns.create_object::<Service>(json!({"metadata": {"name": "other"}, "spec": {"clusterIP": "None"}})).await?;
    ns.api::<Service>().patch("other", &params, &note).await?;
    Api::<Node>::all(ns.client()).patch("node-1", &params, &note).await?;
    ns.claims().patch("data-db-0", &params, &note).await?;
    let revisions = ns.api::<ControllerRevision>().list(&ListParams::default().labels("app=db")).await?;
    for revision in revisions.items {
        ns.api::<ControllerRevision>().patch(&revision.name_any(), &params, &note).await?;
    }
    ns.create_object::<k8s_openapi::api::core::v1::Pod>(super::stray("other-0", "other", json!({}))).await?;
    patch_pod(&ns, "other-0", json!({"metadata": {"labels": {"a": "b"}}})).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = at_rest(&ns).await?;
    assert_eq!(after.len(), before, "{:#?}", in_words(&after[before..]));
    Ok(())
}

/// A writer that replaces an object whole would wipe who manages which of its fields; we patch.
// also: N-10
#[tokio::test]
async fn s_8_1_writes_leave_the_managed_fields_of_others_in_place() -> Outcome {
    let ns = world::namespace("managed").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    let mine = PatchParams::apply("somebody");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "annotations": {"mine": "1"}}});
    ns.pods().patch("web-0", &mine, &Patch::Apply(pod)).await?;
    patch_pod(&ns, "web-0", json!({"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": null}}})).await?;
    ns.eventually(crate::sets::SOON, "the label is repaired", async || {
        let labels = ns.pods().get("web-0").await?.labels().clone();
        let back = labels.contains_key("statefulset.kubernetes.io/pod-name");
        Ok(ordinal_tests::Look::when(back, || format!("{labels:?}")))
    })
    .await?;
    let managers: Vec<_> =
        ns.pods().get("web-0").await?.managed_fields().iter().filter_map(|m| m.manager.clone()).collect();
    assert!(managers.iter().any(|m| m == "somebody") && managers.iter().any(|m| m == "ordinal"), "{managers:?}");
    Ok(())
}
