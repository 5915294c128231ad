//! The status as it is stored (S-1.7), and who may write what into it (S-1.8).

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use ordinal_tests::{Namespace, Outcome, world};
use serde_json::{Value, json};

use super::refusal;
use crate::{
    admission::manifest::{NAME, namespace, set as bare},
    sets::{Sets, set},
};

const COUNTERS: [&str; 5] = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];

async fn write(ns: &Namespace, status: Value) -> kube::Result<()> {
    let patch = Patch::Merge(json!({"status": status}));
    ns.sets().patch_status(NAME, &PatchParams::default(), &patch).await.map(drop)
}

/// The status must be refused with all of these lines.
async fn refused(ns: &Namespace, status: Value, lines: &[&str]) -> Result<()> {
    // Older API servers tell the value's type in place of the value.
    let told =
        refusal(write(ns, status.clone()).await, 422)?.replace(r#""object": "#, "").replace(r#""integer": "#, "-1: ");
    assert!(lines.iter().all(|line| told.contains(line)), "{status} must be refused with {lines:?}, not {told}");
    Ok(())
}

/// The counters are there when they are 0 too (O-1); natively some are not.
#[tokio::test]
async fn s_1_7_every_field_is_there_once_the_status_is_written() -> Outcome {
    let ns = world::namespace("status").await?;
    ns.create_set(set("none", 0, json!({}))).await?;
    ns.create_set(set("two", 2, json!({"serviceName": "two"}))).await?;
    for (name, count) in [("none", 0), ("two", 2)] {
        let status = ns.settled(name).await?["status"].clone();
        for counter in COUNTERS {
            assert_eq!(status[counter], json!(count), "{counter} of {name}");
        }
        assert_eq!(status["observedGeneration"], 1, "{status}");
        assert_eq!(status["collisionCount"], 0, "{status}");
        assert_eq!(status["selector"], format!("app={name}"), "{status}");
        let (current, update) = (&status["currentRevision"], &status["updateRevision"]);
        assert!(current == update && current.as_str().is_some_and(|r| r.starts_with(name)), "{status}");
        let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        for field in ["type", "status", "reason", "message", "lastTransitionTime"] {
            assert!(conditions.iter().all(|c| c[field].is_string()), "{field} of {status}");
        }
        let natively = ["observedGeneration", "currentRevision", "updateRevision", "collisionCount", "conditions"];
        let known = [&COUNTERS[..], &natively, &["selector", "blockedPods"]].concat();
        let unknown: Vec<_> =
            status.as_object().into_iter().flat_map(|s| s.keys()).filter(|k| !known.contains(&k.as_str())).collect();
        assert!(unknown.is_empty(), "neither S-1.7 nor O-1 names {unknown:?}");
    }
    Ok(())
}

#[tokio::test]
async fn s_1_8_no_number_is_negative() -> Outcome {
    let ns = namespace().await?;
    ns.create_set(bare(json!({}))).await?;
    for number in COUNTERS.into_iter().chain(["observedGeneration", "collisionCount"]) {
        let line = format!("status.{number}: Invalid value: -1: must be greater than or equal to 0");
        refused(&ns, json!({number: -1}), &[&line]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn s_1_8_no_counter_exceeds_replicas() -> Outcome {
    let ns = namespace().await?;
    ns.create_set(bare(json!({}))).await?;
    for counter in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
        let mut status = json!({"replicas": 1, "readyReplicas": 1, counter: 2});
        let line = format!("status.{counter}: Invalid value: cannot be greater than status.replicas");
        refused(&ns, status.clone(), &[&line]).await?;
        // An absent number is 0.
        status["replicas"] = Value::Null;
        refused(&ns, status, &[&line]).await?;
    }
    write(
        &ns,
        json!({"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn s_1_8_available_pods_are_ready() -> Outcome {
    let ns = namespace().await?;
    ns.create_set(bare(json!({}))).await?;
    let line = "status.availableReplicas: Invalid value: cannot be greater than status.readyReplicas";
    refused(&ns, json!({"replicas": 2, "readyReplicas": 1, "availableReplicas": 2}), &[line]).await?;
    refused(&ns, json!({"replicas": 2, "readyReplicas": null, "availableReplicas": 2}), &[line]).await?;
    write(&ns, json!({"replicas": 2, "readyReplicas": 1, "availableReplicas": 1})).await?;
    Ok(())
}

#[tokio::test]
async fn s_1_8_the_collision_count_never_falls() -> Outcome {
    let ns = namespace().await?;
    ns.create_set(bare(json!({}))).await?;
    let line = "status.collisionCount: Invalid value";
    write(&ns, json!({"collisionCount": 0})).await?;
    refused(&ns, json!({"collisionCount": null}), &[line, "cannot be decremented"]).await?;
    write(&ns, json!({"collisionCount": 2})).await?;
    for fallen in [json!({"collisionCount": 1}), json!({"collisionCount": null}), Value::Null] {
        refused(&ns, fallen, &[line, "cannot be decremented"]).await?;
    }
    write(&ns, json!({"collisionCount": 2})).await?;
    write(&ns, json!({"collisionCount": 3})).await?;
    Ok(())
}

#[tokio::test]
async fn s_1_8_all_that_is_wrong_is_told_at_once() -> Outcome {
    let ns = namespace().await?;
    ns.create_set(bare(json!({}))).await?;
    let lines = ["status.replicas: Invalid value", "status.readyReplicas: Invalid value", "status.observedGeneration"];
    refused(&ns, json!({"replicas": -1, "readyReplicas": 5, "observedGeneration": -2}), &lines).await?;
    Ok(())
}
