//! A pass that is held: nothing of the usual plan is left but its counters.

use super::{Phase, by_native, finishing, taken_over};
use crate::fixture::*;
use ordinal_plan::revision::{data, hash};
use serde_json::{Value, json};

/// A set in a StatefulSet's way, with about all that a plan can have: something to wait for, something that fails, a claim that
/// is somebody else's, a blocked pod, a pod that has just failed.
fn busy() -> World {
    let world = set(6).parallel().claims(&["data"]).retention("Delete", "Delete");
    let mut world = world
        .with(pod(0).pending())
        .with(pod(1).pending().condition(json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes",
        })))
        .with(pod(2).failed().age(5))
        .with(pod(3).terminating())
        .with([
            claim(0).owner(reference("v1", "Boss", "boss", "boss")),
            claim(1),
            claim(2),
            claim(3),
            claim(4).deleting(),
        ]);
    world.native = Some(Value::Null);
    world
}

fn held(mut world: World) -> World {
    world.native = taken_over().native;
    world
}

#[test]
fn s_8_4_a_set_that_is_held_does_not_wait_fail_or_remember() {
    let usual = busy().plan();
    assert!(usual.wait.is_some() && !usual.failures.is_empty() && !usual.conflicting_claims.is_empty(), "{usual}");
    assert!(!usual.status.blocked_pods.is_empty() && usual.memory != busy().memory, "{usual}");
    let plan = held(busy()).plan();
    assert_eq!(plan.actions().count(), 0);
    assert_eq!((plan.wait, plan.failures, plan.conflicting_claims), (None, Vec::new(), Vec::new()));
    assert_eq!(plan.memory, busy().memory);
    assert_eq!(plan.status.blocked_pods, []);
}

#[test]
fn s_8_4_a_deleted_set_with_a_stateful_set_of_its_name_does_nothing() {
    let set = fresh(3).deleting();
    assert_eq!(set.does().len(), 1, "it would record its template");
    assert_eq!(held(set).does(), NOTHING);
}

#[test]
fn s_3_7_a_set_that_is_held_keeps_the_revisions_that_it_knew() {
    let known = [("currentRevision", "web-a"), ("updateRevision", "web-b")];
    let world = known.into_iter().fold(held(set(3)), |world, (field, name)| world.status_was(field, name));
    let status = world.status_was("collisionCount", 7).status();
    let known = (status.current_revision.as_str(), status.update_revision.as_str(), status.collision_count);
    assert_eq!(known, ("web-a", "web-b", Some(7)));
}

#[test]
fn s_3_4_a_set_that_is_held_counts_no_collision() {
    let taken = format!("web-{}", hash(&data(&template("new")), 0));
    let world = fresh(3).with(revision("other", 1).named(&taken).of_another());
    assert_eq!((world.status().collision_count, held(world).status().collision_count), (Some(1), None));
}

#[test]
fn what_only_a_person_can_lead_on_from_is_not_looked_at_again() {
    assert_eq!(taken_over().looks_again_in(), Some(2.0));
    assert_eq!(taken_over().spec("replicas", 4).looks_again_in(), None);
}

#[test]
fn o_10_a_set_counts_its_own_pods_until_it_has_verified_and_again_once_it_has_claimed() {
    let refused = taken_over().spec("replicas", 4).status_was("replicas", 7);
    assert_eq!((refused.phase(), refused.status().replicas), (Some(Phase::Verifying), 0));
    assert_eq!(refused.status().current_revision, "", "what the StatefulSet says counts from Staging on");
    let claimed = finishing().status_was("replicas", 7);
    assert_eq!((claimed.phase(), claimed.status().replicas), (Some(Phase::Finishing), 3));
}

/// That the StatefulSet is gone may be seen before its pods are let go.
#[test]
fn o_10_only_pods_that_are_still_held_let_the_old_figures_count() {
    let mut world = taken_over();
    world.passes_until(|world| matches!(world.native, Some(Value::Null)));
    world.pods[0]["metadata"]["ownerReferences"] = json!([by_native()]);
    assert_eq!(world.does(), NOTHING);
    assert_eq!(world.status_was("replicas", 7).status().replicas, 7);
}
