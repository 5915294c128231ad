//! Whose pods are whose: all rows of S-2.5's table.

use anyhow::Context;
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::{ResourceExt, api::DeleteParams};
use ordinal_tests::{Look, Outcome, world};
use serde_json::json;

use super::{HELD, at_rest, calls, controlled_by, gone, hold, in_words, orphan, patch_pod, stray};
use crate::sets::{SOON, Sets, claims, set};

// also: S-2.4, N-10
#[tokio::test]
async fn s_2_5_an_orphan_is_adopted_after_a_live_read_of_its_set() -> Outcome {
    let ns = world::namespace("adopted").await?;
    let created = ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let config: k8s_openapi::api::core::v1::ConfigMap =
        ns.create_object(json!({"metadata": {"name": "friend"}})).await?;
    let friend = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "friend", "uid": config.uid()});
    let before = patch_pod(&ns, "web-1", json!({"metadata": {"ownerReferences": [friend]}})).await?;

    let adopted = controlled_by(&ns, "web-1", created.uid()).await?;
    assert_eq!(adopted.uid(), before.uid());
    let owners = adopted.owner_references();
    let ours = owners.iter().find(|o| o.controller == Some(true)).context("no controller")?;
    assert!(owners.len() == 2 && owners.iter().any(|o| o.name == "friend"), "an owner was lost: {owners:?}");
    let reference = (ours.api_version.as_str(), ours.kind.as_str(), ours.name.as_str());
    assert_eq!(reference, ("apps.ordinal.dev/v1", "OrdinalSet", "web"));
    assert_eq!((ours.controller, ours.block_owner_deletion), (Some(true), Some(true)));

    let calls = at_rest(&ns).await?;
    let at = calls.iter().position(|c| c.is("patch", "pods", "web-1")).context("no adoption in the audit log")?;
    assert_eq!(calls[at].body["metadata"]["uid"], json!(before.uid()), "the patch is for the pod that was judged");
    assert!(at > 0 && calls[at - 1].is("get", "ordinalsets", "web"), "not read before: {:#?}", in_words(&calls));
    Ok(())
}

// also: S-4.2, N-8
#[tokio::test]
async fn s_2_5_a_set_being_deleted_neither_adopts_nor_releases() -> Outcome {
    let ns = world::namespace("deleting").await?;
    let mut object = set("web", 2, json!({}));
    object["metadata"]["finalizers"] = json!([HELD]);
    ns.create_set(object).await?;
    ns.settled("web").await?;
    ns.delete_set("web").await?;
    ns.condition("web", "Progressing", "True", "Deleting").await?;
    let before = at_rest(&ns).await?.len();

    let relabelled = patch_pod(&ns, "web-0", json!({"metadata": {"labels": {"app": "other"}}})).await?;
    orphan(&ns, "web-1").await?;
    ns.create_object::<Pod>(stray("web-2", "web", json!({}))).await?;
    // The status tells that all three were seen: what is not claimed is not counted.
    ns.eventually(SOON, "the set counts no pod any more", async || {
        let status = ns.set("web").await?["status"].clone();
        Ok(Look::when(status["replicas"] == 0, || status.to_string()))
    })
    .await?;
    let after = at_rest(&ns).await?;
    let others: Vec<_> = after[before..].iter().filter(|c| !c.is("patch", "ordinalsets", "web")).collect();
    assert!(others.is_empty(), "it did more than to write its status: {others:#?}");
    assert_eq!(ns.pods().get("web-0").await?.owner_references(), relabelled.owner_references());
    for name in ["web-1", "web-2"] {
        assert!(ns.pods().get(name).await?.owner_references().is_empty(), "{name} was adopted");
    }

    ns.patch_set("web", json!({"metadata": {"finalizers": null}})).await?;
    gone(&ns, "web-0").await?; // the collector's: its owner is gone
    assert!(ns.pods().get_opt("web-1").await?.is_some(), "an orphan went with a set that was not its own");
    Ok(())
}

