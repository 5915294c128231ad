//! Pods and revisions that come to the set, leave it, or outlive it.

use super::POLICIES;
use crate::{
    cluster::Cluster,
    hands::{acts, condemned, counters, each, names, outdated, owner, pod, status},
    kubelet,
    stories::{image, replicas, spec, with_claim},
    traces::{delete_with_orphans_and_make_again, settle, settled},
};
use serde_json::{Value, json};

/// A ready pod without owner.
fn stray(cluster: &mut Cluster, name: &str, labels: Value) {
    let now = cluster.now;
    let pod = json!({
        "metadata": {"name": name, "namespace": "ns", "uid": format!("stray-{name}"), "labels": labels,
            "annotations": {"by": "hand"}, "creationTimestamp": now, "ownerReferences": []},
        "spec": {"nodeName": "node", "containers": [{"name": "c", "image": "stray"}], "volumes": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}]},
    });
    cluster.pods.insert(name.to_owned(), pod);
}

// also: N-4, N-9
#[test]
fn s_2_5_adopted_is_what_matches_by_label_and_name_and_has_no_owner() {
    let mut cluster = settled(spec(1, json!({})));
    let now = cluster.now;
    stray(&mut cluster, "web-1", json!({"app": "web"}));
    stray(&mut cluster, "web-2", json!({"app": "other"}));
    stray(&mut cluster, "web-x-1", json!({"app": "web"}));
    stray(&mut cluster, "lonely", json!({"app": "web"}));
    stray(&mut cluster, "web-3", json!({"app": "web"}));
    pod(&mut cluster, "web-3")["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Boss", "name": "boss", "uid": "boss", "controller": true}]);
    stray(&mut cluster, "web-4", json!({"app": "web"}));
    pod(&mut cluster, "web-4")["metadata"]["deletionTimestamp"] = json!(now);
    cluster.edit(replicas(2));
    let plan = cluster.pass();
    assert_eq!(acts(&plan)[0], "adopt pod web-1");
    assert_eq!(acts(&plan).iter().filter(|a| a.starts_with("adopt")).count(), 1, "{plan}");
    for other in ["web-2", "web-x-1", "lonely", "web-4"] {
        assert!(owner(pod(&mut cluster, other)).is_null(), "{other}");
    }
    assert_eq!(*owner(pod(&mut cluster, "web-3")), "boss");
}

// also: S-2.5, S-4.5
#[test]
fn s_12_26_an_orphan_out_of_range_is_adopted_and_condemned() {
    let mut cluster = settled(spec(1, json!({})));
    stray(&mut cluster, "web-7", json!({"app": "web"}));
    let mut expected = vec!["adopt pod web-7".to_owned()];
    expected.extend(condemned(&["web-7"]));
    assert_eq!(acts(&cluster.pass()), expected);
}

// also: S-2.5, S-2.7, N-10
#[test]
fn s_2_5_an_adopted_pod_of_no_revision_is_outdated() {
    let mut cluster = settled(spec(2, json!({})));
    cluster.pods.remove("web-1");
    stray(&mut cluster, "web-1", json!({"app": "web", "mine": "kept"}));
    assert_eq!(acts(&cluster.pass())[0], "adopt pod web-1");
    let adopted = pod(&mut cluster, "web-1")["metadata"].clone();
    assert_eq!((&adopted["labels"]["mine"], &adopted["annotations"]["by"]), (&json!("kept"), &json!("hand")));
    assert!(!pod(&mut cluster, "web-1")["metadata"]["deletionTimestamp"].is_null(), "it goes for the update");
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [2; 5]);
}

#[test]
fn s_2_5_a_set_being_deleted_adopts_and_releases_nothing() {
    let mut cluster = settled(spec(2, json!({})));
    stray(&mut cluster, "web-2", json!({"app": "web"}));
    pod(&mut cluster, "web-1")["metadata"]["labels"]["app"] = "other".into();
    each(&mut cluster.revisions, |r| r["metadata"]["ownerReferences"] = json!([]));
    cluster.edit(|set| {
        set["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        replicas(5)(set);
    });
    let plan = cluster.pass();
    assert_eq!(plan.actions().count(), 0, "{plan}");
    assert_eq!(plan.status.replicas, 1, "what is still claimed is counted");
}

// also: S-4.15, S-4.2
#[test]
fn n_8_a_set_being_deleted_makes_no_pod_under_any_policy() {
    for policy in POLICIES {
        let mut set = with_claim(3);
        set["podManagementPolicy"] = policy.into();
        let mut cluster = settled(set);
        cluster.edit(|set| {
            set["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            image("b")(set);
        });
        for gone in ["web-1", "web-0", "web-2"] {
            cluster.pods.remove(gone);
            cluster.claims.remove(&format!("data-{gone}"));
            let plan = cluster.pass();
            assert!(acts(&plan).is_empty(), "{policy}, {gone} is gone:\n{plan}");
            let left = i32::try_from(names(&cluster).len()).expect("few");
            assert_eq!(plan.status.replicas, left, "{policy}");
        }
    }
}

// also: S-3.6, N-5
#[test]
fn s_3_11_orphan_revisions_are_adopted_before_any_pod() {
    let mut cluster = settled(spec(2, json!({})));
    cluster.edit(image("b"));
    settle(&mut cluster);
    let numbers = |c: &Cluster| c.revisions.values().map(|r| r["revision"].clone()).collect::<Vec<_>>();
    let before = numbers(&cluster);
    delete_with_orphans_and_make_again(&mut cluster);
    let plan = cluster.pass();
    let kinds: Vec<String> = acts(&plan).iter().map(|a| a.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(kinds, ["adopt revision", "adopt revision", "adopt pod", "adopt pod"], "{plan}");
    settle(&mut cluster);
    let owned = |r: &Value| *owner(r) == cluster.set["metadata"]["uid"];
    assert!(cluster.revisions.values().all(owned));
    assert_eq!(numbers(&cluster), before, "numbers stay");
}

// also: N-2, S-4.4, S-9.1
#[test]
fn s_4_4_a_pod_held_by_a_finalizer_is_not_replaced_however_long_it_takes() {
    for policy in POLICIES {
        let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
        cluster.delete_pod("web-1");
        let uid = pod(&mut cluster, "web-1")["metadata"]["uid"].clone();
        for _ in 0..3 {
            let plan = cluster.pass();
            assert!(acts(&plan).is_empty(), "{policy}:\n{plan}");
            cluster.wait(k8s_openapi::jiff::SignedDuration::from_hours(1));
        }
        assert_eq!(pod(&mut cluster, "web-1")["metadata"]["uid"], uid, "{policy}");
        let blocked = cluster.pass().status.blocked_pods;
        assert_eq!((blocked[0].name.as_str(), blocked[0].reason.as_str()), ("web-1", "Terminating"), "{policy}");
        kubelet::settle(&mut cluster);
        settle(&mut cluster);
        assert_eq!(counters(&status(&cluster)), [3; 5], "{policy}");
    }
}

// also: S-4.6
#[test]
fn s_2_5_pods_that_others_control_are_never_rolled_out() {
    let mut cluster = settled(spec(2, json!({})));
    pod(&mut cluster, "web-1")["metadata"]["ownerReferences"][0]["uid"] = "somebody".into();
    cluster.edit(|set| {
        image("b")(set);
        set["spec"]["podManagementPolicy"] = "Parallel".into();
        set["spec"]["updateStrategy"] = crate::stories::rolling(json!({"maxUnavailable": 2}));
    });
    assert_eq!(acts(&cluster.pass()), outdated(&["web-0"]), "a budget of two, but web-1 is not ours");
}
