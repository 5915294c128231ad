//! S-6 and S-8.5: counters, what of the status changes, and when to look again.

use crate::fixture::{World, fresh, pod, pods, pods_at, set, template};
use ordinal_api::OrdinalSetStatus;
use serde_json::json;

/// replicas, ready, available, current, updated.
fn counters(world: &World) -> [i32; 5] {
    let s = world.status();
    [s.replicas, s.ready_replicas, s.available_replicas, s.current_replicas, s.updated_replicas]
}

/// Stores the status that the plan wrote, as the API server would.
fn store(world: &mut World) {
    world.set["status"] = json!(world.status());
}

#[test]
fn s_6_1_the_status_is_made_anew_but_for_collisions_and_the_current_revision() {
    let world = set(1).with(pod(0)).was("old").status_was("collisionCount", 4).status_was("currentRevision", "web-old");
    let world = world.status_was("replicas", 70).status_was("readyReplicas", 70).status_was("currentReplicas", 70);
    assert_eq!(counters(&world), [1, 1, 1, 1, 1]);
    assert_eq!(world.status().collision_count, Some(4));
}

#[test]
fn s_6_2_the_generation_seen_is_observed() {
    let mut world = set(1);
    world.set["metadata"]["generation"] = 17.into();
    assert_eq!(world.status().observed_generation, 17);
    assert_eq!(world.deleting().status().observed_generation, 17);
}

#[test]
fn s_6_3_replicas_counts_what_exists_in_any_phase() {
    let all = [
        pod(0),
        pod(1).pending(),
        pod(2).failed(),
        pod(3).phase("Succeeded"),
        pod(4).phase("Unknown"),
        pod(5).terminating(),
        pod(9),
    ];
    assert_eq!(set(1).status().selector, "app=web", "by which autoscalers count them");
    assert_eq!(set(6).with(all).status().replicas, 7, "terminating and condemned ones included");
    assert_eq!(set(3).with(pod(0)).status().replicas, 1, "slots without a pod are not counted");
    assert_eq!(set(3).with(pod(0).phase("")).status().replicas, 0, "no API server has seen it");
}

#[test]
fn s_6_3_ready_replicas_counts_running_and_ready() {
    let mut world = set(5).with([pod(0), pod(1).terminating(), pod(2).unready(), pod(3).pending(), pod(8)]);
    assert_eq!(world.status().ready_replicas, 3, "terminating and condemned ones included");
    world.pods[3]["status"]["conditions"][0]["status"] = "True".into();
    assert_eq!(world.status().ready_replicas, 3, "ready but not Running does not count");
}

#[test]
fn s_6_3_a_pod_without_conditions_is_not_ready() {
    let mut world = set(1).with(pod(0));
    world.pods[0]["status"]["conditions"] = json!([]);
    assert_eq!((world.status().replicas, world.status().ready_replicas), (1, 0));
    assert_eq!(world.waits(), "waiting for web-0 to be ready");
}

#[test]
fn s_6_3_available_replicas_counts_running_and_available() {
    let world =
        set(5).min_ready(10).with([pod(0), pod(1).ready_for(9), pod(2).ready_for(10), pod(3).terminating(), pod(8)]);
    assert_eq!((world.status().ready_replicas, world.status().available_replicas), (5, 4));
    let mut timeless = set(1).min_ready(10).with(pod(0));
    timeless.pods[0]["status"]["conditions"][0]["lastTransitionTime"] = json!(null);
    assert_eq!(timeless.status().available_replicas, 0, "without a time it is not available");
    assert_eq!(timeless.min_ready(0).status().available_replicas, 1, "unless no time is asked for");
    let mut pending = set(1).with(pod(0).pending());
    pending.pods[0]["status"]["conditions"][0]["status"] = "True".into();
    assert_eq!(pending.status().available_replicas, 0);
}

#[test]
fn s_6_3_current_and_updated_replicas_count_revisions_of_pods_that_do_not_terminate() {
    let world = set(6).was("old").with([
        pod(0).at("old"),
        pod(1).at("old").terminating(),
        pod(2).at("old").failed(),
        pod(3).at("between"),
        pod(4),
        pod(5).terminating(),
        pod(9),
    ]);
    assert_eq!(
        (world.status().current_replicas, world.status().updated_replicas),
        (2, 2),
        "unready or condemned, they count"
    );
}