#[tokio::test]
async fn s_2_5_orphans_that_do_not_match_are_left_alone() -> Outcome {
    let ns = world::namespace("strangers").await?;
    let owner =
        ns.create_object::<k8s_openapi::api::core::v1::ConfigMap>(json!({"metadata": {"name": "owner"}})).await?;
    let owner =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid(), "controller": true}]);
    let strangers = [
        ("another name", stray("nginx-0", "web", json!({}))),
        ("no ordinal", stray("web", "web", json!({}))),
        ("another label", stray("web-5", "other", json!({}))),
        ("another controller", stray("web-6", "web", json!({"ownerReferences": owner}))),
        ("terminating", stray("web-7", "web", json!({"finalizers": [HELD]}))),
    ];
    for (_, pod) in &strangers {
        ns.create_object::<Pod>(pod.clone()).await?;
    }
    ns.delete_pod("web-7").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    let calls = at_rest(&ns).await?;
    for (why, pod) in &strangers {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let touched: Vec<_> = calls.iter().filter(|c| c.object.resource == "pods" && c.object.name == name).collect();
        assert!(touched.is_empty(), "{name} has {why} and was touched: {touched:#?}");
        assert!(ns.pods().get_opt(name).await?.is_some(), "{name}");
    }
    hold(&ns, "web-7", &[]).await?;
    Ok(())
}

// also: S-2.5
#[tokio::test]
async fn s_12_26_a_foreign_orphan_with_a_fitting_name_is_adopted_and_condemned() -> Outcome {
    let ns = world::namespace("captured").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    let captured = ns.create_object::<Pod>(stray("web-7", "web", json!({}))).await?;
    gone(&ns, "web-7").await?;
    let calls = calls(&ns).await?;
    let at = |verb| calls.iter().position(|c| c.is(verb, "pods", "web-7"));
    assert!(at("patch").is_some() && at("patch") < at("delete"), "{:#?}", in_words(&calls));
    let deletion = calls.iter().find(|c| c.is("delete", "pods", "web-7")).context("no deletion")?;
    assert_eq!(deletion.body["preconditions"]["uid"], json!(captured.uid()));
    Ok(())
}

// also: S-2.5, S-12.8
#[tokio::test]
async fn s_8_3_a_restored_label_wakes_the_set_and_it_adopts_again() -> Outcome {
    let ns = world::namespace("relabelled").await?;
    let created = ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let before = ns.uids("web").await?;
    patch_pod(&ns, "web-1", json!({"metadata": {"labels": {"app": "other"}}})).await?;
    controlled_by(&ns, "web-1", None).await?;
    ns.eventually(SOON, "web-1 is shown as taken", async || {
        let set = ns.set("web").await?;
        let (blocked, replicas) = (&set["status"]["blockedPods"][0], &set["status"]["replicas"]);
        let taken = blocked["name"] == "web-1" && blocked["reason"] == "NameTaken" && *replicas == 1;
        Ok(Look::when(taken, || set["status"].to_string()))
    })
    .await?;
    ns.condition("web", "Stalled", "True", "NameTaken").await?;
    let notes = ns.notes("web", "FailedCreate").await?;
    assert!(notes.is_empty(), "a name that is taken is no event (S-7.4): {notes:?}");
    patch_pod(&ns, "web-1", json!({"metadata": {"labels": {"app": "web"}}})).await?;
    controlled_by(&ns, "web-1", created.uid()).await?;
    ns.settled("web").await?;
    assert_eq!(ns.uids("web").await?, before, "no pod was restarted");
    Ok(())
}

#[tokio::test]
async fn s_2_1_the_last_dash_parts_name_and_ordinal() -> Outcome {
    let ns = world::namespace("names").await?;
    // Their selectors overlap; web-1-0 to web-1-2 are the second set's, and web-1 is the first's.
    let mut other = set("web-1", 3, json!({"selector": {"matchLabels": {"app": "web"}}}));
    other["spec"]["template"]["metadata"]["labels"] = json!({"app": "web"});
    let first = ns.create_set(set("web", 2, json!({}))).await?;
    let second = ns.create_set(other).await?;
    ns.settled("web").await?;
    ns.settled("web-1").await?;
    let before = ns.uids("web").await?;
    assert_eq!(before.keys().collect::<Vec<_>>(), ["web-0", "web-1", "web-1-0", "web-1-1", "web-1-2"]);
    for name in ["web-1", "web-1-2"] {
        orphan(&ns, name).await?;
    }
    controlled_by(&ns, "web-1", first.uid()).await?;
    controlled_by(&ns, "web-1-2", second.uid()).await?;
    ns.scale("web", 1).await?;
    ns.settled("web").await?;
    ns.members_are("web", &["web-0", "web-1-0", "web-1-1", "web-1-2"]).await?;
    Ok(())
}

