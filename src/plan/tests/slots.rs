//! S-4.2 to S-4.4: the slots, under both policies.

use crate::fixture::{NOTHING, PodBuilder, World, by_pod, claim, pod, pods, pods_at, set};
use ordinal_plan::action::{FailedPod, Pace, StageKind};

/// A set of three whose middle slot holds this pod, one slot too many above it, a claim per slot, and a new template:
/// what a pass does shows whether it went on.
fn world(middle: Option<PodBuilder>) -> World {
    let world = set(3).claims(&["data"]).with([claim(0), claim(1), claim(2)]).with(pod(0));
    match middle {
        Some(middle) => world.with(middle),
        None => world,
    }
}

const MADE_ABOVE: &str = "create pod web-2 at the update revision";

/// What OrderedReady and Parallel do about the middle slot; web-2 is missing, so a pass that goes on makes it.
fn row(middle: Option<PodBuilder>) -> (Vec<String>, Vec<String>) {
    (world(middle.clone()).does(), world(middle).parallel().does())
}

#[test]
fn s_4_4_nothing_in_the_slot() {
    let (ordered, parallel) = row(None);
    assert_eq!(ordered, ["create pod web-1 at the update revision"]);
    assert_eq!(parallel, ["create pod web-1 at the update revision", MADE_ABOVE]);
}

// also: S-5.4
#[test]
fn s_4_4_nothing_in_the_slot_and_a_stale_claim() {
    let stale = |mut world: World| {
        world.claims.clear();
        world.retention("Retain", "Delete").with([claim(0), claim(1).owner(by_pod(1)), claim(2)])
    };
    let ordered = stale(world(None));
    assert_eq!(ordered.does(), NOTHING);
    assert_eq!(ordered.waits(), "waiting for web-1 until a claim of its predecessor is collected");
    assert_eq!((ordered.fails(), ordered.looks_again_in()), (String::new(), None), "no error and no timer");
    assert_eq!(stale(world(None)).parallel().does(), [MADE_ABOVE]);
}

#[test]
fn s_4_4_a_pod_that_has_ended() {
    for (phase, why) in [("Failed", "it failed"), ("Succeeded", "it ended")] {
        let (ordered, parallel) = row(Some(pod(1).phase(phase)));
        assert_eq!(ordered, [format!("delete pod web-1: {why}")], "nothing is made in its place in the same pass");
        assert_eq!(parallel, [format!("delete pod web-1: {why}"), MADE_ABOVE.into()]);
    }
}

#[test]
fn s_4_4_a_pod_that_has_ended_and_is_terminating() {
    for phase in ["Failed", "Succeeded"] {
        let (ordered, parallel) = row(Some(pod(1).phase(phase).terminating()));
        assert_eq!(ordered, NOTHING);
        assert_eq!(parallel, [MADE_ABOVE]);
    }
}

// also: S-5.3
#[test]
fn s_4_4_a_pending_pod() {
    let without_claim = |mut world: World| {
        world.claims.remove(1);
        world
    };
    let pending = || Some(pod(1).pending().label("statefulset.kubernetes.io/pod-name", "wrong"));
    assert_eq!(without_claim(world(pending())).does(), ["create claim data-web-1"], "ensured, and no repair");
    assert_eq!(
        without_claim(world(pending())).parallel().does(),
        ["create claim data-web-1", "repair labels of pod web-1", MADE_ABOVE]
    );
    assert_eq!(world(pending()).waits(), "waiting for web-1 to start");
}

/// A pod that needs a repair: Parallel makes it, OrderedReady stops before.
fn stops_ordered_and_is_repaired_in_parallel(pod: PodBuilder, waits: &str) {
    let broken = pod.label("statefulset.kubernetes.io/pod-name", "wrong");
    let (ordered, parallel) = row(Some(broken.clone()));
    assert_eq!(ordered, NOTHING);
    assert_eq!(world(Some(broken)).waits(), waits);
    assert_eq!(parallel, ["repair labels of pod web-1", MADE_ABOVE]);
}

#[test]
fn s_4_4_a_running_pod_that_is_not_ready() {
    stops_ordered_and_is_repaired_in_parallel(pod(1).unready(), "waiting for web-1 to be ready");
}

// also: S-12.20
#[test]
fn s_4_4_a_ready_pod_younger_than_min_ready_seconds() {
    let young = || Some(pod(1).ready_for(9).label("statefulset.kubernetes.io/pod-name", "wrong"));
    let ordered = world(young()).min_ready(10);
    assert_eq!(ordered.does(), NOTHING);
    assert_eq!(ordered.waits(), "waiting for web-1 to be ready for minReadySeconds");
    assert_eq!(ordered.parallel().does(), ["repair labels of pod web-1", MADE_ABOVE]);
    let at_equality = world(Some(pod(1).ready_for(10))).min_ready(10);
    assert_eq!(at_equality.does(), [MADE_ABOVE], "reached when the time is equal");
}

