//! StatefulSet → OrdinalSet → StatefulSet, by the plugin's commands, for every kind of set.

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use ordinal_tests::{Identity, Namespace, Outcome};
use serde_json::{Value, json};

use super::{Natives, control_plane, owned_by, place};
use crate::sets::{Sets, claims, image, set};

/// Runs the plugin, which must succeed.
async fn ordinal(ns: &Namespace, args: &[&str]) -> Result<String> {
    let output = ns.kubectl().ordinal(args.iter().copied()).await?;
    ensure!(output.code == 0, "kubectl ordinal {args:?}: {}\n{}\n{}", output.code, output.stdout, output.stderr);
    Ok(output.stdout)
}

/// There and back: pods, what runs in them, claims and revisions stay what they are.
async fn there_and_back(ns: &Namespace, manifest: Value) -> Result<()> {
    let native = ns.native(manifest).await?;
    let before = ns.photo().await?;
    ordinal(ns, &["adopt", "web"]).await?;
    let taken = ns.adopted("web").await?;
    assert_eq!(ns.photo().await?, before, "taken over with everything as it was");
    owned_by(ns, "OrdinalSet", taken["metadata"]["uid"].as_str().map(str::to_owned)).await?;
    ordinal(ns, &["release", "web"]).await?;
    let back = ns.native_settled("web").await?;
    assert_eq!(ns.photo().await?, before, "given back with everything as it was");
    owned_by(ns, "StatefulSet", back.uid()).await?;
    assert!(ns.sets().get_opt("web").await?.is_none(), "the OrdinalSet is gone");
    let spec = |native: &k8s_openapi::api::apps::v1::StatefulSet| json!(native.spec);
    assert_eq!(spec(&back), spec(&native), "and its spec is what it was");
    Ok(())
}

#[tokio::test]
async fn n_5_an_ordered_set_goes_there_and_back() -> Outcome {
    let (ns, _operator) = place("ordered").await?;
    there_and_back(&ns, set("web", 3, json!({"serviceName": "web"}))).await?;
    Ok(())
}

/// The second owner would keep the pods from being collected, but not from being mourned: they shall never be in danger at all.
#[tokio::test]
async fn n_3_the_stateful_set_is_deleted_by_uid_and_version_and_leaves_its_pods() -> Outcome {
    let (ns, _operator) = place("deletion").await?;
    let native = ns.native(set("web", 2, json!({}))).await?;
    ns.adopt(&native, json!({})).await?;
    ns.adopted("web").await?;
    let calls = control_plane().await?.calls_in(Identity::Operator, ns.name())?;
    let at = calls.iter().position(|c| c.is("delete", "statefulsets", "web")).context("no deletion")?;
    let body = &calls[at].body;
    assert_eq!(body["propagationPolicy"], "Orphan", "{body}");
    assert_eq!(body["preconditions"]["uid"], json!(native.uid()), "{body}");
    assert!(body["preconditions"]["resourceVersion"].is_string(), "{body}");
    assert!(at > 0 && calls[at - 1].is("get", "ordinalsets", "web"), "the set is not read before: {:?}", calls[at - 1]);
    Ok(())
}

#[tokio::test]
async fn n_5_a_parallel_set_that_starts_at_five_goes_there_and_back() -> Outcome {
    let (ns, _operator) = place("parallel").await?;
    let more = json!({"podManagementPolicy": "Parallel", "ordinals": {"start": 5}, "minReadySeconds": 1});
    there_and_back(&ns, set("web", 4, more)).await?;
    Ok(())
}

// also: N-6
#[tokio::test]
async fn n_1_a_set_that_keeps_its_claims_goes_there_and_back() -> Outcome {
    let (ns, _operator) = place("claims").await?;
    there_and_back(&ns, set("web", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    Ok(())
}

#[tokio::test]
async fn n_1_a_set_whose_claims_go_with_it_goes_there_and_back_and_they_stay() -> Outcome {
    let (ns, _operator) = place("collected").await?;
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    let more = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    there_and_back(&ns, set("web", 2, more)).await?;
    let owners = ns.claims().get("data-web-0").await?.owner_references().to_vec();
    assert!(owners.iter().all(|owner| owner.kind == "StatefulSet"), "the policy counts again: {owners:?}");
    Ok(())
}

#[tokio::test]
async fn s_3_6_old_revisions_come_along_and_are_gone_back_to_on_both_sides() -> Outcome {
    let (ns, _operator) = place("history").await?;
    ns.native(set("web", 2, json!({}))).await?;
    for image_of in ["nginx:2", "nginx:3"] {
        ns.patch_native("web", image(image_of)).await?;
        ns.native_settled("web").await?;
    }
    let before = ns.photo().await?;
    assert_eq!(before.revisions.len(), 3, "{before:?}");
    ordinal(&ns, &["adopt", "web"]).await?;
    ns.adopted("web").await?;
    assert_eq!(ns.photo().await?, before);
    ordinal(&ns, &["rollout", "undo", "web", "--to-revision=2"]).await?;
    ordinal(&ns, &["rollout", "status", "web"]).await?;
    assert!(ns.images("web").await?.values().all(|image| image == "nginx:2"), "{:?}", ns.images("web").await?);
    let names = |photo: &super::Photo| photo.revisions.keys().cloned().collect::<Vec<_>>();
    let rolled = ns.photo().await?;
    assert_eq!(names(&rolled), names(&before), "no revision was made");
    ordinal(&ns, &["release", "web"]).await?;
    ns.native_settled("web").await?;
    assert_eq!(ns.photo().await?, rolled);
    ns.kubectl().ok(["rollout", "undo", "statefulset/web", "--to-revision=1"]).await?;
    ns.native_settled("web").await?;
    assert!(ns.images("web").await?.values().all(|image| image == "nginx:1"), "{:?}", ns.images("web").await?);
    assert_eq!(names(&ns.photo().await?), names(&before), "nor natively");
    Ok(())
}

/// A manifest has no defaults in its template, the built-in's revisions have them all: so a set that was changed as an
/// OrdinalSet has a revision that the built-in controller would not know as its own.
#[tokio::test]
async fn n_5_a_set_that_was_never_a_stateful_set_becomes_one_without_a_restart() -> Outcome {
    let (ns, _operator) = place("given").await?;
    ns.create_set(set("web", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("web").await?;
    let before = ns.photo().await?;
    ordinal(&ns, &["release", "web"]).await?;
    ns.native_settled("web").await?;
    let after = ns.photo().await?;
    assert_eq!((after.pods, after.claims), (before.pods, before.claims));
    Ok(())
}

#[tokio::test]
async fn a_roll_out_that_its_partition_holds_goes_only_where_it_is_accepted() -> Outcome {
    let (ns, _operator) = place("canary").await?;
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    ns.native(set("web", 3, json!({"updateStrategy": strategy}))).await?;
    ns.patch_native("web", image("nginx:2")).await?;
    ns.native_settled("web").await?;
    let before = ns.photo().await?;
    let refused = ns.kubectl().ordinal(["adopt", "web"]).await?;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stdout.contains("roll-out") || refused.stderr.contains("roll-out"), "{refused:?}");
    assert!(ns.sets().get_opt("web").await?.is_none(), "nothing was changed");
    ordinal(&ns, &["adopt", "web", "--accept=PartialRollout"]).await?;
    ns.condition("web", "Adopted", "True", "Adopted").await?;
    assert_eq!(ns.photo().await?, before);
    let status = ns.set("web").await?["status"].clone();
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    Ok(())
}
