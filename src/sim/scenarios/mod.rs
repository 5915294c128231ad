//! Situations that found bugs in the built-in and in its peers, in our own words and structure.
//!
//! | situations | where |
//! |---|---|
//! | creation, scaling, replacement, under both policies and all retention policies | `control` |
//! | pods that end, writes that fail | `failures` |
//! | roll-outs, partitions, budgets, OnDelete, roll-back, history | `rolls` |
//! | `minReadySeconds` and timers | `availability` |
//! | owners of claims, stale claims, terminating claims | `claims` |
//! | adoption, release, deletion of the set, pods held by finalizers | `adoption` |
//! | bugs of peers | `peers` |
//!
//! Shown elsewhere: which events wake which set, the live read before an adoption, conflicts and retries of writes
//! (`tests/live`, `src/operator`); what admission refuses (`tests/live/admission`); batches in flight (`src/plan/scale.rs`,
//! `src/operator/executor.rs`); the pure tables of names, claims and pods (`src/plan`).

mod adoption;
mod availability;
mod claims;
mod control;
mod failures;
mod faults;
mod peers;
mod rolls;

use crate::{
    cluster::Cluster,
    hands::{names, owners},
    stories::with_claim,
};
use serde_json::{Value, json};

const POLICIES: [&str; 2] = ["OrderedReady", "Parallel"];

/// whenDeleted and whenScaled.
const RETENTIONS: [(&str, &str); 4] =
    [("Retain", "Retain"), ("Retain", "Delete"), ("Delete", "Retain"), ("Delete", "Delete")];

/// Sets with claims under each pod management policy and each retention policy, one that is not given included.
fn variants(replicas: i32) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for policy in POLICIES {
        let mut spec = with_claim(replicas);
        spec["podManagementPolicy"] = policy.into();
        all.push((policy.to_owned(), spec.clone()));
        for (deleted, scaled) in RETENTIONS {
            retain(&mut spec, deleted, scaled);
            all.push((format!("{policy}, whenDeleted {deleted}, whenScaled {scaled}"), spec.clone()));
        }
    }
    all
}

fn retain(spec: &mut Value, deleted: &str, scaled: &str) {
    spec["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": deleted, "whenScaled": scaled});
}

/// What holds for every pod of a set at any time: its identity, and the volume of its claim.
fn identities_hold(cluster: &Cluster, at: &str) {
    for (name, pod) in cluster.pods.iter() {
        let ordinal = name.strip_prefix("web-").expect("a pod of the set");
        let labels = &pod["metadata"]["labels"];
        assert_eq!(labels["statefulset.kubernetes.io/pod-name"], **name, "{at}");
        assert_eq!(labels["apps.kubernetes.io/pod-index"], *ordinal, "{at}");
        let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
        let mounted = volumes.iter().any(|v| v["persistentVolumeClaim"]["claimName"] == format!("data-{name}"));
        assert!(mounted, "{at}: {name} has volumes {volumes:?}");
        assert!(cluster.claims.contains_key(&format!("data-{name}")), "{at}: {name} has no claim");
    }
}

/// What holds for OrderedReady as long as nothing breaks: no gap below a pod, and no ready pod above one that is not.
fn order_holds(cluster: &Cluster, at: &str) {
    let is_ready = |pod: &Value| pod["status"]["conditions"][0]["status"] == "True";
    let mut all_ready = true;
    for (expected, (name, pod)) in cluster.pods.iter().enumerate() {
        assert_eq!(*name, format!("web-{expected}"), "{at}: a gap in {:?}", names(cluster));
        assert!(all_ready || !is_ready(pod), "{at}: {name} is ready, and one below it is not");
        all_ready &= is_ready(pod);
    }
}

/// At rest the claims of all slots have the owners that the policy asks for (S-5.5).
fn claims_are_owned(cluster: &Cluster, at: &str) {
    let deleted = &cluster.set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"];
    let expected: &[&str] = if deleted == "Delete" { &["OrdinalSet web"] } else { &[] };
    for name in cluster.pods.keys() {
        assert_eq!(owners(cluster, &format!("data-{name}")), expected, "{at}: claim of {name}");
    }
}