/// Nobody works on it: kube-controller-manager runs without its StatefulSet controller here.
#[tokio::test]
async fn s_8_4_a_stateful_set_of_the_same_name_keeps_its_pods() -> Outcome {
    let ns = world::namespace("namesake").await?;
    let mut native = set("web", 2, json!({"serviceName": ""}));
    native["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    let native = ns.create_object::<StatefulSet>(native).await?;
    let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": native.uid(),
        "controller": true, "blockOwnerDeletion": true}]);
    let theirs = ns.create_object::<Pod>(stray("web-1", "web", json!({"ownerReferences": owner}))).await?;
    ns.create_set(set("web", 3, json!({"podManagementPolicy": "Parallel"}))).await?;
    // This operator may not see StatefulSets, and knows them by what they own.
    let words = ns.condition("web", "Stalled", "True", "ConflictingStatefulSet").await?;
    assert!(words.contains("pod web-1"), "{words}");
    let calls = at_rest(&ns).await?;
    let touched: Vec<_> =
        calls.iter().filter(|c| c.object.resource == "pods" && !c.is("create", "pods", "web-1")).collect();
    assert!(touched.is_empty(), "{touched:#?}");
    let kept = ns.pods().get("web-1").await?;
    assert_eq!((kept.uid(), kept.owner_references()), (theirs.uid(), theirs.owner_references()));
    assert_eq!(ns.set("web").await?["status"]["replicas"], 0, "a pod of somebody else is not counted");
    let notes = ns.notes("web", "ConflictingStatefulSet").await?;
    assert_eq!(notes.len(), 1, "{notes:?}");
    Ok(())
}

// also: S-2.7
#[tokio::test]
async fn s_2_9_a_lost_name_label_is_put_back_and_a_lost_index_label_is_not() -> Outcome {
    let ns = world::namespace("repaired").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    let before = at_rest(&ns).await?.len();
    patch_pod(&ns, "web-0", json!({"metadata": {"labels": {"apps.kubernetes.io/pod-index": null, "mine": "kept"}}}))
        .await?;
    let after = at_rest(&ns).await?;
    assert_eq!(after.len(), before, "the index label alone is not looked at: {:#?}", in_words(&after[before..]));

    patch_pod(&ns, "web-0", json!({"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": null}}})).await?;
    let labels = ns
        .eventually(SOON, "the name label is back", async || {
            let labels = ns.pods().get("web-0").await?.labels().clone();
            let back = labels.get("statefulset.kubernetes.io/pod-name").is_some_and(|name| name == "web-0");
            Ok(if back { Look::Done(labels) } else { Look::NotYet(format!("{labels:?}")) })
        })
        .await?;
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "0", "a repair brings both");
    assert_eq!(labels["mine"], "kept");
    let made = at_rest(&ns).await?;
    let repairs = made[before..].iter().filter(|c| c.is("patch", "pods", "web-0")).count();
    assert_eq!(repairs, 1, "{:#?}", in_words(&made[before..]));
    Ok(())
}

#[tokio::test]
async fn s_2_8_an_adopted_pod_without_its_volume_is_reported_until_it_is_deleted() -> Outcome {
    let ns = world::namespace("no-volume").await?;
    ns.create_object::<Pod>(stray("db-0", "db", json!({}))).await?;
    ns.pod_ready("db-0", SOON).await?;
    let created = ns.create_set(set("db", 1, json!({"volumeClaimTemplates": claims()}))).await?;
    controlled_by(&ns, "db-0", created.uid()).await?;
    let message = ns.condition("db", "Stalled", "True", "PodRejected").await?;
    assert!(message.contains("pod updates may not change fields other than"), "{message}");
    ns.eventually(SOON, "an event says what could not be done", async || {
        let notes = ns.notes("db", "FailedUpdate").await?;
        let told = notes.iter().any(|n| n.starts_with("Update Pod db-0 in OrdinalSet db failed error: "));
        Ok(Look::when(told, || format!("{notes:?}")))
    })
    .await?;
    ns.claims().get("data-db-0").await?;
    ns.pods().delete("db-0", &DeleteParams::default()).await?;
    ns.settled("db").await?;
    Ok(())
}
