//! Pods that end, that somebody else takes, that outlive their set.

use super::{settle, settled};
use crate::{
    cluster::Cluster,
    hands::{acts, counters, created, each, owner, pod, status},
    kubelet,
    stories::{image, spec},
};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::snapshot::Memory;
use serde_json::{Value, json};

/// B-16: an evicted pod is deleted, and made again by a later pass; OrderedReady lets the slots above wait.
// also: S-9.8, S-4.4
#[test]
fn s_4_16_b_16_an_evicted_pod_is_deleted_first_and_made_anew_later() {
    let mut cluster = settled(spec(3, json!({})));
    cluster.wait(SignedDuration::from_hours(1));
    kubelet::end(&mut cluster, "web-1", "Failed");
    cluster.edit(image("b"));
    assert_eq!(acts(&cluster.pass()), ["delete pod web-1: it failed"]);
    assert!(!cluster.pods.contains_key("web-1"), "it does not run, so the API server removes it at once");
    assert_eq!(acts(&cluster.pass()), created(&["web-1"]));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "outdated web-2 waits for web-1:\n{plan}");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["delete pod web-2: it is not at the update revision"]);
}

/// B-17: a label edit on web-1 sets it free, with its name taken; the slot waits, told in the status, until that pod is gone.
// also: S-2.5, N-2, N-4
#[test]
fn s_12_8_b_17_a_name_that_is_taken_is_waited_for_and_shown() {
    let mut cluster = settled(spec(2, json!({})));
    pod(&mut cluster, "web-1")["metadata"]["labels"]["app"] = "other".into();
    assert_eq!(acts(&cluster.pass()), ["release pod web-1"]);
    assert!(owner(pod(&mut cluster, "web-1")).is_null());
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "{plan}");
    let blocked = &plan.status.blocked_pods[0];
    assert_eq!((blocked.name.as_str(), blocked.reason.as_str()), ("web-1", "NameTaken"));
    assert_eq!(plan.status.replicas, 1, "it is not the set's any more");
    cluster.pods.remove("web-1");
    assert_eq!(acts(&cluster.pass()), created(&["web-1"]));
}

/// B-17, with the label put back instead: the pod is adopted again, and nothing restarts.
#[test]
fn s_2_5_b_17_a_label_put_back_brings_the_pod_back() {
    let mut cluster = settled(spec(2, json!({})));
    let uid = pod(&mut cluster, "web-1")["metadata"]["uid"].clone();
    pod(&mut cluster, "web-1")["metadata"]["labels"]["app"] = "other".into();
    cluster.pass();
    pod(&mut cluster, "web-1")["metadata"]["labels"]["app"] = "web".into();
    assert_eq!(acts(&cluster.pass()), ["adopt pod web-1"]);
    settle(&mut cluster);
    assert_eq!((counters(&status(&cluster)), &pod(&mut cluster, "web-1")["metadata"]["uid"]), ([2; 5], &uid));
}

/// The set is deleted with orphan propagation and made again, as another object: its dependents lost their owner.
pub(crate) fn delete_with_orphans_and_make_again(cluster: &mut Cluster) {
    let old = cluster.set["metadata"]["uid"].take();
    let new = format!("{}-again", old.as_str().unwrap_or_default());
    cluster.set["metadata"] =
        json!({"name": "web", "namespace": "ns", "uid": new, "generation": 1, "resourceVersion": "1000"});
    cluster.set.as_object_mut().expect("an object").remove("status");
    cluster.memory = Memory::default();
    let orphan = |object: &mut Value| {
        let owners = object["metadata"]["ownerReferences"].as_array_mut();
        owners.into_iter().for_each(|owners| owners.retain(|o| o["uid"] != old));
    };
    each(&mut cluster.pods, orphan);
    each(&mut cluster.revisions, orphan);
    each(&mut cluster.claims, orphan);
}

/// B-18: deleted with orphans and made again as it was: revisions and pods are adopted, the update revision is the old object
/// with its number, the current one is the same, and nothing restarts.
// also: S-3.11, S-3.7, N-5
#[test]
fn s_2_5_b_18_a_set_made_again_takes_its_orphans_back() {
    let mut cluster = settled(spec(3, json!({})));
    let (pods, revisions) = (cluster.pods.clone(), cluster.revisions.clone());
    delete_with_orphans_and_make_again(&mut cluster);
    let plan = cluster.pass();
    let revision = revisions.keys().next().expect("a revision");
    let mut expected = vec![format!("adopt revision {revision}")];
    expected.extend((0..3).map(|o| format!("adopt pod web-{o}")));
    assert_eq!(acts(&plan), expected);
    assert_eq!((&plan.status.current_revision, &plan.status.update_revision), (revision, revision));
    assert_eq!((plan.status.collision_count, counters(&plan.status)), (Some(0), [3; 5]));
    settle(&mut cluster);
    assert_eq!(cluster.revisions.len(), 1);
    assert_eq!(cluster.revisions[revision]["revision"], revisions[revision]["revision"], "its number stays");
    for (name, pod) in pods.iter() {
        assert_eq!(cluster.pods[name]["metadata"]["uid"], pod["metadata"]["uid"], "{name} restarted");
        assert_eq!(*owner(&cluster.pods[name]), "set-again");
    }
}

/// A pod that fails within a minute of its creation stays as evidence, each time twice as long.
// also: S-12.9
#[test]
fn o_7_a_pod_that_fails_at_once_waits_as_evidence() {
    let mut cluster = settled(spec(1, json!({})));
    let mut waits = Vec::new();
    for _ in 0..4 {
        kubelet::end(&mut cluster, "web-0", "Failed");
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{plan}");
        assert_eq!(plan.status.blocked_pods[0].reason, "FailingFast");
        let wait = plan.requeue_after.expect("a moment to look again");
        waits.push(wait.as_secs());
        cluster.wait(wait);
        assert_eq!(acts(&cluster.pass()), ["delete pod web-0: it failed"]);
        cluster.pass();
    }
    assert_eq!(waits, [1, 2, 4, 8]);
}

/// A set being deleted has its status written, whatever its spec and its pods ask for.
// also: S-4.15, S-4.2
#[test]
fn n_8_a_set_being_deleted_keeps_its_pods_and_has_its_status_written() {
    let mut cluster = settled(spec(3, json!({})));
    cluster.edit(|set| {
        set["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        set["spec"]["replicas"] = 1.into();
    });
    kubelet::end(&mut cluster, "web-0", "Failed");
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "{plan}");
    assert_eq!((plan.status.replicas, plan.status.ready_replicas), (3, 2));
}

/// A typing error in `replicas` costs a bounded pass.
#[test]
fn n_14_billions_of_replicas_cost_no_more_than_what_is_done() {
    for policy in ["OrderedReady", "Parallel"] {
        let mut cluster =
            Cluster::new(spec(i32::MAX, json!({"podManagementPolicy": policy, "ordinals": {"start": 5}})));
        let plan = ordinal_plan::plan(&cluster.snapshot());
        assert!(plan.actions().count() < 10_000);
        cluster.execute(&plan);
    }
}
