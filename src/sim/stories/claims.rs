//! Claims under a retention policy, and pods that wait for them.

use super::{edit, is_terminating, replicas, with_claim};
use crate::{cluster::Cluster, story::Story};
use serde_json::{Value, json};

fn retention(set: &mut Value, deleted: &str, scaled: &str) {
    set["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": deleted, "whenScaled": scaled});
}

fn scaled_away(policy: &str) -> Value {
    let mut set = with_claim(3);
    set["podManagementPolicy"] = policy.into();
    retention(&mut set, "Delete", "Delete");
    set
}

/// A pod that is nobody's mounts a claim: it cannot be collected meanwhile.
fn back_up(cluster: &mut Cluster) {
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-web-2"}});
    let pod = json!({
        "metadata": {"name": "backup", "namespace": "ns", "uid": "backup", "ownerReferences": []},
        "spec": {"nodeName": "node", "volumes": [volume]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    });
    cluster.pods.insert("backup".into(), pod);
}

// also: S-5.6, S-5.4, S-5.7, O-6
#[test]
fn s_5_5_scale_down_with_claims() {
    Story::of(
        "retention-delete",
        "whenScaled Delete: a claim goes with its pod, and a new pod waits until it is gone (S-5.5, S-5.4)",
        scaled_away("OrderedReady"),
    )
    .then("scaled to 1 while a back-up reads the claim of web-2", |cluster| {
        back_up(cluster);
        cluster.edit(replicas(1));
    })
    .then("scaled to 3: the claim of web-2 is still there", edit(replicas(3)))
    .then("the back-up is done, and the collector takes the claim", |cluster| {
        cluster.pods.remove("backup");
        cluster.collect_garbage();
    })
    .tell();
}

// also: S-5.7, S-4.4
#[test]
fn s_12_32_scale_up_while_a_pod_terminates_ordered() {
    Story::of("scale-down-taken-back", "whenScaled Delete, OrderedReady: scale-down taken back while the pod terminates: its claim goes with it (S-12.32)", scaled_away("OrderedReady"))
        .then("scaled to 2", edit(replicas(2)))
        .until(is_terminating("web-2"))
        .then("scaled to 3 again", edit(replicas(3)))
        .tell();
}

// also: S-5.7, S-4.4
#[test]
fn s_12_32_scale_up_while_a_pod_terminates_parallel() {
    Story::of(
        "scale-down-taken-back-parallel",
        "whenScaled Delete, Parallel: scale-down taken back while the pod terminates: its claim is kept (S-12.32)",
        scaled_away("Parallel"),
    )
    .then("scaled to 2", edit(replicas(2)))
    .until(is_terminating("web-2"))
    .then("scaled to 3 again", edit(replicas(3)))
    .tell();
}

// also: S-5.5, S-12.15
#[test]
fn s_5_7_a_policy_that_changes() {
    let policy =
        |deleted: &'static str, scaled: &'static str| edit(move |set| retention(&mut set["spec"], deleted, scaled));
    Story::of(
        "retention-changed",
        "A retention policy that changes is carried over to the claims of pods that are there (S-5.5, S-12.15)",
        with_claim(3),
    )
    .then("scaled to 2: the claim of web-2 stays, as nobody's", edit(replicas(2)))
    .then("whenDeleted Delete", policy("Delete", "Retain"))
    .then("whenScaled Delete too", policy("Delete", "Delete"))
    .then("scaled to 1", edit(replicas(1)))
    .then("both Retain again", policy("Retain", "Retain"))
    .tell();
}
