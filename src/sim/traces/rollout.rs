//! Outdated pods replaced.

use super::{settle, settled};
use crate::{
    cluster::Cluster,
    hands::{acts, counters, created, gone, images, outdated, pod, ready, status},
    kubelet,
    stories::{broken, image, repaired, rolling, spec},
};
use serde_json::{Value, json};

fn ordered(replicas: i32, block: Value) -> Cluster {
    settled(spec(replicas, json!({"updateStrategy": rolling(block)})))
}

fn parallel(replicas: i32, strategy: Value) -> Cluster {
    settled(spec(replicas, json!({"podManagementPolicy": "Parallel", "updateStrategy": strategy})))
}

/// Three pods, of which web-2 was brought to a broken revision; then the template is repaired.
fn half_broken(policy: &str) -> Cluster {
    let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
    cluster.edit(broken("bad"));
    settle(&mut cluster);
    assert_eq!(images(&cluster), "web-0:a web-1:a web-2:bad");
    cluster.edit(repaired("fix"));
    cluster
}

/// Three pods on their way from a to b, of which only the first is still to come.
fn all_but_the_first(cluster: &mut Cluster) {
    for _ in 0..100 {
        if images(cluster) == "web-0:a web-1:b web-2:b" {
            return;
        }
        cluster.pass();
        kubelet::settle(cluster);
    }
    panic!("it does not come to the first pod last, but to {}", images(cluster));
}

/// B-5: partition 3 of 5: web-4, then web-3 are replaced, each available before the next; the others stay, and one deleted by
/// hand comes back as it was. Counters are of the pods seen (O-12). Partition 0 does the rest from the top, and completes.
// also: S-4.7, S-4.17, S-12.16, O-12, S-6.7
#[test]
fn s_3_9_b_5_a_partition_keeps_the_pods_below_it() {
    let mut cluster = ordered(5, json!({"partition": 3}));
    let old = status(&cluster).current_revision;
    cluster.edit(image("b"));
    let plan = cluster.pass();
    assert_eq!(acts(&plan), outdated(&["web-4"]));
    assert_eq!(counters(&plan.status), [5, 5, 5, 5, 0], "as seen before the deletion");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), created(&["web-4"]));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "web-4 is to be available first:\n{plan}");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), outdated(&["web-3"]));
    settle(&mut cluster);
    assert_eq!(images(&cluster), "web-0:a web-1:a web-2:a web-3:b web-4:b");
    let now = status(&cluster);
    assert_eq!(counters(&now), [5, 5, 5, 3, 2]);
    assert_eq!((now.current_revision == old, now.update_revision == old), (true, false));
    assert!(now.updated_replicas >= 5 - 3, "so `kubectl rollout status` says that it is done (S-10.4)");

    cluster.delete_pod("web-1");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["create pod web-1 at the current revision"]);
    settle(&mut cluster);
    assert_eq!(images(&cluster), "web-0:a web-1:a web-2:a web-3:b web-4:b");

    cluster.edit(|set| set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0.into());
    for next in ["web-2", "web-1", "web-0"] {
        assert_eq!(acts(&cluster.pass()), outdated(&[next]));
        kubelet::settle(&mut cluster);
        assert_eq!(acts(&cluster.pass()), created(&[next]));
        kubelet::settle(&mut cluster);
    }
    let now = cluster.pass().status;
    assert_eq!(counters(&now), [5; 5]);
    assert_eq!(now.current_revision, now.update_revision);
    assert_ne!(now.current_revision, old);
}

/// B-6: OrderedReady never replaces the pod of a broken revision by itself, even when a repaired template is there; deleted by
/// hand it comes back repaired, and the roll-out goes on.
// also: S-12.1
#[test]
fn s_4_13_b_6_a_broken_roll_out_waits_for_a_person() {
    let mut cluster = half_broken("OrderedReady");
    for _ in 0..3 {
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{plan}");
        assert_eq!(plan.wait.map(|w| w.pod), Some("web-2".into()));
        cluster.wait(k8s_openapi::jiff::SignedDuration::from_hours(1));
    }
    assert_eq!(images(&cluster), "web-0:a web-1:a web-2:bad");
    cluster.delete_pod("web-2");
    kubelet::settle(&mut cluster);
    for next in ["web-2", "web-1", "web-0"] {
        assert_eq!(acts(&cluster.pass()), created(&[next]));
        kubelet::settle(&mut cluster);
        let then: &[&str] = match next {
            "web-2" => &["web-1"],
            "web-1" => &["web-0"],
            _ => &[],
        };
        assert_eq!(acts(&cluster.pass()), outdated(then), "{next} is available");
        kubelet::settle(&mut cluster);
    }
    assert_eq!(images(&cluster), "web-0:fix web-1:fix web-2:fix");
}

