//! What kubectl shows of a set, what it does with one, and what it refuses (S-10.2 to S-10.8).

use ordinal_tests::{Look, Outcome, world};
use serde_json::{Value, json};

use crate::sets::{SOON, Sets, image, set};

fn columns(line: &str) -> Vec<&str> {
    // Titles of two words are separated by one blank, columns by three at least.
    line.split("   ").map(str::trim).filter(|column| !column.is_empty()).collect()
}

/// As O-1 says: ready and desired are two columns, and images are not shown.
#[tokio::test]
async fn s_10_2_get_shows_what_is_ready_and_what_is_desired() -> Outcome {
    let ns = world::namespace("get").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    let revision = ns.settled("web").await?["status"]["updateRevision"].clone();
    ns.annotate_pod("web-1", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    ns.eventually(SOON, "one of two is ready", async || {
        let table = ns.kubectl().ok(["get", "ords"]).await?;
        let lines: Vec<_> = table.lines().map(columns).collect();
        assert_eq!(lines[0], ["NAME", "READY", "DESIRED", "AGE"], "{table}");
        Ok(Look::when(lines[1][..3] == ["web", "1", "2"], || table.clone()))
    })
    .await?;
    let table = ns.kubectl().ok(["get", "ordinalsets", "-o", "wide"]).await?;
    let lines: Vec<_> = table.lines().map(columns).collect();
    let titles = ["NAME", "READY", "DESIRED", "UPDATED", "AVAILABLE", "CURRENT REVISION", "UPDATE REVISION", "AGE"];
    let revision = revision.as_str().unwrap_or_default();
    assert_eq!(lines[0], titles, "{table}");
    assert_eq!(lines[1][..7], ["web", "1", "2", "2", "1", revision, revision], "{table}");
    // 0 is shown as such (O-1), also in the list of all kinds.
    ns.scale("web", 0).await?;
    ns.settled("web").await?;
    let all = ns.kubectl().ok(["get", "all", "--no-headers"]).await?;
    let line = all.lines().find(|l| l.starts_with("ordinalset.apps.ordinal.dev/web ")).unwrap_or_default();
    assert_eq!(columns(line)[1..3], ["0", "0"], "{all}");
    Ok(())
}

/// The generic dump of a custom resource (S-10.8), which has all of it, and the events.
#[tokio::test]
async fn s_10_3_describe_shows_spec_status_and_events() -> Outcome {
    let ns = world::namespace("describe").await?;
    let mut object = set("web", 1, json!({"serviceName": "web", "podManagementPolicy": "Parallel"}));
    object["metadata"]["annotations"] = json!({"note": "mine"});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    let told = ns
        .eventually(SOON, "the events are described", async || {
            let told = ns.kubectl().ok(["describe", "ords", "web"]).await?;
            Ok(if told.contains("SuccessfulCreate") { Look::Done(told) } else { Look::NotYet(told) })
        })
        .await?;
    let said: Vec<String> = told.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "Name: web",
        "Annotations: note: mine",
        "Kind: OrdinalSet",
        "Service Name: web",
        "Pod Management Policy: Parallel",
        "Replicas: 1",
        "Partition: 0",
        "Max Unavailable: 1",
        "When Deleted: Retain",
        "Image: nginx:1",
        "Ready Replicas: 1",
        "Type: Available",
        "Message: 1 of 1 pod available, 1 needed",
    ] {
        assert!(said.iter().any(|s| s == line), "{line:?} is missing: {told}");
    }
    let event = said.iter().find(|s| s.starts_with("Normal SuccessfulCreate")).cloned().unwrap_or_default();
    assert!(event.ends_with("ordinalset-controller Create Pod web-0 in OrdinalSet web successful"), "{told}");
    Ok(())
}

/// What `kubectl rollout restart` would do, which takes built-in kinds only: an annotation of the template.
#[tokio::test]
async fn s_10_7_the_restart_annotation_restarts_the_pods_in_order() -> Outcome {
    let ns = world::namespace("restart").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    let first = ns.settled("web").await?["status"]["updateRevision"].clone();
    let before = ns.uids("web").await?;
    let restarted = json!({"kubectl.kubernetes.io/restartedAt": "2026-11-21T15:00:00Z"});
    let patch = json!({"spec": {"template": {"metadata": {"annotations": restarted}}}}).to_string();
    ns.kubectl().ok(["patch", "ords", "web", "--type=merge", "--patch", &patch]).await?;
    let second = ns.settled("web").await?["status"]["updateRevision"].clone();
    assert_ne!(first, second, "a new revision, as of any changed template");
    let after = ns.uids("web").await?;
    assert!(before.iter().all(|(name, uid)| after.get(name).is_some_and(|now| now != uid)), "{before:?} {after:?}");
    // The same again within the same second changes nothing.
    ns.kubectl().ok(["patch", "ords", "web", "--type=merge", "--patch", &patch]).await?;
    assert_eq!(ns.settled("web").await?["status"]["updateRevision"], second);
    assert_eq!(ns.uids("web").await?, after);
    Ok(())
}

