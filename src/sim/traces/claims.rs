//! Claims under the retention policy.

use super::{settle, settled};
use crate::{
    cluster::Cluster,
    hands::{acts, condemned, gone, owners},
    kubelet,
    stories::{replicas, with_claim},
};
use serde_json::{Value, json};

fn deleting_both(policy: &str) -> Cluster {
    let mut spec = with_claim(3);
    spec["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    spec["podManagementPolicy"] = policy.into();
    settled(spec)
}

fn uid_of_claim(cluster: &Cluster, claim: &str) -> Value {
    cluster.claims[claim]["metadata"]["uid"].clone()
}

/// B-13: Delete and Delete, 3 to 2: the claim of a pod in range is the set's; before a condemned pod goes its claim becomes
/// its own, and is collected after it.
// also: S-5.6, S-5.7
#[test]
fn s_5_5_b_13_a_scaled_away_pod_takes_its_claim_along() {
    for policy in ["OrderedReady", "Parallel"] {
        let mut cluster = deleting_both(policy);
        assert_eq!(owners(&cluster, "data-web-2"), ["OrdinalSet web"]);
        cluster.edit(replicas(2));
        let mut expected = vec!["update owners of claim data-web-2: 1 off, Pod web-2 on".to_owned()];
        expected.extend(condemned(&["web-2"]));
        assert_eq!(acts(&cluster.pass()), expected, "{policy}: the claim first");
        assert_eq!(owners(&cluster, "data-web-2"), ["Pod web-2"]);
        kubelet::settle(&mut cluster);
        settle(&mut cluster);
        assert_eq!(cluster.claims.keys().collect::<Vec<_>>(), ["data-web-0", "data-web-1"], "{policy}");
    }
}

/// B-13 taken back after the pod is gone: nothing is made while its old claim is there; then pod and claim are new.
// also: S-5.7, S-12.13
#[test]
fn s_5_4_b_13_a_new_pod_waits_until_its_predecessors_claim_is_collected() {
    for policy in ["OrderedReady", "Parallel"] {
        let mut cluster = deleting_both(policy);
        let old = uid_of_claim(&cluster, "data-web-2");
        cluster.edit(replicas(2));
        cluster.pass();
        cluster.pods.remove("web-2").expect("web-2");
        cluster.edit(replicas(3));
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{policy}: the collector is not there yet:\n{plan}");
        assert_eq!(plan.status.blocked_pods[0].reason, "ClaimPending");
        cluster.collect_garbage();
        assert_eq!(
            acts(&cluster.pass()),
            ["create claim data-web-2", "create pod web-2 at the update revision"],
            "{policy}"
        );
        settle(&mut cluster);
        assert_ne!(uid_of_claim(&cluster, "data-web-2"), old);
        assert_eq!(owners(&cluster, "data-web-2"), ["OrdinalSet web"]);
    }
}

/// B-13 taken back while the pod terminates. Parallel gives the claim back to the set, and it is used again; OrderedReady
/// stops at the terminating pod, so the claim goes with it.
// also: S-5.7
#[test]
fn s_12_32_b_13_scale_down_taken_back_while_the_pod_terminates() {
    for (policy, kept) in [("OrderedReady", false), ("Parallel", true)] {
        let mut cluster = deleting_both(policy);
        let old = uid_of_claim(&cluster, "data-web-2");
        cluster.edit(replicas(2));
        cluster.pass();
        cluster.edit(replicas(3));
        let plan = cluster.pass();
        let owner = if kept { "OrdinalSet web" } else { "Pod web-2" };
        assert_eq!(owners(&cluster, "data-web-2"), [owner], "{policy}:\n{plan}");
        gone(&mut cluster, "web-2");
        assert_eq!(cluster.claims.contains_key("data-web-2"), kept, "{policy}");
        settle(&mut cluster);
        assert_eq!(uid_of_claim(&cluster, "data-web-2") == old, kept, "{policy}");
        assert_eq!(owners(&cluster, "data-web-2"), ["OrdinalSet web"], "{policy}");
    }
}
