//! `kubectl ordinal rollout`, with the words and exit codes of `kubectl rollout`.

use std::time::Duration;

use kube::ResourceExt;
use ordinal_tests::{Look, Outcome, world};
use serde_json::json;

use super::{has, ordinal, refused};
use crate::sets::{SOON, Sets, image, set};

#[tokio::test]
async fn rollout_status_tells_each_pod_and_ends_when_all_is_done() -> Outcome {
    let ns = world::namespace("plugin-status").await?;
    // So that each pod can be watched as it comes.
    ns.create_set(set("web", 2, json!({"minReadySeconds": 3}))).await?;
    ns.settled("web").await?;
    has(&ordinal(&ns, "rollout status web --watch=false").await?, &["roll out complete: 2 pods at revision web-"]);
    ns.patch_set("web", image("nginx:2")).await?;
    let told = ordinal(&ns, "rollout status ordinalset/web --timeout=60s").await?;
    has(&told, &["web-1: ", "web-0: gone", "1 of 2 pods are updated", "roll out complete: 2 pods at revision web-"]);
    assert!(told.find("web-1: ") < told.find("web-0: gone"), "from the last to the first:\n{told}");
    assert_eq!(ns.images("web").await?.into_values().collect::<Vec<_>>(), ["nginx:2", "nginx:2"]);
    Ok(())
}

#[tokio::test]
async fn rollout_status_of_what_is_not_done_fails_and_says_what_it_waits_for() -> Outcome {
    let ns = world::namespace("plugin-stuck").await?;
    let mut object = set("web", 2, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/never-ready": "true"});
    ns.create_set(object).await?;
    ns.eventually(SOON, "it says that it waits for web-0", async || {
        let told = refused(&ns, "rollout status web --watch=false").await?;
        Ok(Look::when(told.contains("1 of 2 pods exist") && told.contains("waiting for web-0 to be ready"), || told))
    })
    .await?;
    has(&refused(&ns, "rollout status web --timeout 2s").await?, &["timed out waiting for the condition", "web-0"]);
    Ok(())
}

#[tokio::test]
async fn rollout_status_says_that_a_partition_holds_pods_back() -> Outcome {
    let ns = world::namespace("plugin-partition").await?;
    ns.create_set(set("web", 3, json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}}))).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    let told = ordinal(&ns, "rollout status web --timeout=60s").await?;
    has(
        &told,
        &["partitioned roll out complete: 1 new pods have been updated, those below ordinal 2 stay as they are"],
    );
    Ok(())
}

/// The counts alone would be those of a complete one.
#[tokio::test]
async fn rollout_status_of_a_canary_that_was_taken_back_waits_for_its_pod() -> Outcome {
    let ns = world::namespace("plugin-canary").await?;
    ns.create_set(set("web", 3, json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}}))).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ordinal(&ns, "rollout status web --timeout=60s").await?;
    // Nobody takes the new pod away, so the old one cannot be replaced by it.
    ns.annotate_pod("web-2", json!({"test.ordinal.dev/stop-after": "1h"})).await?;
    ordinal(&ns, "rollout undo web").await?;
    let told = refused(&ns, "rollout status web --timeout=3s").await?;
    has(&told, &["timed out waiting for the condition"]);
    Ok(())
}

#[tokio::test]
async fn rollout_status_ends_when_the_set_is_deleted() -> Outcome {
    let ns = world::namespace("plugin-deleted").await?;
    let mut object = set("web", 1, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/never-ready": "true"});
    ns.create_set(object).await?;
    ns.members_are("web", &["web-0"]).await?;
    let watching = refused(&ns, "rollout status web --timeout=60s");
    let deleting = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        ns.kubectl().ok(["delete", "ords", "web", "--cascade=orphan"]).await
    };
    let (told, deleted) = tokio::join!(watching, deleting);
    deleted?;
    has(&told?, &["ordinalset.apps.ordinal.dev/web has been deleted"]);
    Ok(())
}

#[tokio::test]
async fn rollout_history_lists_prints_and_compares_revisions() -> Outcome {
    let ns = world::namespace("plugin-history").await?;
    let mut object = set("web", 1, json!({}));
    object["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": "first of all"});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    let listed = ordinal(&ns, "rollout history web").await?;
    has(
        &listed,
        &["ordinalset.apps.ordinal.dev/web\n", "REVISION   CHANGE-CAUSE\n", "1          first of all", "2          "],
    );
    has(&ordinal(&ns, "rollout history web --revision=1").await?, &["with revision #1", "image: nginx:1"]);
    let difference = ordinal(&ns, "rollout history web --revision=1 --revision=2").await?;
    has(&difference, &["-  - image: nginx:1\n", "+  - image: nginx:2\n"]);
    assert_eq!(ordinal(&ns, "rollout history web -o name").await?.lines().count(), 2);
    has(&refused(&ns, "rollout history web --revision=7").await?, &["revision 7", "there are 1, 2"]);
    Ok(())
}

#[tokio::test]
async fn rollout_undo_goes_back_to_the_revision_before_or_a_given_one() -> Outcome {
    let ns = world::namespace("plugin-undo").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let first = ns.settled("web").await?["status"]["updateRevision"].clone();
    has(&refused(&ns, "rollout undo web").await?, &["no rollout history found"]);
    for edition in ["nginx:2", "nginx:3"] {
        ns.patch_set("web", image(edition)).await?;
        ns.settled("web").await?;
    }
    has(&ordinal(&ns, "rollout undo web --dry-run=server").await?, &["rolled back (server dry run)"]);
    has(&ordinal(&ns, "rollout undo web --dry-run=client").await?, &["image: nginx:2", "(dry run)"]);
    let image_of = async || Ok::<_, anyhow::Error>(ns.images("web").await?.into_values().next().unwrap_or_default());
    assert_eq!(image_of().await?, "nginx:3", "a dry run changes nothing");
    has(&ordinal(&ns, "rollout undo web").await?, &["ordinalset.apps.ordinal.dev/web rolled back"]);
    ns.settled("web").await?;
    assert_eq!(image_of().await?, "nginx:2");
    // The revisions have been numbered anew: the first one is the oldest still.
    ordinal(&ns, "rollout undo web --to-revision=1").await?;
    let back = ns.settled("web").await?;
    assert_eq!((image_of().await?.as_str(), &back["status"]["updateRevision"]), ("nginx:1", &first), "the very same");
    has(&ordinal(&ns, "rollout undo web --to-revision=5").await?, &["skipped rollback"]);
    Ok(())
}

#[tokio::test]
async fn rollout_restart_replaces_all_pods_and_changes_nothing_else() -> Outcome {
    let ns = world::namespace("plugin-restart").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let before = ns.uids("web").await?;
    has(&ordinal(&ns, "rollout restart ords/web --dry-run=client").await?, &["restarted (dry run)"]);
    has(&ordinal(&ns, "rollout restart ords/web").await?, &["ordinalset.apps.ordinal.dev/web restarted"]);
    ordinal(&ns, "rollout status web --timeout=60s").await?;
    let after = ns.uids("web").await?;
    assert!(before.iter().all(|(name, uid)| after[name] != *uid), "{before:?} {after:?}");
    let pod = ns.pods().get("web-0").await?;
    assert!(pod.annotations().contains_key("kubectl.kubernetes.io/restartedAt"), "{:?}", pod.annotations());
    Ok(())
}