/// B-7, B-8 as 1.37 has them: Parallel repairs a broken roll-out by itself: the broken outdated pod goes beside the budget,
/// which is used up by it; the healthy ones follow when it is back.
// also: S-12.3, S-4.13, O-8
#[test]
fn s_4_9_b_7_b_8_parallel_replaces_the_broken_pod_by_itself() {
    let mut cluster = half_broken("Parallel");
    for next in ["web-2", "web-1", "web-0"] {
        assert_eq!(acts(&cluster.pass()), outdated(&[next]));
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "one is unavailable, and it is not outdated:\n{plan}");
        kubelet::settle(&mut cluster);
        assert_eq!(acts(&cluster.pass()), created(&[next]));
        kubelet::settle(&mut cluster);
    }
    let now = cluster.pass().status;
    assert_eq!((counters(&now), now.current_revision == now.update_revision), ([3; 5], true));
}

/// B-9: OrderedReady with a budget of two deletes two at once, but makes them again one by one from the lower one, and deletes
/// no more until both are back.
// also: O-8
#[test]
fn s_4_8_b_9_ordered_spends_its_whole_budget_at_once() {
    let mut cluster = ordered(5, json!({"maxUnavailable": 2}));
    cluster.edit(image("b"));
    for (going, coming) in
        [(&["web-4", "web-3"][..], &["web-3", "web-4"][..]), (&["web-2", "web-1"], &["web-1", "web-2"])]
    {
        assert_eq!(acts(&cluster.pass()), outdated(going));
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{} is terminating:\n{plan}", coming[0]);
        kubelet::settle(&mut cluster);
        for next in coming {
            assert_eq!(acts(&cluster.pass()), created(&[next]));
            let plan = cluster.pass();
            assert!(acts(&plan).is_empty(), "{next} is to be available first:\n{plan}");
            kubelet::settle(&mut cluster);
        }
    }
    assert_eq!(acts(&cluster.pass()), outdated(&["web-0"]));
}

/// B-10: Parallel with a budget of two, web-0 outdated and not ready: it goes beside the budget, and one more within; then
/// one of the two has to be available before the next goes.
// also: O-8
#[test]
fn s_4_9_b_10_broken_outdated_pods_go_beside_the_budget() {
    let mut cluster = parallel(5, rolling(json!({"maxUnavailable": 2})));
    kubelet::sicken(&mut cluster, "web-0");
    cluster.edit(image("b"));
    assert_eq!(acts(&cluster.pass()), outdated(&["web-0", "web-4"]));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "two are unavailable, none of them in need:\n{plan}");
    gone(&mut cluster, "web-4");
    assert_eq!(acts(&cluster.pass()), created(&["web-4"]));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "still two:\n{plan}");
    ready(&mut cluster, "web-4");
    assert_eq!(acts(&cluster.pass()), outdated(&["web-3"]), "web-0 is still terminating, so one more");
    settle(&mut cluster);
    assert_eq!(images(&cluster), "web-0:b web-1:b web-2:b web-3:b web-4:b");
}

/// B-11 as O-12 leaves it: a roll-out by `type: RollingUpdate` alone. Whichever pod is lost, seen terminating or not, comes
/// back at the update revision.
// also: S-3.9
#[test]
fn o_12_b_11_without_a_block_a_lost_pod_comes_back_at_the_update_revision() {
    for (lost, seen_terminating) in [("web-0", true), ("web-1", true), ("web-0", false), ("web-1", false)] {
        let mut cluster = settled(spec(3, json!({"updateStrategy": {"type": "RollingUpdate"}})));
        cluster.edit(image("b"));
        cluster.pass();
        kubelet::settle(&mut cluster);
        cluster.pass();
        kubelet::settle(&mut cluster);
        assert_eq!(images(&cluster), "web-0:a web-1:a web-2:b");
        if seen_terminating {
            cluster.delete_pod(lost);
            assert!(acts(&cluster.pass()).is_empty());
        }
        gone(&mut cluster, lost);
        assert_eq!(acts(&cluster.pass()), created(&[lost]), "seen terminating: {seen_terminating}");
        assert!(images(&cluster).contains(&format!("{lost}:b")), "{}", images(&cluster));
        settle(&mut cluster);
        assert_eq!(images(&cluster), "web-0:b web-1:b web-2:b");
    }
    // Lost as the only old one.
    let mut cluster = settled(spec(3, json!({"updateStrategy": {"type": "RollingUpdate"}})));
    cluster.edit(image("b"));
    all_but_the_first(&mut cluster);
    gone(&mut cluster, "web-0");
    assert_eq!(acts(&cluster.pass()), created(&["web-0"]));
}

