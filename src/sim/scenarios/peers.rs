//! Bugs that peers had. Not here: what this product does not have (in-place updates, reserved ordinals, surge, feature
//! gates), and names of more than 52 characters (refused at admission).

use super::POLICIES;
use crate::{
    cluster::Cluster,
    hands::{acts, counters, created, images, outdated, pod, status},
    kubelet,
    stories::{broken, image, repaired, replicas, rolling, spec, with_claim},
    traces::{delete_with_orphans_and_make_again, settle, settled},
};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::snapshot::Memory;
use serde_json::json;

/// A claim template that a set made again has more: pods that run are neither deleted nor stop the others' claims.
// also: S-5.9, S-2.9
#[test]
fn s_2_8_a_new_claim_template_restarts_no_pod() {
    let mut cluster = settled(with_claim(2));
    let uid = pod(&mut cluster, "web-0")["metadata"]["uid"].clone();
    delete_with_orphans_and_make_again(&mut cluster);
    cluster.edit(|set| {
        set["spec"]["volumeClaimTemplates"] =
            json!([{"metadata": {"name": "data"}, "spec": {}}, {"metadata": {"name": "log"}, "spec": {}}]);
    });
    let plan = cluster.pass();
    assert!(acts(&plan).contains(&"create claim log-web-0".to_owned()), "{plan}");
    for _ in 0..3 {
        let plan = cluster.pass();
        assert!(acts(&plan).iter().all(|a| a.starts_with("repair") || a.starts_with("create claim")), "{plan}");
    }
    assert_eq!(pod(&mut cluster, "web-0")["metadata"]["uid"], uid);
}

/// Unavailable pods at lower ordinals count against the budget.
// also: O-8, S-4.9
#[test]
fn n_7_unavailable_pods_of_any_ordinal_count() {
    let block = json!({"maxUnavailable": 2});
    let more = json!({"podManagementPolicy": "Parallel", "updateStrategy": rolling(block)});
    let mut cluster = settled(spec(5, more));
    cluster.delete_pod("web-0");
    cluster.edit(image("b"));
    assert_eq!(acts(&cluster.pass()), outdated(&["web-4"]), "one of the two is web-0");
}

/// All old pods unready: Parallel gets out of it alone, OrderedReady by a person's hand.
// also: S-4.13, S-12.3, S-12.1
#[test]
fn s_4_9_all_old_pods_unready_does_not_hold_a_better_revision() {
    for policy in POLICIES {
        let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
        (0..3).for_each(|o| kubelet::sicken(&mut cluster, &format!("web-{o}")));
        cluster.edit(image("b"));
        settle(&mut cluster);
        if policy == "OrderedReady" {
            assert_eq!(images(&cluster), "web-0:a web-1:a web-2:a");
            (0..3).for_each(|o| cluster.delete_pod(&format!("web-{o}")));
            settle(&mut cluster);
        }
        assert_eq!(images(&cluster), "web-0:b web-1:b web-2:b", "{policy}");
        assert_eq!(counters(&status(&cluster)), [3; 5], "{policy}");
    }
}

/// A budget that comes to nothing, and a single replica, still roll out.
// also: S-4.8
#[test]
fn o_8_a_budget_of_nothing_means_one() {
    for policy in POLICIES {
        for (n, max) in [(3, json!("10%")), (1, json!("50%")), (1, json!(1)), (3, json!(null))] {
            let more =
                json!({"podManagementPolicy": policy, "updateStrategy": rolling(json!({"maxUnavailable": max}))});
            let mut cluster = settled(spec(n, more));
            cluster.edit(image("b"));
            assert_eq!(acts(&cluster.pass()).len(), 1, "{policy}: {max} of {n}");
            settle(&mut cluster);
            assert!(!images(&cluster).contains(":a"), "{policy}: {max} of {n}");
        }
    }
}

/// A crash right after a revision was made, before any status tells of it, makes no second one.
// also: S-3.6, S-12.17
#[test]
fn n_13_a_restart_makes_no_second_revision() {
    let mut cluster = settled(spec(2, json!({})));
    cluster.edit(image("b"));
    let stored = cluster.set["status"].clone();
    for _ in 0..3 {
        cluster.pass();
        cluster.memory = Memory::default();
        cluster.set["status"] = stored.clone();
    }
    assert_eq!(cluster.revisions.len(), 2);
    settle(&mut cluster);
    assert_eq!((cluster.revisions.len(), status(&cluster).collision_count), (2, Some(0)));
}

