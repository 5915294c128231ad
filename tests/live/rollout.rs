//! Roll-outs and their revisions (S-3, S-4.6 ff.).

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{ResourceExt, api::ListParams};
use ordinal_tests::{Look, Outcome, world};
use serde_json::json;

use crate::sets::{SOON, Sets, image, set};

// also: S-10.4
#[tokio::test]
async fn s_3_9_a_canary_stays_above_the_partition() -> Outcome {
    let ns = world::namespace("canary").await?;
    ns.create_set(set("web", 3, json!({}))).await?;
    let first = ns.settled("web").await?["status"]["currentRevision"].clone();
    let mut patch = image("nginx:2");
    patch["spec"]["updateStrategy"] = json!({"rollingUpdate": {"partition": 2}});
    ns.patch_set("web", patch).await?;
    let status = ns.settled("web").await?["status"].clone();
    assert_eq!(ns.images("web").await?.values().collect::<Vec<_>>(), ["nginx:1", "nginx:1", "nginx:2"]);
    assert_eq!((&status["currentReplicas"], &status["updatedReplicas"]), (&json!(2), &json!(1)));
    assert_eq!(status["currentRevision"], first);

    ns.delete_pod("web-0").await?;
    ns.settled("web").await?;
    ns.eventually(SOON, "web-0 is back at the old image", async || {
        let images = ns.images("web").await?;
        Ok(Look::when(images.get("web-0").is_some_and(|i| i == "nginx:1"), || format!("{images:?}")))
    })
    .await?;

    ns.patch_set("web", json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})).await?;
    let status = ns.settled("web").await?["status"].clone();
    assert!(ns.images("web").await?.values().all(|i| i == "nginx:2"));
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    assert_ne!(status["currentRevision"], first);
    Ok(())
}

#[tokio::test]
async fn s_3_6_a_roll_back_uses_the_old_revision_again() -> Outcome {
    let ns = world::namespace("rollback").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    let first = ns.settled("web").await?["status"]["currentRevision"].clone();
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:1")).await?;
    let set = ns.settled("web").await?;
    assert_eq!(set["status"]["currentRevision"], first);
    let revisions = ns.api::<ControllerRevision>().list(&ListParams::default().labels("app=web")).await?;
    let mut numbers: Vec<_> = revisions.items.iter().map(|r| r.revision.unwrap_or(0)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3], "the first was renumbered, and there is no third");
    Ok(())
}

#[tokio::test]
async fn s_4_6_on_delete_waits_for_somebody_to_delete() -> Outcome {
    let ns = world::namespace("on-delete").await?;
    ns.create_set(set("web", 2, json!({"updateStrategy": {"type": "OnDelete"}}))).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    assert!(ns.images("web").await?.values().all(|i| i == "nginx:1"));
    ns.delete_pod("web-1").await?;
    ns.eventually(SOON, "only web-1 is at the new image", async || {
        let images = ns.images("web").await?;
        Ok(Look::when(images.values().eq(["nginx:1", "nginx:2"]), || format!("{images:?}")))
    })
    .await?;
    Ok(())
}

// also: N-5
#[tokio::test]
async fn o_13_writing_out_a_default_restarts_nothing() -> Outcome {
    let ns = world::namespace("defaults").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    let before = ns.settled("web").await?;
    let uids = ns.uids("web").await?;
    let container = json!({"name": "main", "image": "nginx:1", "imagePullPolicy": "IfNotPresent", "resources": {}});
    let spec = json!({"containers": [container], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30});
    ns.patch_set("web", json!({"spec": {"template": {"spec": spec}}})).await?;
    let after = ns.settled("web").await?;
    assert_eq!(after["status"]["updateRevision"], before["status"]["updateRevision"]);
    assert_eq!(ns.uids("web").await?, uids);
    Ok(())
}

#[tokio::test]
async fn o_2_a_field_that_ordinal_does_not_know_reaches_the_revision() -> Outcome {
    let ns = world::namespace("unknown-field").await?;
    let mut object = set("web", 1, json!({}));
    object["spec"]["template"]["spec"]["fieldOfTomorrow"] = json!({"depth": [1, 2]});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    let revisions = ns.api::<ControllerRevision>().list(&ListParams::default().labels("app=web")).await?;
    let data = revisions.items[0].data.0.clone();
    assert_eq!(data["spec"]["template"]["spec"]["fieldOfTomorrow"], json!({"depth": [1, 2]}));
    assert_eq!(revisions.items[0].owner_references()[0].kind, "OrdinalSet");
    Ok(())
}

// also: N-12
#[tokio::test]
async fn o_4_a_revision_that_the_server_refuses_costs_no_pod() -> Outcome {
    let ns = world::namespace("refused").await?;
    let enforce = "pod-security.kubernetes.io/enforce=baseline";
    ns.kubectl().ok(["label", "namespace", ns.name(), enforce]).await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let uids = ns.uids("web").await?;
    ns.patch_set("web", json!({"spec": {"template": {"spec": {"hostNetwork": true}}}})).await?;
    let message = ns.condition("web", "Stalled", "True", "PodRejected").await?;
    assert!(message.contains("violates PodSecurity"), "{message}");
    assert_eq!(ns.uids("web").await?, uids, "no pod is deleted for it");
    ns.eventually(SOON, "an event has the server's words", async || {
        let notes = ns.notes("web", "PodRejected").await?;
        Ok(Look::when(notes.iter().any(|n| n.contains("violates PodSecurity")), || format!("{notes:?}")))
    })
    .await?;
    let mut mended = image("nginx:2");
    mended["spec"]["template"]["spec"]["hostNetwork"] = json!(null);
    ns.patch_set("web", mended).await?;
    ns.settled("web").await?;
    assert!(ns.images("web").await?.values().all(|i| i == "nginx:2"));
    Ok(())
}