#[test]
fn s_4_4_an_available_pod() {
    let (ordered, parallel) = row(Some(pod(1).label("statefulset.kubernetes.io/pod-name", "wrong")));
    assert_eq!(ordered, ["repair labels of pod web-1", MADE_ABOVE]);
    assert_eq!(parallel, ordered);
}

#[test]
fn s_4_4_a_pod_of_unknown_phase() {
    let unknown = pod(1).phase("Unknown");
    stops_ordered_and_is_repaired_in_parallel(unknown, "waiting for web-1 to be ready");
}

#[test]
fn s_4_4_a_terminating_pod() {
    stops_ordered_and_is_repaired_in_parallel(pod(1).terminating(), "waiting for web-1 to be gone");
    let unready = pod(1).unready().terminating();
    stops_ordered_and_is_repaired_in_parallel(unready, "waiting for web-1 to be gone");
}

// also: S-5.3
#[test]
fn s_4_4_a_terminating_pending_pod_still_gets_its_claims() {
    let mut world = world(Some(pod(1).pending().terminating()));
    world.claims.remove(1);
    assert_eq!(world.does(), ["create claim data-web-1"]);
    assert_eq!(world.parallel().does(), ["create claim data-web-1", MADE_ABOVE]);
}

// also: S-4.12
#[test]
fn s_4_4_in_ordered_ready_any_unfinished_slot_blocks_what_is_above_scale_down_and_updates() {
    let unfinished = [
        pod(0).pending(),
        pod(0).unready(),
        pod(0).terminating(),
        pod(0).phase("Unknown"),
        pod(0).failed().terminating(),
    ];
    for low in unfinished {
        let world = set(2).was("old").with(low).with([pod(1).at("old"), pod(2)]);
        assert_eq!(world.deletes(), NOTHING, "neither outdated web-1 nor condemned web-2 goes");
        let deleted = world.parallel().deletes();
        assert!(deleted.contains(&"web-2".into()), "in Parallel nothing blocks a condemned pod: {deleted:?}");
    }
}

#[test]
fn s_2_9_repairs_wait_for_availability_in_ordered_ready_alone() {
    let broken = |pod: PodBuilder| pod.label("statefulset.kubernetes.io/pod-name", "wrong");
    let repair = ["repair labels of pod web-0"];
    assert_eq!(set(1).with(broken(pod(0))).does(), repair);
    for unfinished in [pod(0).unready(), pod(0).pending(), pod(0).terminating(), pod(0).phase("Unknown")] {
        assert_eq!(set(1).with(broken(unfinished.clone())).does(), NOTHING);
        assert_eq!(set(1).parallel().with(broken(unfinished)).does(), repair);
    }
    for ended in ["Failed", "Succeeded"] {
        let world = set(1).parallel().with(broken(pod(0).phase(ended).terminating()));
        assert_eq!(world.does(), NOTHING, "never a pod that has ended");
    }
}

#[test]
fn s_4_2_slots_are_the_range_and_every_other_pod_is_condemned() {
    let world = set(2).start(3).parallel().with(pods([0, 2, 3, 5, 8]));
    assert_eq!(world.creates(), ["web-4@web-new"]);
    assert_eq!(world.deletes(), ["web-8", "web-5", "web-2", "web-0"], "below the start or above the end, descending");
}

// also: S-4.15, N-8
#[test]
fn s_4_2_a_set_being_deleted_has_its_status_and_nothing_else() {
    for world in [set(4), set(4).parallel()] {
        let world = world.was("old").claims(&["data"]).retention("Delete", "Delete").deleting();
        let world = world.with([pod(0).at("old"), pod(1).failed(), pod(9)]).with([claim(0), claim(9)]);
        assert_eq!(world.does(), NOTHING);
        assert_eq!((world.status().replicas, world.status().ready_replicas), (3, 2));
        assert_eq!(world.condition("Progressing"), "True Deleting");
    }
}

#[test]
fn s_4_2_revisions_are_recorded_and_truncated_while_the_set_is_being_deleted() {
    let mut world = set(1).was("old").spec("revisionHistoryLimit", 0).deleting();
    world = world.spec("template", crate::fixture::template("newer")).with(pod(0));
    let done = world.does();
    assert!(done[0].starts_with("create revision web-") && done.len() == 1, "{done:?}");
}