/// A revision in another serialisation, with the API server's defaults written out, is the same revision.
// also: N-5, S-12.12, S-3.5
#[test]
fn o_13_a_revision_written_with_defaults_is_no_roll_out() {
    let mut cluster = settled(spec(2, json!({})));
    let name = status(&cluster).current_revision;
    let revision = cluster.revisions.get_mut(&name).expect("the only revision");
    let template = &mut revision["data"]["spec"]["template"];
    template["metadata"]["creationTimestamp"] = json!(null);
    template["spec"]["restartPolicy"] = "Always".into();
    template["spec"]["terminationGracePeriodSeconds"] = 30.into();
    template["spec"]["dnsPolicy"] = "ClusterFirst".into();
    template["spec"]["securityContext"] = json!({});
    template["spec"]["schedulerName"] = "default-scheduler".into();
    template["spec"]["containers"][0]["resources"] = json!({});
    template["spec"]["containers"][0]["terminationMessagePath"] = "/dev/termination-log".into();
    template["spec"]["containers"][0]["terminationMessagePolicy"] = "File".into();
    template["spec"]["containers"][0]["imagePullPolicy"] = "Always".into();
    cluster.memory = Memory::default();
    let plan = cluster.pass();
    assert_eq!(plan.actions().count(), 0, "{plan}");
    cluster.edit(|set| set["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst".into());
    let plan = cluster.pass();
    assert_eq!(plan.actions().count(), 0, "a default written out is no change:\n{plan}");
}

/// The very first revision is broken: Parallel is repaired by the next one.
// also: S-12.3, S-4.13
#[test]
fn s_4_9_a_broken_first_revision_is_replaced_in_parallel() {
    let mut cluster = Cluster::new(spec(3, json!({"podManagementPolicy": "Parallel"})));
    cluster.edit(broken("a"));
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [3, 0, 0, 3, 3]);
    cluster.edit(repaired("b"));
    assert_eq!(acts(&cluster.pass()), outdated(&["web-2", "web-1", "web-0"]), "all are broken, so none is missed");
    settle(&mut cluster);
    assert_eq!((images(&cluster).as_str(), counters(&status(&cluster))), ("web-0:b web-1:b web-2:b", [3; 5]));
}

/// A quota that has no room for the pod that was deleted for the update: nothing more is deleted, and it goes on by itself
/// when there is room.
// also: S-4.12, S-4.1
#[test]
fn n_7_a_quota_that_stops_a_roll_out_costs_no_more_than_the_budget() {
    for policy in POLICIES {
        let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
        cluster.edit(image("b"));
        assert_eq!(acts(&cluster.pass()), outdated(&["web-2"]), "{policy}");
        kubelet::settle(&mut cluster);
        cluster.refused.insert("web-2".into(), "exceeded quota: pods".into());
        for _ in 0..5 {
            assert_eq!(acts(&cluster.pass()), created(&["web-2"]), "{policy}: tried again, and nothing else");
            assert_eq!(images(&cluster), "web-0:a web-1:a", "{policy}");
            cluster.wait(SignedDuration::from_secs(60));
        }
        cluster.refused.clear();
        settle(&mut cluster);
        assert_eq!(images(&cluster), "web-0:b web-1:b web-2:b", "{policy}");
    }
}

/// What others wrote on pods survives a set made again, repairs and scaling.
// also: S-2.5
#[test]
fn n_10_annotations_and_labels_of_others_survive() {
    let mut cluster = settled(spec(2, json!({})));
    pod(&mut cluster, "web-1")["metadata"]["annotations"] = json!({"out-of-band": "yes"});
    pod(&mut cluster, "web-1")["metadata"]["labels"]["mine"] = "too".into();
    let labels = pod(&mut cluster, "web-1")["metadata"]["labels"].as_object_mut().expect("labels");
    labels.remove("statefulset.kubernetes.io/pod-name").expect("the label");
    delete_with_orphans_and_make_again(&mut cluster);
    settle(&mut cluster);
    cluster.edit(replicas(3));
    settle(&mut cluster);
    let meta = &pod(&mut cluster, "web-1")["metadata"];
    assert_eq!((&meta["annotations"]["out-of-band"], &meta["labels"]["mine"]), (&json!("yes"), &json!("too")));
    assert_eq!(meta["labels"]["statefulset.kubernetes.io/pod-name"], "web-1", "and ours is put back");
}

/// A revision label that somebody rewrote makes a pod outdated, and later roll-outs work.
// also: S-4.7, S-6.3
#[test]
fn s_3_9_a_revision_label_rewritten_by_hand_does_not_break_later_roll_outs() {
    for policy in POLICIES {
        let mut cluster = settled(spec(2, json!({"podManagementPolicy": policy})));
        pod(&mut cluster, "web-1")["metadata"]["labels"]["controller-revision-hash"] = "by-hand".into();
        let plan = cluster.pass();
        assert_eq!(acts(&plan), outdated(&["web-1"]), "{policy}: of no revision we know");
        assert_eq!(counters(&plan.status), [2, 2, 2, 1, 1], "{policy}");
        settle(&mut cluster);
        cluster.edit(image("b"));
        settle(&mut cluster);
        assert_eq!((images(&cluster).as_str(), counters(&status(&cluster))), ("web-0:b web-1:b", [2; 5]), "{policy}");
    }
}

/// Identity labels of another ordinal are put right without a restart.
// also: S-2.9, S-2.3
#[test]
fn s_2_7_identity_labels_of_another_ordinal_are_put_right() {
    for policy in POLICIES {
        let mut cluster = settled(spec(2, json!({"podManagementPolicy": policy})));
        let uid = pod(&mut cluster, "web-1")["metadata"]["uid"].clone();
        let labels = &mut pod(&mut cluster, "web-1")["metadata"]["labels"];
        labels["statefulset.kubernetes.io/pod-name"] = "web-0".into();
        labels["apps.kubernetes.io/pod-index"] = "0".into();
        assert_eq!(acts(&cluster.pass()), ["repair labels of pod web-1"], "{policy}");
        let meta = &pod(&mut cluster, "web-1")["metadata"];
        assert_eq!(meta["labels"]["statefulset.kubernetes.io/pod-name"], "web-1", "{policy}");
        assert_eq!((&meta["labels"]["apps.kubernetes.io/pod-index"], &meta["uid"]), (&json!("1"), &uid), "{policy}");
    }
}