/// B-12: the template of an older revision brings that revision to the front, under its name and without a new object; pods
/// still at it count as updated at once. With the roll-out unfinished both revisions are one from that pass on, and counters
/// stay those of the pods seen (O-12).
// also: S-4.17, O-12
#[test]
fn s_3_6_b_12_a_roll_back_brings_the_old_revision_to_the_front() {
    let mut cluster = settled(spec(3, json!({})));
    let first = status(&cluster).current_revision;
    cluster.edit(image("b"));
    settle(&mut cluster);
    let second = status(&cluster).current_revision;
    cluster.edit(image("a"));
    settle(&mut cluster);
    assert_eq!(status(&cluster).current_revision, first);
    assert_eq!(cluster.revisions.len(), 2, "no third revision");
    assert_eq!(
        (&cluster.revisions[&first]["revision"], &cluster.revisions[&second]["revision"]),
        (&json!(3), &json!(2))
    );

    // Amid a roll-out to b.
    cluster.edit(image("b"));
    for _ in 0..2 {
        cluster.pass();
        kubelet::settle(&mut cluster);
    }
    assert_eq!(images(&cluster), "web-0:a web-1:a web-2:b");
    cluster.edit(image("a"));
    let plan = cluster.pass();
    assert_eq!(acts(&plan), outdated(&["web-2"]));
    assert_eq!((&plan.status.current_revision, &plan.status.update_revision), (&first, &first));
    assert_eq!(counters(&plan.status), [3, 3, 3, 2, 2]);
    settle(&mut cluster);
    assert_eq!((images(&cluster).as_str(), cluster.revisions.len()), ("web-0:a web-1:a web-2:a", 2));
}

/// B-19 as O-12 leaves it: a pod of a revision between the current one and the update one is deleted, and no counter falls
/// below what was seen.
// also: S-12.6, S-6.4
#[test]
fn o_12_b_19_deleting_an_intermediate_revision_makes_no_negative_count() {
    let mut cluster = parallel(1, json!({"type": "RollingUpdate"}));
    cluster.edit(broken("b"));
    settle(&mut cluster);
    cluster.edit(repaired("c"));
    let plan = cluster.pass();
    assert_eq!(acts(&plan), outdated(&["web-0"]));
    assert_eq!(counters(&plan.status), [1, 0, 0, 0, 0]);
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [1; 5]);
}

/// B-20 as O-12 leaves it: Parallel without a block, web-0 vanishes amid a roll-out: it is made once, at the update revision,
/// and nothing is made and deleted in one pass.
// also: S-12.31, S-4.19
#[test]
fn o_12_b_20_no_slot_is_made_and_deleted_in_one_pass() {
    let mut cluster = parallel(3, json!({"type": "RollingUpdate"}));
    cluster.edit(image("b"));
    all_but_the_first(&mut cluster);
    gone(&mut cluster, "web-0");
    let plan = cluster.pass();
    assert_eq!(acts(&plan), created(&["web-0"]));
    assert_eq!(counters(&plan.status), [2, 2, 2, 0, 2]);
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [3; 5]);
}

/// B-22 as O-12 leaves it: Parallel without a block, web-0 broken before the roll-out: it goes once, comes back at the update
/// revision, and web-2 and web-1 follow: no live-lock.
// also: S-3.9, S-4.9
#[test]
fn o_12_b_22_a_broken_low_pod_does_not_live_lock_the_roll_out() {
    let mut cluster = parallel(3, json!({"type": "RollingUpdate"}));
    kubelet::sicken(&mut cluster, "web-0");
    cluster.edit(image("b"));
    for next in ["web-0", "web-2", "web-1"] {
        assert_eq!(acts(&cluster.pass()), outdated(&[next]));
        gone(&mut cluster, next);
        assert_eq!(acts(&cluster.pass()), created(&[next]));
        kubelet::settle(&mut cluster);
    }
    assert_eq!(images(&cluster), "web-0:b web-1:b web-2:b");
    let plan = cluster.pass();
    assert_eq!((acts(&plan).len(), counters(&plan.status)), (0, [3; 5]), "{plan}");
}

/// B-23 as O-5 leaves it: Parallel, an outdated pod that failed is deleted once in a pass, as a failed one; nothing is made in
/// its place yet.
// also: S-4.19
#[test]
fn o_5_b_23_an_outdated_pod_that_failed_is_deleted_once() {
    let mut cluster = parallel(3, json!({"type": "RollingUpdate"}));
    cluster.wait(k8s_openapi::jiff::SignedDuration::from_hours(1));
    kubelet::end(&mut cluster, "web-2", "Failed");
    cluster.edit(image("b"));
    assert_eq!(pod(&mut cluster, "web-2")["status"]["phase"], "Failed");
    assert_eq!(acts(&cluster.pass()), ["delete pod web-2: it failed"]);
    assert_eq!(acts(&cluster.pass()), created(&["web-2"]));
    assert!(images(&cluster).contains("web-2:b"), "{}", images(&cluster));
}

/// OnDelete replaces nothing by itself; what somebody deletes comes back at the update revision, and the last one completes.
// also: S-12.11, O-11
#[test]
fn s_4_6_on_delete_replaces_only_what_somebody_deletes() {
    let mut cluster = settled(spec(3, json!({"updateStrategy": {"type": "OnDelete"}})));
    cluster.edit(image("b"));
    settle(&mut cluster);
    assert_eq!(images(&cluster), "web-0:a web-1:a web-2:a");
    for pod in ["web-0", "web-1", "web-2"] {
        let before = status(&cluster);
        assert_ne!(before.current_revision, before.update_revision, "{pod} is still to go");
        cluster.delete_pod(pod);
        settle(&mut cluster);
        assert!(images(&cluster).contains(&format!("{pod}:b")), "{}", images(&cluster));
    }
    assert_eq!(status(&cluster).current_revision, status(&cluster).update_revision);
}