#[tokio::test]
async fn s_10_7_a_partition_above_all_ordinals_is_the_pause() -> Outcome {
    let ns = world::namespace("pause").await?;
    let partition = |partition: i32| json!({"updateStrategy": {"rollingUpdate": {"partition": partition}}});
    ns.create_set(set("web", 2, partition(2))).await?;
    ns.settled("web").await?;
    let before = ns.uids("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    let status = ns.settled("web").await?["status"].clone();
    assert_eq!((&status["updatedReplicas"], &status["currentReplicas"]), (&json!(0), &json!(2)));
    assert_eq!(ns.uids("web").await?, before, "nothing moves");
    ns.patch_set("web", json!({"spec": partition(0)})).await?;
    ns.settled("web").await?;
    assert!(ns.images("web").await?.values().all(|i| i == "nginx:2"), "it goes on");
    Ok(())
}

/// In kubectl's words. They take fixed kinds; what is there instead is S-10.4 to S-10.7 and the conditions (O-10).
#[tokio::test]
async fn s_10_8_rollout_refuses_a_kind_that_is_not_built_in() -> Outcome {
    let ns = world::namespace("rollout").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let before = ns.settled("web").await?;
    for verb in ["status", "history", "undo", "restart", "pause", "resume"] {
        let output = ns.kubectl().run(["rollout", verb, "ords/web"]).await?;
        let words = r#"no kind "OrdinalSet" is registered for version "apps.ordinal.dev/v1" in scheme"#;
        assert!(output.code == 1 && output.stderr.contains(words), "{verb}: {} {}", output.stdout, output.stderr);
    }
    assert_eq!(ns.set("web").await?["metadata"]["generation"], before["metadata"]["generation"], "nothing has changed");
    // What goes by `/scale` works, and so does what goes by the object.
    ns.kubectl().ok(["scale", "ords/web", "--replicas=2"]).await?;
    ns.kubectl().ok(["annotate", "ords/web", "note=mine"]).await?;
    ns.kubectl().ok(["label", "ords/web", "tier=front"]).await?;
    ns.members_are("web", &["web-0", "web-1"]).await?;
    Ok(())
}

/// Conditions are what scripts wait for; the built-in has none. (S-12.25; a paused flag and a deadline are still to come.)
#[tokio::test]
async fn s_12_25_kubectl_waits_for_conditions() -> Outcome {
    let ns = world::namespace("wait").await?;
    let mut object = set("web", 2, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/never-ready": "true"});
    ns.create_set(object).await?;
    let wait = async |what: &str, timeout: &str| {
        let (what, timeout) = (format!("--for={what}"), format!("--timeout={timeout}"));
        ns.kubectl().run(["wait", &what, "ords/web", &timeout]).await
    };
    for (what, holds) in
        [("condition=Progressing", true), ("condition=Available=False", true), ("condition=Available", false)]
    {
        let output = wait(what, if holds { "60s" } else { "1s" }).await?;
        assert_eq!(output.code == 0, holds, "{what}: {}{}", output.stdout, output.stderr);
    }
    ns.members_are("web", &["web-0"]).await?;
    ns.annotate_pod("web-0", json!({"test.ordinal.dev/never-ready": null})).await?;
    ns.members_are("web", &["web-0", "web-1"]).await?;
    ns.annotate_pod("web-1", json!({"test.ordinal.dev/never-ready": null})).await?;
    for what in [
        "condition=Available",
        "condition=Progressing=False",
        "condition=Stalled=False",
        "jsonpath={.status.readyReplicas}=2",
    ] {
        let output = wait(what, "60s").await?;
        assert_eq!(output.code, 0, "{what}: {}{}", output.stdout, output.stderr);
    }
    // Conditions say which spec they judge, so that an old answer is not taken for a new one.
    ns.patch_set("web", json!({"spec": {"minReadySeconds": 1}})).await?;
    let set = ns.settled("web").await?;
    let generation = &set["metadata"]["generation"];
    assert_eq!((generation, &set["status"]["observedGeneration"]), (&json!(2), &json!(2)));
    let conditions = set["status"]["conditions"].as_array().cloned().unwrap_or_default();
    assert!(conditions.iter().all(|c| &c["observedGeneration"] == generation), "{}", Value::Array(conditions));
    Ok(())
}
