//! ControllerRevisions as the API server keeps them (S-1.9), and the set's own as kubectl shows them (S-10.5).

use anyhow::Result;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{ListParams, Patch, PatchParams};
use ordinal_tests::{ControlPlane, Namespace, Outcome, world};
use serde_json::{Value, json};

use crate::sets::{Sets, image, set};

fn manifest(name: &str, more: Value) -> String {
    let mut manifest = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": name}});
    if let (Some(manifest), Value::Object(more)) = (manifest.as_object_mut(), more) {
        manifest.extend(more);
    }
    manifest.to_string()
}

async fn refused(ns: &Namespace, name: &str, more: Value, words: &str) -> Result<()> {
    let output = ns.kubectl().try_apply(&manifest(name, more.clone())).await?;
    assert!(output.code != 0 && output.stderr.contains(words), "{name} {more}: {} {}", output.stdout, output.stderr);
    Ok(())
}

#[tokio::test]
async fn s_1_9_the_data_of_a_revision_is_an_object_and_never_changes() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("revisions").await?;
    refused(&ns, "a", json!({"revision": 1}), "data").await?;
    refused(&ns, "a", json!({"revision": 1, "data": "text"}), "data").await?;
    refused(&ns, "a", json!({"revision": -1, "data": {}}), "revision: Invalid value").await?;
    refused(&ns, "A_b", json!({"revision": 1, "data": {}}), "metadata.name: Invalid value").await?;
    ns.kubectl().apply(&manifest("a.b", json!({"revision": 1, "data": {"x": 1}}))).await?;
    ns.kubectl().apply(&manifest("a.b", json!({"revision": 7, "data": {"x": 1}}))).await?;
    refused(&ns, "a.b", json!({"revision": 7, "data": {"x": 2}}), "data: Invalid value").await?;
    assert_eq!(ns.api::<ControllerRevision>().get("a.b").await?.revision, Some(7), "the number may change");
    Ok(())
}

/// So what the operator writes of a set must be an object from the start, and a roll-back may only renumber it.
#[tokio::test]
async fn s_1_9_a_sets_revision_keeps_its_data_when_it_is_used_again() -> Outcome {
    let ns = world::namespace("same-data").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let first = ns.settled("web").await?["status"]["updateRevision"].clone();
    let name = first.as_str().unwrap_or_default();
    let before = ns.api::<ControllerRevision>().get(name).await?;
    assert!(before.data.0.is_object(), "{before:?}");
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:1")).await?;
    ns.settled("web").await?;
    let after = ns.api::<ControllerRevision>().get(name).await?;
    assert_eq!((before.revision, after.revision), (Some(1), Some(3)));
    assert_eq!((before.data, before.metadata.uid), (after.data, after.metadata.uid));
    Ok(())
}

/// `kubectl rollout history` takes built-in kinds only (S-10.8); the same list comes by `kubectl get`.
#[tokio::test]
async fn s_10_5_the_history_is_listed_with_its_change_causes() -> Outcome {
    let ns = world::namespace("history").await?;
    let mut object = set("web", 1, json!({}));
    object["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": "the beginning"});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    let mut patch = image("nginx:2");
    patch["metadata"] = json!({"annotations": {"kubernetes.io/change-cause": "nginx 2"}});
    ns.patch_set("web", patch).await?;
    ns.settled("web").await?;
    let mut patch = image("nginx:3");
    patch["metadata"] = json!({"annotations": {"kubernetes.io/change-cause": null}});
    ns.patch_set("web", patch).await?;
    ns.settled("web").await?;

    let columns = r"custom-columns=REVISION:.revision,CHANGE-CAUSE:.metadata.annotations.kubernetes\.io/change-cause";
    let sorted = ["get", "controllerrevisions", "-l", "app=web", "--sort-by=.revision", "-o", columns];
    let listed = ns.kubectl().ok(sorted).await?;
    let lines: Vec<_> = listed.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["REVISION CHANGE-CAUSE", "1 the beginning", "2 nginx 2", "3 <none>"], "{listed}");
    let shown = ns.kubectl().ok(["get", "controllerrevisions", "-l", "app=web", "--no-headers"]).await?;
    assert!(
        shown.lines().count() == 3 && shown.lines().all(|l| l.contains("ordinalset.apps.ordinal.dev/web")),
        "{shown}"
    );
    // One of them has its template.
    let template = "jsonpath={.items[?(@.revision==2)].data.spec.template.spec.containers[0].image}";
    let of_second = ns.kubectl().ok(["get", "controllerrevisions", "-l", "app=web", "-o", template]).await?;
    assert_eq!(of_second, "nginx:2");
    Ok(())
}

/// In place of `kubectl rollout undo`: the old manifest, applied again. Its revision is used again and becomes the newest.
#[tokio::test]
async fn s_10_6_the_old_manifest_undoes_a_roll_out() -> Outcome {
    let ns = world::namespace("undo").await?;
    let manifest = |image: &str, cause: &str| {
        let mut set = set("web", 2, json!({}));
        set["apiVersion"] = json!("apps.ordinal.dev/v1");
        set["kind"] = json!("OrdinalSet");
        set["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": cause});
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        set.to_string()
    };
    ns.kubectl().apply(&manifest("nginx:1", "one")).await?;
    let first = ns.settled("web").await?["status"]["updateRevision"].clone();
    ns.kubectl().apply(&manifest("nginx:2", "two")).await?;
    let second = ns.settled("web").await?["status"]["updateRevision"].clone();
    assert_ne!(first, second);
    ns.kubectl().apply(&manifest("nginx:1", "one")).await?;
    let status = ns.settled("web").await?["status"].clone();
    assert_eq!((&status["updateRevision"], &status["currentRevision"]), (&first, &first));
    assert!(ns.images("web").await?.values().all(|i| i == "nginx:1"));
    let list = ns.api::<ControllerRevision>().list(&ListParams::default().labels("app=web")).await?.items;
    let newest = list.iter().max_by_key(|r| r.revision).and_then(|r| r.metadata.name.as_deref());
    assert_eq!((list.len(), newest), (2, first.as_str()), "no third one");

    // What a revision records is a patch of the set, less a mark that only built-in kinds understand (S-3.1).
    let second = second.as_str().unwrap_or_default();
    let mut data = ns.api::<ControllerRevision>().get(second).await?.data.0;
    if let Some(template) = data.pointer_mut("/spec/template").and_then(Value::as_object_mut) {
        template.remove("$patch");
    }
    ns.sets().patch("web", &PatchParams::default(), &Patch::Merge(data)).await?;
    assert_eq!(ns.settled("web").await?["status"]["updateRevision"], second);
    assert!(ns.images("web").await?.values().all(|i| i == "nginx:2"));
    Ok(())
}
