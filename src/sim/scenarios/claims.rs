//! Whose the claims are, and pods that wait for them.

use super::{POLICIES, RETENTIONS, retain};
use crate::{
    cluster::Cluster,
    hands::{acts, created, owners, pod},
    kubelet,
    store::PVC_PROTECTION,
    stories::{replicas, with_claim},
    traces::{delete_with_orphans_and_make_again, settle, settled},
};
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

fn set(replicas: i32, policy: &str, (deleted, scaled): (&str, &str)) -> Value {
    let mut set = with_claim(replicas);
    set["podManagementPolicy"] = policy.into();
    retain(&mut set, deleted, scaled);
    set
}

fn reference(api_version: &str, kind: &str, name: &str, uid: &str, controller: bool) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": controller,
        "blockOwnerDeletion": true})
}

// also: S-5.6
#[test]
fn s_5_5_owners_in_range_and_condemned_under_each_policy() {
    let expected: [(&[&str], &[&str]); 4] = [
        (&[], &[]),
        (&[], &["Pod web-2"]),
        (&["OrdinalSet web"], &["OrdinalSet web"]),
        (&["OrdinalSet web"], &["Pod web-2"]),
    ];
    for policy in POLICIES {
        for (retention, (in_range, condemned)) in RETENTIONS.into_iter().zip(expected) {
            let mut cluster = settled(set(3, policy, retention));
            assert_eq!(owners(&cluster, "data-web-2"), in_range, "{policy}, {retention:?}, in range");
            cluster.edit(replicas(2));
            cluster.pass();
            assert!(!pod(&mut cluster, "web-2")["metadata"]["deletionTimestamp"].is_null());
            assert_eq!(owners(&cluster, "data-web-2"), condemned, "{policy}, {retention:?}, condemned");
            assert_eq!(owners(&cluster, "data-web-1"), in_range, "{policy}, {retention:?}, still in range");
        }
    }
}

/// What is there already, and what becomes of it in range, under each of the four policies.
// also: S-5.6, N-9, N-10
#[test]
fn s_5_5_references_that_are_there_already() {
    let ours = |uid: &str| reference("apps.ordinal.dev/v1", "OrdinalSet", "web", uid, true);
    let pods = |uid: &str| reference("v1", "Pod", "web-0", uid, true);
    let weak = reference("apps.ordinal.dev/v1", "OrdinalSet", "web", "set", false);
    let friend = reference("v1", "ConfigMap", "friend", "friend", false);
    let boss = reference("example.dev/v1", "Boss", "boss", "boss", true);
    let own = "OrdinalSet web";
    let both = |kept: &'static str| [vec![kept], vec![kept], vec![kept, own], vec![kept, own]];
    let table = [
        ("nothing", vec![], [vec![], vec![], vec![own], vec![own]]),
        ("the set", vec![ours("set")], [vec![], vec![], vec![own], vec![own]]),
        ("the pod", vec![pods("POD")], [vec![], vec![], vec![own], vec![own]]),
        ("set and pod", vec![ours("set"), pods("POD")], [vec![], vec![], vec![own], vec![own]]),
        ("the set, not as controller", vec![weak], [vec![], vec![], vec![own], vec![own]]),
        ("a friend", vec![friend], both("ConfigMap friend")),
        ("another controller", vec![boss.clone()], std::array::from_fn(|_| vec!["Boss boss"])),
        ("another controller and the set", vec![boss, ours("set")], std::array::from_fn(|_| vec!["Boss boss"])),
        ("a namesake of the set", vec![ours("old")], std::array::from_fn(|_| vec![own])),
        ("a namesake of the pod", vec![pods("old")], std::array::from_fn(|_| vec!["Pod web-0"])),
    ];
    for policy in POLICIES {
        for (what, before, after) in &table {
            for (retention, expected) in RETENTIONS.into_iter().zip(after) {
                let mut cluster = settled(set(1, policy, retention));
                let uid = pod(&mut cluster, "web-0")["metadata"]["uid"].clone();
                let mut before = before.clone();
                before.iter_mut().filter(|r| r["uid"] == "POD").for_each(|r| r["uid"] = uid.clone());
                cluster.claims.get_mut("data-web-0").expect("the claim")["metadata"]["ownerReferences"] = before.into();
                cluster.pass();
                assert_eq!(owners(&cluster, "data-web-0"), *expected, "{policy}, {retention:?}, there was {what}");
                let again = cluster.pass();
                assert!(acts(&again).is_empty(), "{policy}, {retention:?}, {what}: it goes on\n{again}");
            }
        }
    }
}

// also: S-5.6
#[test]
fn s_5_7_a_policy_that_changes_reaches_the_claims_of_pods_that_are_there() {
    for policy in POLICIES {
        for from in RETENTIONS {
            for to in RETENTIONS {
                let mut cluster = settled(set(2, policy, from));
                cluster.claims.remove("data-web-1");
                cluster.edit(|set| retain(&mut set["spec"], to.0, to.1));
                settle(&mut cluster);
                let expected: &[&str] = if to.0 == "Delete" { &["OrdinalSet web"] } else { &[] };
                assert_eq!(owners(&cluster, "data-web-0"), expected, "{policy}, {from:?} to {to:?}");
                assert!(!cluster.claims.contains_key("data-web-1"), "{policy}: a missing one is skipped");
            }
        }
    }
}