#[test]
fn s_6_3_with_one_revision_both_counters_count_the_same_pods() {
    assert_eq!(counters(&set(3).with([pod(0), pod(1).unready(), pod(2).terminating()])), [3, 2, 2, 2, 2]);
}

#[test]
fn s_6_3_a_set_being_deleted_counts_all_claimed_pods() {
    let world = set(1).with([pod(0), pod(0).named("web-00"), pod(3), pod(4).named("web-99999999999")]);
    assert_eq!(world.status().replicas, 2, "web-99999999999 and the loser of web-0 and web-00 are not counted");
    assert_eq!(world.status().ready_replicas, 2);
    let world = set(1).deleting().with([pod(0), pod(0).named("web-00"), pod(3), pod(4).named("web-99999999999")]);
    assert_eq!(world.status().replicas, 4);
}

// also: S-6.4, S-12.6
#[test]
fn o_12_counters_are_of_the_pods_seen_and_never_lowered_on_paper() {
    let world = set(3).was("old").with(pods_at("old", 0..3));
    assert_eq!((world.deletes().len(), world.status().current_replicas), (1, 3), "the deletion shows when it is seen");
    let world = set(2).was("old").parallel().max_unavailable(2).with(pods_at("between", 0..2));
    assert_eq!((world.deletes().len(), world.status().current_replicas), (2, 0), "an intermediate revision: never -1");
    let back = set(2).with([pod(0), pod(1).at("between")]);
    assert_eq!((back.deletes().len(), back.status().current_replicas, back.status().updated_replicas), (1, 1, 1));
}

#[test]
fn s_6_4_a_finished_roll_out_of_an_unlabelled_pod_counts_no_less_than_nothing() {
    let world = set(1).was("old").with(pod(0).without_label("controller-revision-hash"));
    assert_eq!((world.deletes().len(), counters(&world)), (1, [1, 1, 1, 0, 0]));
}

#[test]
fn s_6_5_a_settled_set_has_nothing_to_write() {
    let mut world = set(2).with(pods(0..2));
    store(&mut world);
    let stored: OrdinalSetStatus = crate::fixture::parse(&world.set["status"]);
    assert_eq!(world.status(), stored);
}

#[test]
fn s_6_5_each_of_these_changes_the_status() {
    let settled = || {
        let mut world = set(2).min_ready(5).with(pods(0..2));
        store(&mut world);
        world
    };
    let changed = |what: &str, change: &dyn Fn(&mut World)| {
        let mut world = settled();
        change(&mut world);
        let stored: OrdinalSetStatus = crate::fixture::parse(&world.set["status"]);
        assert_ne!(world.status(), stored, "{what}");
    };
    changed("observedGeneration", &|w| w.set["metadata"]["generation"] = 2.into());
    changed("replicas", &|w| drop(w.pods.pop()));
    changed("readyReplicas", &|w| w.pods[1] = w.clone().with(pod(1).unready()).pods[2].clone());
    changed("availableReplicas", &|w| w.pods[1] = w.clone().with(pod(1).ready_for(1)).pods[2].clone());
    changed("updatedReplicas", &|w| w.pods[1] = w.clone().with(pod(1).at("old")).pods[2].clone());
    changed("updateRevision", &|w| w.set["spec"]["template"] = template("newer"));
    changed("currentRevision", &|w| w.set["status"]["currentRevision"] = "web-old".into());
    changed("conditions", &|w| w.set["status"]["conditions"][0]["status"] = "Unknown".into());
}

// also: S-6.8
#[test]
fn s_6_5_nothing_is_written_because_time_passes() {
    let mut world = set(2).with(pods(0..2));
    store(&mut world);
    let mut later = world.snapshot();
    later.now = crate::fixture::ago(-5000).parse().expect("a time");
    assert_eq!(ordinal_plan::plan(&later).status, world.status());
}

