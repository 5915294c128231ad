//! S-4.5 and S-4.14: pods whose ordinals are out of range.

use crate::fixture::{NOTHING, claim, pod, pods, set};

#[test]
fn s_4_5_ordered_ready_deletes_one_at_a_time_from_the_top() {
    assert_eq!(set(1).with(pods(0..4)).deletes(), ["web-3"]);
    let gone = set(1).with(pods(0..3));
    assert_eq!(gone.deletes(), ["web-2"]);
}

#[test]
fn s_4_5_ordered_ready_waits_until_a_terminating_one_is_gone() {
    let world = set(1).with(pods(0..3)).with(pod(3).terminating());
    assert_eq!(world.does(), NOTHING);
    assert_eq!(world.waits(), "waiting for web-3 to be gone");
}

#[test]
fn s_4_5_parallel_deletes_all_and_skips_terminating_ones() {
    let world = set(1).parallel().with([pod(0), pod(1), pod(2).terminating(), pod(3).unready(), pod(4).pending()]);
    assert_eq!(world.deletes(), ["web-4", "web-3", "web-1"]);
}

#[test]
fn s_4_5_the_only_unhealthy_pod_goes_when_it_is_condemned() {
    for unhealthy in [pod(2).unready(), pod(2).pending(), pod(2).phase("Unknown"), pod(2).failed()] {
        assert_eq!(set(2).with(pods(0..2)).with(unhealthy).deletes(), ["web-2"]);
    }
}

// also: S-12.4
#[test]
fn s_4_5_two_unhealthy_condemned_pods_block_scale_down() {
    let world = set(2).with(pods(0..2)).with([pod(2).unready(), pod(3).unready()]);
    assert_eq!(world.does(), NOTHING);
    assert_eq!(world.waits(), "waiting for web-3 to be ready");
    let recovered = set(2).with(pods(0..3)).with(pod(3).unready());
    assert_eq!(recovered.deletes(), ["web-3"]);
    let terminating = set(2).with(pods(0..2)).with([pod(2).terminating(), pod(3).unready()]);
    assert_eq!(terminating.does(), NOTHING, "one that merely terminates still counts");
}

#[test]
fn s_4_5_a_failed_condemned_pod_counts_as_unhealthy_like_any_other() {
    for phase in ["Failed", "Succeeded"] {
        let world = set(1).with(pod(0)).with([pod(1).unready(), pod(2).phase(phase)]);
        assert_eq!(world.does(), NOTHING);
    }
}

// also: S-12.20
#[test]
fn s_4_5_a_condemned_pod_that_is_not_yet_available_waits_unless_it_is_the_first_unavailable() {
    let young = set(1).min_ready(10).with([pod(0), pod(1), pod(2).ready_for(5)]);
    assert_eq!(young.deletes(), ["web-2"]);
    let two = set(1).min_ready(10).with([pod(0), pod(1).ready_for(5), pod(2).ready_for(5)]);
    assert_eq!(two.does(), NOTHING);
    assert_eq!(two.waits(), "waiting for web-2 to be ready for minReadySeconds");
}

// also: O-5, N-3
#[test]
fn s_4_5_a_deletion_carries_the_uid_of_the_pod_that_was_judged() {
    let plan = set(0).with(pod(4).uid("judged")).plan();
    let actions: Vec<_> = plan.actions().collect();
    assert!(
        matches!(actions[..], [ordinal_plan::action::Action::DeletePod { uid, .. }] if uid == "judged"),
        "{actions:?}"
    );
}

// also: S-12.27
#[test]
fn s_4_5_a_higher_start_makes_the_new_slots_first_and_then_deletes_the_low_ordinals() {
    let before = set(3).start(2).with(pods(0..3));
    assert_eq!((before.creates(), before.deletes()), (vec!["web-3@web-new".to_owned()], vec![]));
    let half = set(3).start(2).with(pods(0..4));
    assert_eq!((half.creates(), half.deletes()), (vec!["web-4@web-new".to_owned()], vec![]));
    assert_eq!(set(3).start(2).with(pods(0..5)).deletes(), ["web-1"], "highest of them first");
    assert_eq!(set(3).start(2).with(pod(0)).with(pods(2..5)).deletes(), ["web-0"]);
    assert_eq!(set(3).start(2).with(pods(0..5)).status().replicas, 5, "for a while there are more than three");
}

#[test]
fn s_12_27_claims_of_dropped_ordinals_follow_when_scaled() {
    let world = set(1).start(1).claims(&["data"]).with(pods(0..2)).with([claim(0), claim(1)]);
    assert_eq!(world.clone().owner_changes().len(), 0);
    let changes = world.retention("Retain", "Delete").owner_changes();
    assert_eq!(changes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["data-web-0"]);
}

#[test]
fn s_4_14_new_slots_wait_for_all_lower_ones() {
    let world = set(3).with([pod(0).unready(), pod(1)]);
    assert_eq!(world.creates(), NOTHING);
    assert_eq!(world.parallel().creates(), ["web-2@web-new"]);
}

#[test]
fn s_4_14_scale_down_waits_for_all_remaining_slots() {
    let world = set(1).with([pod(0).unready(), pod(1), pod(2)]);
    assert_eq!(world.deletes(), NOTHING);
    assert_eq!(world.parallel().deletes(), ["web-2", "web-1"]);
}

#[test]
fn s_4_14_scale_down_to_zero_has_no_slot_to_wait_for() {
    assert_eq!(set(0).with([pod(0).unready(), pod(1)]).deletes(), ["web-1"]);
    assert_eq!(set(0).with(pod(0).unready()).deletes(), ["web-0"]);
}
