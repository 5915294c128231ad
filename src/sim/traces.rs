//! The worked traces of the native specification (B-1 …), as O-11 and O-12 leave them.

use crate::{
    cluster::Cluster,
    kubelet,
    stories::{image, replicas, spec, with_claim},
};
use ordinal_plan::{Plan, action::Action};
use serde_json::json;

fn acts(plan: &Plan) -> Vec<String> {
    let uninteresting = |a: &&Action| !matches!(a, Action::CreateRevision { .. } | Action::TryPod { .. });
    plan.actions().filter(uninteresting).map(ToString::to_string).collect()
}

/// Passes and nodes in turn, until nothing moves.
pub(crate) fn settle(cluster: &mut Cluster) {
    for _ in 0..500 {
        let plan = cluster.pass();
        kubelet::settle(cluster);
        cluster.collect_garbage();
        if plan.actions().next().is_none() && cluster.snapshot().set.status == plan.status && cluster.pass() == plan {
            return;
        }
    }
    panic!("it does not come to rest: {}", cluster.pass());
}

fn settled(spec: serde_json::Value) -> Cluster {
    let mut cluster = Cluster::new(spec);
    settle(&mut cluster);
    cluster
}

fn set_image(cluster: &Cluster, pod: &str) -> String {
    cluster.pods[pod]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned()
}

// also: S-4.2, S-4.3, S-6.3
#[test]
fn s_4_4_ordered_create_makes_one_pod_at_a_time() {
    let mut cluster = Cluster::new(with_claim(3));
    let plan = cluster.pass();
    assert_eq!(acts(&plan), ["create claim data-web-0", "create pod web-0 at the update revision"]);
    assert_eq!(plan.status.replicas, 0, "what this pass made is not counted by it (S-6.7)");
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty() && plan.status.replicas == 1, "{plan}");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["create claim data-web-1", "create pod web-1 at the update revision"]);
    settle(&mut cluster);
    let status = cluster.snapshot().set.status.clone();
    assert_eq!((status.replicas, status.ready_replicas, status.updated_replicas), (3, 3, 3));
    assert_eq!(status.current_revision, status.update_revision);
}

#[test]
fn s_4_14_an_unready_slot_blocks_scale_down() {
    let mut cluster = settled(spec(3, json!({})));
    kubelet::sicken(&mut cluster, "web-0");
    cluster.edit(replicas(1));
    assert!(acts(&cluster.pass()).is_empty());
    cluster.pods.get_mut("web-0").expect("web-0").as_object_mut().expect("an object").remove("sick");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["delete pod web-2: its ordinal is out of range"]);
    assert!(acts(&cluster.pass()).is_empty(), "web-1 waits until web-2 is gone");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["delete pod web-1: its ordinal is out of range"]);
}

#[test]
fn s_4_5_the_first_unavailable_condemned_pod_goes_at_once() {
    let mut cluster = settled(spec(3, json!({})));
    kubelet::sicken(&mut cluster, "web-2");
    cluster.edit(replicas(2));
    assert_eq!(acts(&cluster.pass()), ["delete pod web-2: its ordinal is out of range"]);
}

#[test]
fn s_12_4_two_unhealthy_condemned_pods_block_scale_down() {
    let mut cluster = settled(spec(4, json!({})));
    kubelet::sicken(&mut cluster, "web-2");
    kubelet::sicken(&mut cluster, "web-3");
    cluster.edit(replicas(2));
    assert!(acts(&cluster.pass()).is_empty());
    cluster.delete_pod("web-2");
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["delete pod web-3: its ordinal is out of range"]);
}

// also: S-12.16
#[test]
fn s_3_9_a_pod_below_the_partition_comes_back_at_the_current_revision() {
    let strategy = json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}});
    let mut cluster = settled(spec(5, strategy));
    cluster.edit(image("b"));
    assert_eq!(acts(&cluster.pass()), ["delete pod web-4: it is not at the update revision"]);
    settle(&mut cluster);
    cluster.delete_pod("web-1");
    settle(&mut cluster);
    let images: Vec<String> = (0..5).map(|o| set_image(&cluster, &format!("web-{o}"))).collect();
    assert_eq!(images, ["a", "a", "a", "b", "b"]);
    let status = cluster.snapshot().set.status.clone();
    assert_eq!((status.current_replicas, status.updated_replicas), (3, 2));
    cluster.edit(|set| set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0.into());
    settle(&mut cluster);
    let status = cluster.snapshot().set.status.clone();
    assert_eq!((status.current_replicas, status.updated_replicas), (5, 5));
    assert_eq!(status.current_revision, status.update_revision);
}

#[test]
fn s_4_8_ordered_spends_its_whole_budget_at_once() {
    let strategy = json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}});
    let mut cluster = settled(spec(5, strategy));
    cluster.edit(image("b"));
    let expected = ["web-4", "web-3"].map(|p| format!("delete pod {p}: it is not at the update revision"));
    assert_eq!(acts(&cluster.pass()), expected);
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["create pod web-3 at the update revision"]);
    assert!(acts(&cluster.pass()).is_empty());
}