#[test]
fn s_6_7_what_this_pass_does_shows_in_the_next() {
    assert_eq!(counters(&set(3).parallel()), [0; 5], "none of the three that are made is counted yet");
    assert_eq!(counters(&set(0).parallel().with(pods(0..3))), [3; 5], "nor are deletions");
}

#[test]
fn s_6_8_conditions_of_others_stay_as_they_are() {
    let foreign = json!({"type": "example.com/Backup", "status": "Unknown", "reason": "x", "message": "y", "lastTransitionTime": "2020-01-01T00:00:00Z"});
    let world = set(1).with(pod(0)).status_was("conditions", json!([foreign]));
    let kept = world.status().conditions.into_iter().find(|c| c.type_ == "example.com/Backup").expect("it stays");
    assert_eq!(json!(kept), foreign);
}

#[test]
fn s_6_8_the_time_of_a_condition_changes_with_its_status_alone() {
    let since = "2020-01-01T00:00:00Z";
    let old = |status: &str| json!([{"type": "Available", "status": status, "reason": "x", "message": "y", "lastTransitionTime": since}]);
    let time = |status: &str| {
        let world = set(1).with(pod(0)).status_was("conditions", old(status));
        let found = world.status().conditions.into_iter().find(|c| c.type_ == "Available").expect("it is set");
        assert_eq!(found.reason.as_deref(), Some("EnoughReplicas"));
        json!(found.last_transition_time)
    };
    assert_eq!(time("True"), since);
    assert_eq!(time("False"), "2026-01-01T00:00:00Z");
}

#[test]
fn s_8_5_the_smallest_remaining_time_of_a_ready_pod_is_waited_for() {
    let world = set(3).min_ready(5).with([pod(0).ready_for(0), pod(1).ready_for(2), pod(2).ready_for(4)]);
    assert_eq!(world.looks_again_in(), Some(1.0));
    let others = set(3).min_ready(9).with([pod(0), pod(1).ready_for(1), pod(2).unready().ready_for(7)]);
    assert_eq!(others.looks_again_in(), Some(8.0), "neither of an available pod nor of one that is not ready");
    let condemned = set(1).min_ready(5).with([pod(0).ready_for(1), pod(7).ready_for(3)]);
    assert_eq!(condemned.looks_again_in(), Some(2.0), "over all claimed pods");
    let at_equality = set(1).min_ready(5).with(pod(0).ready_for(5));
    assert_eq!(at_equality.looks_again_in(), None);
}

#[test]
fn s_8_5_without_a_transition_time_the_whole_of_min_ready_seconds_is_waited_for() {
    let mut world = set(1).min_ready(7).with(pod(0));
    world.pods[0]["status"]["conditions"][0]["lastTransitionTime"] = json!(null);
    assert_eq!(world.looks_again_in(), Some(7.0));
}

#[test]
fn s_8_5_no_timer_where_all_ready_pods_are_available() {
    assert_eq!(set(2).min_ready(5).with([pod(0), pod(1).unready()]).looks_again_in(), None);
    assert_eq!(set(1).with(pod(0).ready_for(0)).looks_again_in(), None, "nor with minReadySeconds 0");
    assert_eq!(fresh(1).min_ready(5).looks_again_in(), None);
}

// also: O-9, O-7
#[test]
fn s_8_5_of_several_timers_the_earliest_counts() {
    let young = set(2).min_ready(5).spec("serviceName", "web").with(pod(0).ready_for(2));
    assert_eq!(young.looks_again_in(), Some(3.0), "before the Service's 15 s");
    let failing = young.clone().parallel().with(pod(1).failed().age(5));
    assert_eq!(failing.looks_again_in(), Some(1.0), "before the pod is available");
    let stuck = set(1).min_ready(50).with(pod(0).ready_for(2).terminating());
    assert_eq!(stuck.looks_again_in(), Some(35.0), "when its grace period is over");
}

#[test]
fn s_8_5_a_transition_in_the_future_is_waited_for_to_its_end() {
    assert_eq!(set(1).min_ready(5).with(pod(0).ready_for(-60)).looks_again_in(), Some(65.0));
}
