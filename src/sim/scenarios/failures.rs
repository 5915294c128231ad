//! Pods that end, and writes that the API server fails.

use super::{POLICIES, faults::pass_failing};
use crate::{
    cluster::Cluster,
    hands::{acts, condemned, counters, created, images, names, outdated, pod, status},
    kubelet,
    stories::{image, replicas, rolling, spec, with_claim},
    traces::{settle, settled},
};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::action::Action;
use serde_json::json;

fn deletes(action: &Action) -> bool {
    matches!(action, Action::DeletePod { .. })
}

/// Three pods, an hour old, of which web-1 ended.
fn one_ended(policy: &str, phase: &str) -> Cluster {
    let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
    cluster.wait(SignedDuration::from_hours(1));
    kubelet::end(&mut cluster, "web-1", phase);
    cluster
}

const ENDS: [(&str, &str); 2] =
    [("Failed", "delete pod web-1: it failed"), ("Succeeded", "delete pod web-1: it ended")];

// also: S-4.16, S-9.8
#[test]
fn s_4_4_an_ended_pod_is_deleted_once_and_made_again_after_it_is_gone() {
    for policy in POLICIES {
        for (phase, deletion) in ENDS {
            let mut cluster = one_ended(policy, phase);
            let uid = pod(&mut cluster, "web-1")["metadata"]["uid"].clone();
            assert_eq!(acts(&cluster.pass()), [deletion], "{policy}");
            assert_eq!(acts(&cluster.pass()), created(&["web-1"]), "{policy}: not in the pass that deletes");
            assert_ne!(pod(&mut cluster, "web-1")["metadata"]["uid"], uid);
            settle(&mut cluster);
            assert_eq!(counters(&status(&cluster)), [3; 5], "{policy}");
        }
    }
}

#[test]
fn s_4_4_nothing_is_made_while_the_deletion_of_an_ended_pod_fails() {
    for policy in POLICIES {
        for (phase, deletion) in ENDS {
            let mut cluster = one_ended(policy, phase);
            let uid = pod(&mut cluster, "web-1")["metadata"]["uid"].clone();
            for _ in 0..3 {
                let plan = pass_failing(&mut cluster, deletes);
                assert_eq!(acts(&plan), [deletion], "{policy}: one deletion, tried again");
                assert_eq!(pod(&mut cluster, "web-1")["metadata"]["uid"], uid);
            }
            settle(&mut cluster);
            assert_eq!(counters(&status(&cluster)), [3; 5], "{policy}");
        }
    }
}

// also: S-6.7
#[test]
fn s_4_1_a_creation_that_fails_leaves_the_status_written_and_is_tried_again() {
    for policy in POLICIES {
        let mut cluster = Cluster::new(spec(3, json!({"podManagementPolicy": policy})));
        for _ in 0..4 {
            pass_failing(&mut cluster, |a| matches!(a, Action::CreatePod { ordinal: 2, .. }));
            kubelet::settle(&mut cluster);
        }
        assert_eq!(names(&cluster), ["web-0", "web-1"], "{policy}");
        assert_eq!((status(&cluster).replicas, status(&cluster).ready_replicas), (2, 2), "{policy}");
        settle(&mut cluster);
        assert_eq!(counters(&status(&cluster)), [3; 5], "{policy}");
    }
}

// also: S-2.9, N-10
#[test]
fn s_2_7_a_repair_of_identity_that_fails_is_tried_again() {
    for policy in POLICIES {
        let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
        let labels = &mut pod(&mut cluster, "web-1")["metadata"]["labels"];
        labels["statefulset.kubernetes.io/pod-name"] = "web-7".into();
        labels["mine"] = "kept".into();
        for _ in 0..2 {
            let plan = pass_failing(&mut cluster, |a| matches!(a, Action::UpdatePod { .. }));
            assert_eq!(acts(&plan), ["repair labels of pod web-1"], "{policy}");
        }
        settle(&mut cluster);
        let labels = &pod(&mut cluster, "web-1")["metadata"]["labels"];
        assert_eq!((&labels["statefulset.kubernetes.io/pod-name"], &labels["mine"]), (&json!("web-1"), &json!("kept")));
    }
}

// also: S-6.1, S-6.5
#[test]
fn s_4_1_a_status_that_could_not_be_written_is_written_later() {
    let mut cluster = Cluster::new(spec(3, json!({})));
    for _ in 0..3 {
        let stored = cluster.set["status"].clone();
        cluster.pass();
        kubelet::settle(&mut cluster);
        cluster.set["status"] = stored;
    }
    assert_eq!(names(&cluster).len(), 3, "pods do not depend on it");
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [3; 5]);
    assert_eq!(cluster.revisions.len(), 1);
}