// also: S-4.12
#[test]
fn s_4_3_phases_come_in_their_order_and_all_in_one_parallel_pass() {
    let world = set(3).was("old").parallel().claims(&["data"]).retention("Retain", "Delete");
    let world = world.max_unavailable(2).with([pod(1), pod(2).at("old"), pod(3)]).with([claim(1), claim(2), claim(3)]);
    let expected = [
        "create claim data-web-0",
        "create pod web-0 at the update revision",
        "update owners of claim data-web-3: 0 off, Pod web-3 on",
        "delete pod web-3: its ordinal is out of range",
        "delete pod web-2: it is not at the update revision",
    ];
    assert_eq!(world.does(), expected);
    let kinds: Vec<StageKind> = world.plan().stages.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [StageKind::Slots, StageKind::CondemnedClaims, StageKind::Condemned, StageKind::Update]);
}

#[test]
fn s_4_3_ordered_ready_stops_at_the_first_element_that_says_so() {
    let world = set(3).was("old").with([pod(1).at("old"), pod(5)]);
    assert_eq!(world.creates(), ["web-0@web-new"], "one slot, and no later phase");
    assert_eq!(world.deletes(), NOTHING);
}

#[test]
fn s_4_3_an_error_ends_the_pass_under_both_policies() {
    let world = set(1).was("old").claims(&["data"]).with(claim(0).deleting()).with(pod(3));
    for world in [world.clone(), world.parallel()] {
        assert_eq!(world.fails(), "pvc data-web-0 is being deleted");
        assert_eq!(world.does(), NOTHING, "condemned web-3 stays");
    }
}

// also: S-4.14
#[test]
fn s_4_11_parallel_starts_slowly_and_ordered_one_by_one() {
    let pace = |world: World| world.plan().stages[0].pace;
    assert_eq!(pace(set(5).parallel()), Pace::SlowStart);
    assert_eq!(pace(set(5)), Pace::OneByOne);
    assert_eq!(set(600).parallel().creates().len(), 600, "all in one pass");
}

#[test]
fn s_4_11_a_failed_element_lets_its_batch_be_done_and_no_more() {
    // Batches of 1, 2, 4: the claim of slot 1 fails the second; healthy slot 0 counts as an element.
    let world = set(7).parallel().claims(&["data"]).with(claim(1).deleting()).with(pod(0));
    assert_eq!(world.creates(), ["web-2@web-new"]);
    assert_eq!(world.fails(), "pvc data-web-1 is being deleted");
}

// also: S-5.2, N-6
#[test]
fn s_4_11_each_pod_of_a_failing_batch_has_its_own_failure() {
    // The batches are 0; 1 and 2; 3 and 4.
    let world =
        set(5).parallel().claims(&["data"]).with([claim(1).deleting(), claim(2).deleting(), claim(3).deleting()]);
    assert_eq!(world.fails(), "pvc data-web-1 is being deleted; pvc data-web-2 is being deleted");
    let failed: Vec<_> = world.plan().failures.into_iter().filter_map(|f| f.pod).collect();
    assert_eq!(failed, [FailedPod::Create("web-1".into()), FailedPod::Create("web-2".into())]);
}

// also: S-6.7
#[test]
fn s_4_19_what_this_pass_makes_does_not_show_in_it() {
    let world = set(2).parallel().with(pod(1));
    assert_eq!(world.creates(), ["web-0@web-new"]);
    assert_eq!((world.status().replicas, world.status().updated_replicas), (1, 1));
    // The slot that is being filled still counts as unavailable for the roll-out.
    let world = set(2).was("old").parallel().with(pod(1).at("old"));
    assert_eq!((world.creates(), world.deletes()), (vec!["web-0@web-new".to_owned()], vec![]));
}

// also: O-5
#[test]
fn s_4_19_a_failed_outdated_pod_is_deleted_once() {
    for phase in ["Failed", "Succeeded"] {
        let world = set(3).was("old").parallel().with(pods(0..2)).with(pod(2).at("old").phase(phase));
        assert_eq!(world.deletes(), ["web-2"]);
    }
}

// also: O-5, S-4.9
#[test]
fn n_7_a_failed_pod_that_seems_ready_takes_its_part_of_the_budget() {
    let failed = pod(2).at("old").status("phase", "Failed".into());
    let world = set(3).was("old").parallel().with(pods_at("old", 0..2)).with(failed);
    assert_eq!(world.deletes(), ["web-2"], "as it goes, no other may");
}

#[test]
fn s_4_16_only_a_pod_that_ended_is_replaced_without_a_new_template() {
    for unwell in
        [pod(0).unready(), pod(0).phase("Unknown"), pod(0).pending(), pod(0).container_waits("CrashLoopBackOff", "")]
    {
        for world in [set(1), set(1).parallel()] {
            assert_eq!(world.with(unwell.clone()).does(), NOTHING);
        }
    }
    assert_eq!(set(1).with(pod(0).failed()).deletes(), ["web-0"]);
    assert_eq!(set(1).creates(), ["web-0@web-new"], "made again when its object is gone");
}