// also: O-8
#[test]
fn s_4_9_broken_outdated_pods_go_beside_the_budget() {
    let more = json!({
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}},
    });
    let mut cluster = settled(spec(5, more));
    kubelet::sicken(&mut cluster, "web-0");
    cluster.edit(image("b"));
    let expected = ["web-0", "web-4"].map(|p| format!("delete pod {p}: it is not at the update revision"));
    assert_eq!(acts(&cluster.pass()), expected);
    assert!(acts(&cluster.pass()).is_empty(), "two are unavailable, and none of them is outdated");
}

// also: S-12.11
#[test]
fn s_4_6_on_delete_replaces_only_what_somebody_deletes() {
    let mut cluster = settled(spec(3, json!({"updateStrategy": {"type": "OnDelete"}})));
    cluster.edit(image("b"));
    settle(&mut cluster);
    assert_eq!(set_image(&cluster, "web-1"), "a");
    for pod in ["web-0", "web-1", "web-2"] {
        cluster.delete_pod(pod);
        settle(&mut cluster);
        assert_eq!(set_image(&cluster, pod), "b");
    }
    let status = cluster.snapshot().set.status.clone();
    assert_eq!(status.current_revision, status.update_revision, "OnDelete completes too (O-11)");
}

#[test]
fn s_3_6_a_roll_back_brings_the_old_revision_to_the_front() {
    let mut cluster = settled(spec(3, json!({})));
    let first = cluster.snapshot().set.status.current_revision.clone();
    cluster.edit(image("b"));
    settle(&mut cluster);
    cluster.edit(image("a"));
    settle(&mut cluster);
    assert_eq!(cluster.snapshot().set.status.current_revision, first);
    assert_eq!(cluster.revisions.len(), 2, "no third revision");
    assert_eq!(cluster.revisions[&first]["revision"], 3);
}

// also: S-5.4, S-5.7
#[test]
fn s_5_5_a_scaled_away_pod_takes_its_claim_along() {
    let mut spec = with_claim(3);
    spec["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    let mut cluster = settled(spec);
    let owner = |c: &Cluster| c.claims["data-web-2"]["metadata"]["ownerReferences"][0]["kind"].clone();
    assert_eq!(owner(&cluster), "OrdinalSet");
    cluster.edit(replicas(2));
    cluster.pass();
    assert_eq!(owner(&cluster), "Pod");
    settle(&mut cluster);
    assert_eq!(cluster.claims.keys().collect::<Vec<_>>(), ["data-web-0", "data-web-1"]);
}

// also: S-9.8
#[test]
fn s_4_16_a_failed_pod_is_deleted_first_and_made_anew_later() {
    let mut cluster = settled(spec(3, json!({})));
    cluster.wait(k8s_openapi::jiff::SignedDuration::from_secs(3600));
    kubelet::end(&mut cluster, "web-1", "Failed");
    assert_eq!(acts(&cluster.pass()), ["delete pod web-1: it failed"]);
    assert_eq!(acts(&cluster.pass()), ["create pod web-1 at the update revision"]);
}

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

// also: S-2.5
#[test]
fn s_12_8_a_name_that_is_taken_is_waited_for_and_shown() {
    let mut cluster = settled(spec(2, json!({})));
    cluster.pods.get_mut("web-1").expect("web-1")["metadata"]["labels"]["app"] = "other".into();
    assert_eq!(acts(&cluster.pass()), ["release pod web-1"]);
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "{plan}");
    assert_eq!(
        (plan.status.blocked_pods[0].name.as_str(), plan.status.blocked_pods[0].reason.as_str()),
        ("web-1", "NameTaken")
    );
    cluster.pods.remove("web-1");
    assert_eq!(acts(&cluster.pass()), ["create pod web-1 at the update revision"]);
}

#[test]
fn o_11_completion_waits_for_availability() {
    let mut cluster = Cluster::new(spec(1, json!({"minReadySeconds": 10})));
    cluster.pass();
    kubelet::settle(&mut cluster);
    cluster.edit(image("b"));
    let first = cluster.pass().status;
    assert_eq!((first.ready_replicas, first.available_replicas), (1, 0));
    assert_ne!(first.current_revision, "", "a first revision is current from the start");
    let timer = cluster.pass().requeue_after.map(|d| d.as_secs());
    assert_eq!(timer, Some(10), "S-8.5");
}

#[test]
fn s_4_12_a_start_ordinal_moves_like_scale_up_and_scale_down() {
    let mut cluster = settled(spec(3, json!({})));
    cluster.edit(|set| set["spec"]["ordinals"] = json!({"start": 2}));
    assert_eq!(acts(&cluster.pass()), ["create pod web-3 at the update revision"]);
    kubelet::settle(&mut cluster);
    cluster.pass();
    kubelet::settle(&mut cluster);
    assert_eq!(acts(&cluster.pass()), ["delete pod web-1: its ordinal is out of range"]);
    settle(&mut cluster);
    assert_eq!(cluster.pods.keys().collect::<Vec<_>>(), ["web-2", "web-3", "web-4"]);
}

#[test]
fn n_14_billions_of_replicas_cost_no_more_than_what_is_done() {
    for policy in ["OrderedReady", "Parallel"] {
        let mut cluster =
            Cluster::new(spec(i32::MAX, json!({"podManagementPolicy": policy, "ordinals": {"start": 5}})));
        let plan = cluster.snapshot();
        let plan = ordinal_plan::plan(&plan);
        assert!(plan.actions().count() < 10_000);
        cluster.execute(&plan);
    }
}