// also: O-12, S-6.4
#[test]
fn s_4_7_a_roll_outs_deletion_that_fails_counts_for_nothing() {
    for policy in POLICIES {
        let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
        cluster.edit(image("b"));
        for _ in 0..2 {
            let plan = pass_failing(&mut cluster, deletes);
            assert_eq!(acts(&plan), outdated(&["web-2"]), "{policy}");
            assert_eq!(counters(&status(&cluster)), [3, 3, 3, 3, 0], "{policy}");
            assert_eq!(cluster.revisions.len(), 2, "{policy}: the new revision is there");
        }
        assert_eq!(acts(&cluster.pass()), outdated(&["web-2"]));
        assert_eq!(counters(&cluster.pass().status), [3, 3, 3, 2, 0], "{policy}: seen terminating");
        settle(&mut cluster);
        assert_eq!(images(&cluster), "web-0:b web-1:b web-2:b", "{policy}");
    }
}

// also: S-4.1
#[test]
fn s_4_5_a_scale_downs_deletion_that_fails_is_tried_again() {
    for policy in POLICIES {
        let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
        cluster.edit(replicas(0));
        let plan = pass_failing(&mut cluster, deletes);
        assert_eq!(acts(&plan)[..1], condemned(&["web-2"]), "{policy}");
        assert_eq!((names(&cluster).len(), status(&cluster).replicas), (3, 3), "{policy}");
        settle(&mut cluster);
        assert_eq!(names(&cluster).len(), 0, "{policy}");
    }
}

// also: S-5.2
#[test]
fn s_4_11_a_failure_ends_parallel_creation_with_its_batch() {
    let mut cluster = Cluster::new(spec(10, json!({"podManagementPolicy": "Parallel"})));
    let plan = pass_failing(&mut cluster, |a| matches!(a, Action::CreatePod { ordinal: 1, .. }));
    assert_eq!(plan.actions().filter(|a| matches!(a, Action::CreatePod { .. })).count(), 10);
    assert_eq!(names(&cluster), ["web-0", "web-2"], "batches of 1, 2, 4: the second one ends it");
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [10; 5]);
}

// also: S-4.4
#[test]
fn s_5_3_the_claim_of_a_pending_pod_is_made_again() {
    for policy in POLICIES {
        let mut set = with_claim(2);
        set["podManagementPolicy"] = policy.into();
        let mut cluster = Cluster::new(set);
        cluster.pass();
        assert_eq!(pod(&mut cluster, "web-0")["status"]["phase"], "Pending");
        cluster.claims.remove("data-web-0").expect("the claim");
        assert_eq!(acts(&cluster.pass())[0], "create claim data-web-0", "{policy}");
        kubelet::settle(&mut cluster);
        cluster.claims.remove("data-web-0").expect("the claim");
        let plan = cluster.pass();
        assert!(!acts(&plan).contains(&"create claim data-web-0".to_owned()), "{policy}: it runs, so not\n{plan}");
    }
}

// also: S-6.3, O-14
#[test]
fn s_4_1_pods_that_are_let_in_are_counted_though_others_are_refused() {
    for policy in POLICIES {
        let mut cluster = Cluster::new(spec(4, json!({"podManagementPolicy": policy})));
        for refused in ["web-2", "web-3"] {
            cluster.refused.insert(refused.into(), "exceeded quota: pods".into());
        }
        for _ in 0..6 {
            cluster.pass();
            kubelet::settle(&mut cluster);
        }
        assert_eq!(counters(&status(&cluster))[..3], [2, 2, 2], "{policy}");
        cluster.refused.clear();
        settle(&mut cluster);
        assert_eq!(counters(&status(&cluster)), [4; 5], "{policy}");
    }
}

// also: S-4.16, S-4.17
#[test]
fn s_3_9_an_ended_pod_below_the_partition_comes_back_as_it_was() {
    for policy in POLICIES {
        let more = json!({"podManagementPolicy": policy, "updateStrategy": rolling(json!({"partition": 1}))});
        let mut cluster = settled(spec(2, more));
        cluster.edit(image("b"));
        settle(&mut cluster);
        assert_eq!(images(&cluster), "web-0:a web-1:b", "{policy}");
        cluster.wait(SignedDuration::from_hours(1));
        kubelet::end(&mut cluster, "web-0", "Failed");
        // A finalizer holds it: it terminates, and is neither replaced nor deleted twice.
        let until = cluster.now.checked_add(SignedDuration::from_secs(30)).expect("a time");
        pod(&mut cluster, "web-0")["metadata"]["deletionTimestamp"] = json!(until);
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{policy}:\n{plan}");
        cluster.pods.remove("web-0");
        settle(&mut cluster);
        assert_eq!(images(&cluster), "web-0:a web-1:b", "{policy}");
    }
}

// also: O-5, N-3
#[test]
fn s_12_30_a_deletion_decided_on_an_old_view_misses_a_fresh_pod_of_that_name() {
    let mut cluster = settled(spec(2, json!({})));
    cluster.edit(image("b"));
    let old = ordinal_plan::plan(&cluster.snapshot());
    assert_eq!(acts(&old), outdated(&["web-1"]));
    cluster.pass();
    settle(&mut cluster);
    let fresh = pod(&mut cluster, "web-1")["metadata"].clone();
    cluster.execute(&old);
    assert_eq!(pod(&mut cluster, "web-1")["metadata"], fresh, "a delayed deletion of its predecessor took it");
}