// also: S-3.11, S-5.5
#[test]
fn s_2_5_claims_of_adopted_pods_get_their_owners() {
    for policy in POLICIES {
        for retention in RETENTIONS {
            let mut cluster = settled(set(2, policy, retention));
            let claims: Vec<Value> = cluster.claims.values().map(|c| c["metadata"]["uid"].clone()).collect();
            delete_with_orphans_and_make_again(&mut cluster);
            for _ in 0..3 {
                cluster.pass();
            }
            for pod in ["web-0", "web-1"] {
                let expected: &[&str] = if retention.0 == "Delete" { &["OrdinalSet web"] } else { &[] };
                assert_eq!(owners(&cluster, &format!("data-{pod}")), expected, "{policy}, {retention:?}, {pod}");
            }
            let after: Vec<Value> = cluster.claims.values().map(|c| c["metadata"]["uid"].clone()).collect();
            assert_eq!(after, claims, "{policy}, {retention:?}");
        }
    }
}

/// A set without web-1, whose claim has these owners.
fn with_left_over(policy: &str, retention: (&str, &str), owners: Value) -> Cluster {
    let mut cluster = settled(set(2, policy, retention));
    cluster.pods.remove("web-1").expect("web-1");
    cluster.claims.get_mut("data-web-1").expect("its claim")["metadata"]["ownerReferences"] = owners;
    cluster
}

// also: S-12.13
#[test]
fn s_5_4_a_claim_is_stale_when_a_pod_of_that_name_owned_it() {
    let pod = reference("v1", "Pod", "web-1", "old", true);
    let weak = reference("v1", "Pod", "web-1", "old", false);
    let set = reference("apps.ordinal.dev/v1", "OrdinalSet", "web", "set", true);
    let other_pod = reference("v1", "Pod", "web-9", "old", true);
    let other_kind = reference("v2", "Pod", "web-1", "old", true);
    let table = [
        ("no owner", json!([]), false),
        ("the predecessor", json!([pod]), true),
        ("the predecessor, not as controller", json!([weak]), true),
        ("set and predecessor", json!([set, pod]), true),
        ("the set", json!([set]), false),
        ("another pod", json!([other_pod]), false),
        ("another kind of that name", json!([other_kind]), false),
    ];
    for policy in POLICIES {
        for (what, owners, stale) in &table {
            for (retention, waits) in [(("Retain", "Delete"), *stale), (("Retain", "Retain"), false)] {
                let mut cluster = with_left_over(policy, retention, owners.clone());
                let plan = cluster.pass();
                let made = acts(&plan).contains(&created(&["web-1"])[0]);
                assert_eq!(made, !waits, "{policy}, {retention:?}, {what}:\n{plan}");
            }
        }
    }
}

// also: S-5.2, S-12.13
#[test]
fn n_6_a_terminating_claim_is_waited_for() {
    for policy in POLICIES {
        let mut cluster = with_left_over(policy, ("Retain", "Retain"), json!([]));
        let old = cluster.claims["data-web-1"]["metadata"]["uid"].clone();
        let now = cluster.now;
        cluster.claims.get_mut("data-web-1").expect("its claim")["metadata"]["deletionTimestamp"] = json!(now);
        for _ in 0..3 {
            let plan = cluster.pass();
            assert!(acts(&plan).is_empty(), "{policy}:\n{plan}");
            let failures: Vec<String> = plan.failures.into_iter().map(|f| f.message).collect();
            assert_eq!(failures, ["pvc data-web-1 is being deleted"], "{policy}");
            cluster.wait(SignedDuration::from_secs(60));
        }
        cluster.claims.remove("data-web-1");
        let expected = ["create claim data-web-1", "create pod web-1 at the update revision"];
        assert_eq!(acts(&cluster.pass()), expected, "{policy}");
        assert_ne!(cluster.claims["data-web-1"]["metadata"]["uid"], old);
    }
}

// also: S-12.14, S-5.8
#[test]
fn s_5_2_a_claim_that_is_there_is_used_as_it_is() {
    let mut cluster = Cluster::new(set(1, "OrderedReady", ("Retain", "Retain")));
    let mine = json!({
        "metadata": {"name": "data-web-0", "uid": "mine", "labels": {"not": "ours"}, "finalizers": [PVC_PROTECTION]},
        "spec": {"storageClassName": "slow"}, "status": {"phase": "Bound"},
    });
    cluster.claims.insert("data-web-0".into(), mine.clone());
    assert_eq!(acts(&cluster.pass()), created(&["web-0"]));
    settle(&mut cluster);
    assert_eq!(cluster.claims["data-web-0"], mine, "neither changed nor replaced");
}

// also: S-5.8
#[test]
fn n_1_no_action_deletes_a_claim_whatever_becomes_of_the_pods() {
    let mut cluster = settled(set(3, "Parallel", ("Delete", "Delete")));
    let stranger = json!({
        "metadata": {"name": "data-web-9", "uid": "stranger", "labels": {"app": "web"}, "finalizers": [PVC_PROTECTION]},
        "status": {"phase": "Bound"},
    });
    cluster.claims.insert("data-web-9".into(), stranger.clone());
    for n in [0, 3, 1] {
        cluster.edit(replicas(n));
        let there: Vec<String> = cluster.claims.keys().cloned().collect();
        let plan = cluster.pass();
        assert!(there.iter().all(|c| cluster.claims.contains_key(c)), "to {n}: a pass took a claim away:\n{plan}");
        kubelet::settle(&mut cluster);
        settle(&mut cluster);
    }
    assert_eq!(cluster.claims["data-web-9"], stranger, "one that only has the set's labels is nobody's");
    assert_eq!(cluster.claims.keys().collect::<Vec<_>>(), ["data-web-0", "data-web-9"]);
}
