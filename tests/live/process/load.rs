//! What the operator costs the API server (O-14), and what its log is like.

use std::time::Duration;

use anyhow::{Context, Result};
use ordinal_tests::{ControlPlane, Identity, Operator, OperatorOptions, Options, Outcome};
use serde_json::{Value, json};

use super::without_sets;
use crate::sets::{SOON, Sets, claims, image, set};

/// The operator's calls from the `from`th on, but for its lease.
fn calls(control_plane: &ControlPlane, from: usize) -> Result<Vec<(String, String)>> {
    let calls = control_plane.calls(Identity::Operator)?.into_iter().skip(from);
    Ok(calls.map(|call| (call.verb, call.uri)).filter(|(_, uri)| !uri.contains("/leases")).collect())
}

// also: S-8.6
#[tokio::test]
async fn o_14_a_pass_reads_nothing_and_an_idle_operator_is_silent() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
    operator.says(SOON, &["leading"]).await?;
    let ns = control_plane.namespace("load").await?;
    // A pass comes after the caches are filled, and the log has their lists by then.
    ns.create_set(set("first", 0, json!({}))).await?;
    ns.settled("first").await?;
    let started = control_plane.calls(Identity::Operator)?.len();
    ns.create_set(set("db", 3, json!({"serviceName": "db", "volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    ns.patch_set("db", image("nginx:2")).await?;
    ns.settled("db").await?;
    ns.scale("db", 2).await?;
    ns.settled("db").await?;
    let made = calls(&control_plane, started)?;
    let read: Vec<_> = made.iter().filter(|(verb, _)| verb == "get" || verb == "list").collect();
    assert!(read.is_empty(), "a pass read {read:?}");
    let creations = made.iter().filter(|(verb, uri)| verb == "create" && uri.contains("/pods?")).count();
    // Three at first, three more and one dry run for the roll-out; the first revision may be tried as well.
    assert!((7..=8).contains(&creations), "{creations} creations of pods: {made:#?}");

    // The governing Service comes after 15 s; events and the last status write follow the state that was waited for.
    ns.condition("db", "ServiceReady", "True", "Found").await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let settled = control_plane.calls(Identity::Operator)?.len();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let idle = calls(&control_plane, settled)?;
    let busy: Vec<_> = idle.iter().filter(|(verb, _)| verb != "watch").collect();
    assert!(busy.is_empty(), "an idle operator made calls: {busy:?}");
    let renewals = control_plane.calls(Identity::Operator)?.len() - settled - idle.len();
    assert!(renewals > 0, "its lease is renewed, or this test would see nothing");
    Ok(())
}

#[tokio::test]
async fn a_log_in_json_has_an_object_per_line() -> Outcome {
    let control_plane = without_sets().await?;
    let args = ["--log-format=json", "--log-level=debug", "--lease-name=json"].map(str::to_owned).to_vec();
    let operator = Operator::start(control_plane, OperatorOptions { args, ..OperatorOptions::default() }).await?;
    operator.says(SOON, &["leading"]).await?;
    operator.says(SOON, &["caches are filled"]).await?;
    let log = operator.log_path();
    assert_eq!(operator.stop(SOON).await?, 0);
    let text = std::fs::read_to_string(log)?;
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).with_context(|| format!("this is no JSON: {line}"))?;
        for field in ["timestamp", "level", "message"] {
            assert!(entry[field].is_string(), "no {field} in {line}");
        }
    }
    assert!(text.lines().count() > 5, "{text}");
    Ok(())
}
