//! S-4.6 to S-4.9, S-4.12, S-4.13, S-4.17 and O-8: which outdated pods go.

use crate::fixture::{NOTHING, World, pod, pods, pods_at, set, template};
use ordinal_plan::snapshot::{Trial, Verdict};
use serde_json::json;

/// A set whose pods are all well and outdated.
fn outdated(replicas: i32) -> World {
    set(replicas).was("old").with(pods_at("old", 0..replicas))
}

#[test]
fn s_4_6_on_delete_deletes_nothing_and_makes_pods_at_the_update_revision() {
    assert_eq!(outdated(3).on_delete().does(), NOTHING);
    assert_eq!(outdated(3).on_delete().parallel().does(), NOTHING);
    let deleted_by_hand = set(2).was("old").on_delete().with(pod(0).at("old"));
    assert_eq!(deleted_by_hand.creates(), ["web-1@web-new"]);
}

#[test]
fn s_4_6_on_delete_still_scales() {
    let world = set(1).was("old").on_delete().with(pods_at("old", 0..2));
    assert_eq!(world.deletes(), ["web-1"]);
}

// also: O-8
#[test]
fn s_4_7_without_max_unavailable_one_pod_goes_at_a_time() {
    for world in
        [outdated(3), outdated(3).parallel(), outdated(3).spec("updateStrategy", json!({"type": "RollingUpdate"}))]
    {
        assert_eq!(world.deletes(), ["web-2"]);
    }
    for second in [pod(2).unready(), pod(2).terminating(), pod(2).pending()] {
        let world = set(3).was("old").parallel().with(pods_at("old", 0..2)).with(second);
        assert_eq!(world.deletes(), NOTHING, "the next when the one before is available");
    }
    assert_eq!(set(3).was("old").with(pods_at("old", 0..2)).with(pod(2)).deletes(), ["web-1"]);
}

// also: O-8
#[test]
fn s_4_7_an_unhealthy_outdated_pod_needs_no_turn_in_parallel() {
    let world = set(3).was("old").parallel().with([pod(0).at("old"), pod(1).at("old").unready(), pod(2).at("old")]);
    assert_eq!(world.deletes(), ["web-1"]);
}

// also: S-4.9
#[test]
fn o_8_max_unavailable_is_a_number_or_a_percentage_rounded_down_and_at_least_1() {
    for (replicas, max, going) in [
        (10, json!(3), 3),
        (10, json!("30%"), 3),
        (10, json!("39%"), 3),
        (10, json!("100%"), 10),
        (3, json!("50%"), 1),
        (3, json!("34%"), 1),
        (3, json!("67%"), 2),
        (10, json!("9%"), 1),
        (3, json!("1%"), 1),
        (3, json!(7), 3),
        (1, json!("100%"), 1),
        (10, json!(null), 1),
    ] {
        for world in [outdated(replicas), outdated(replicas).parallel()] {
            assert_eq!(world.max_unavailable(max.clone()).deletes().len(), going, "{max} of {replicas}");
        }
    }
}

#[test]
fn s_4_8_ordered_ready_spends_its_whole_budget_at_once_from_the_top() {
    assert_eq!(outdated(5).max_unavailable(2).deletes(), ["web-4", "web-3"]);
    assert_eq!(outdated(5).max_unavailable(9).deletes(), ["web-4", "web-3", "web-2", "web-1", "web-0"]);
}

#[test]
fn s_4_8_ordered_ready_makes_the_deleted_ones_again_one_by_one_from_the_lowest() {
    let gone = set(5).was("old").max_unavailable(2).with(pods_at("old", 0..3));
    assert_eq!((gone.creates(), gone.deletes()), (vec!["web-3@web-new".to_owned()], vec![]));
    let waiting = gone.clone().with(pod(3).unready());
    assert_eq!(waiting.does(), NOTHING);
    assert_eq!(gone.with(pod(3)).creates(), ["web-4@web-new"]);
    let back = set(5).was("old").max_unavailable(2).with(pods_at("old", 0..3)).with(pods(3..5));
    assert_eq!(back.deletes(), ["web-2", "web-1"]);
}

#[test]
fn s_4_8_ordered_ready_deletes_none_while_slots_terminate() {
    // TestStatefulSetControlRollingUpdateWithMaxUnavailableInOrderedModeVerifyInvariant, as its phase A leaves it.
    for terminating in [vec![0], vec![3, 4], vec![1, 3], vec![5]] {
        let pods =
            (0..6).map(|o| if terminating.contains(&o) { pod(o).at("old").terminating() } else { pod(o).at("old") });
        let world = set(6).was("old").max_unavailable(2).with(pods.collect::<Vec<_>>());
        assert_eq!(world.deletes(), NOTHING, "terminating {terminating:?}");
    }
}

#[test]
fn s_4_9_parallel_deletes_max_minus_unavailable() {
    for (terminating, going) in [(0, 3), (1, 2), (2, 1), (3, 0), (5, 0)] {
        let pods = (0..8).map(|o| if o < terminating { pod(o).at("old").terminating() } else { pod(o).at("old") });
        let world = set(8).was("old").parallel().max_unavailable(3).with(pods.collect::<Vec<_>>());
        assert_eq!(world.deletes().len(), going, "{terminating} are terminating");
    }
}

#[test]
fn s_4_9_parallel_goes_on_as_soon_as_any_pod_is_available() {
    let world = |three| {
        set(5).was("old").parallel().max_unavailable(2).with(pods_at("old", 0..3)).with([three, pod(4).unready()])
    };
    assert_eq!(world(pod(3).unready()).deletes(), NOTHING);
    assert_eq!(world(pod(3)).deletes(), ["web-2"]);
}

// also: S-12.3
#[test]
fn s_4_9_broken_outdated_pods_go_without_counting() {
    let broken = |o| pod(o).at("old").unready();
    let world = set(5).was("old").parallel().with([pod(0).at("old"), broken(1), broken(2), broken(3), pod(4)]);
    assert_eq!(world.deletes(), ["web-3", "web-2", "web-1"], "all of them, though only 1 may be unavailable");
    let world = set(5).was("old").parallel().max_unavailable(2).with(broken(0)).with(pods_at("old", 1..5));
    assert_eq!(world.deletes(), ["web-0", "web-4"], "then healthy ones within the rest of the budget");
}

#[test]
fn s_4_9_a_broken_pod_that_is_updated_uses_the_budget() {
    let world = set(3).was("old").parallel().with(pods_at("old", 0..2)).with(pod(2).unready());
    assert_eq!(world.deletes(), NOTHING);
}

#[test]
fn s_4_9_a_broken_outdated_pod_below_the_partition_holds_healthy_ones_but_not_broken_ones() {
    let low = pod(0).at("old").unready();
    let world = set(3).was("old").parallel().partition(1).with(low);
    assert_eq!(world.clone().with(pods_at("old", 1..3)).deletes(), NOTHING);
    assert_eq!(world.with([pod(1).at("old").unready(), pod(2).at("old")]).deletes(), ["web-1"]);
}

#[test]
fn s_4_9_missing_slots_count_as_unavailable() {
    let world = set(4).was("old").parallel().max_unavailable(2).with(pods_at("old", 1..4));
    assert_eq!((world.creates(), world.deletes()), (vec!["web-0@web-new".to_owned()], vec!["web-3".to_owned()]));
}

#[test]
fn s_4_9_availability_counts_min_ready_seconds() {
    let young = set(3).was("old").parallel().min_ready(10).with(pods_at("old", 0..2)).with(pod(2).ready_for(5));
    assert_eq!(young.deletes(), NOTHING);
    let outdated =
        set(3).was("old").parallel().min_ready(10).with(pods_at("old", 0..2)).with(pod(2).at("old").ready_for(5));
    assert_eq!(outdated.deletes(), ["web-2"], "an outdated one that is not yet available is broken");
}

#[test]
fn s_4_12_scaling_comes_before_updating() {
    let growing = set(3).was("old").with(pods_at("old", 0..2));
    assert_eq!((growing.creates(), growing.deletes()), (vec!["web-2@web-new".to_owned()], vec![]));
    let shrinking = set(2).was("old").with(pods_at("old", 0..3));
    assert_eq!(shrinking.deletes(), ["web-2"], "the condemned one alone");
    assert_eq!(shrinking.parallel().deletes(), ["web-2", "web-1"], "in Parallel both in one pass");
}

// also: S-12.1
#[test]
fn s_4_13_a_corrected_template_does_not_reach_a_broken_pod_in_ordered_ready() {
    let broken = set(3).was("old").with(pods_at("old", 0..2)).with(pod(2).at("bad").unready());
    assert_eq!(broken.does(), NOTHING);
    assert_eq!(broken.waits(), "waiting for web-2 to be ready");
    let deleted_by_hand = set(3).was("old").with(pods_at("old", 0..2));
    assert_eq!(deleted_by_hand.creates(), ["web-2@web-new"]);
    let first_revision = set(2).with(pod(0).at("bad").unready());
    assert_eq!(first_revision.does(), NOTHING, "that holds for the very first revision too");
}

#[test]
fn s_4_13_a_broken_pod_that_failed_is_replaced_at_the_revision_of_then() {
    let failed = set(3).was("old").with(pods_at("old", 0..2)).with(pod(2).at("bad").failed());
    assert_eq!(failed.deletes(), ["web-2"]);
}

// also: S-4.9
#[test]
fn s_4_13_parallel_repairs_itself() {
    let broken = set(3).was("old").parallel().with(pods_at("old", 0..2)).with(pod(2).at("bad").unready());
    assert_eq!(broken.deletes(), ["web-2"]);
}

#[test]
fn s_4_17_a_strategy_change_makes_no_revision_and_reads_outdated_pods_anew() {
    let on_delete = outdated(3).on_delete();
    assert_eq!(on_delete.does(), NOTHING, "RollingUpdate to OnDelete freezes the roll-out");
    assert_eq!(on_delete.spec("updateStrategy", json!({})).deletes(), ["web-2"], "back again starts it at the top");
}

#[test]
fn s_4_17_lowering_the_partition_goes_on_downwards() {
    let world = set(4).was("old").with(pods_at("old", 0..2)).with(pods(2..4));
    assert_eq!(world.clone().partition(2).deletes(), NOTHING);
    assert_eq!(world.partition(1).deletes(), ["web-1"]);
}

#[test]
fn s_4_17_raising_the_partition_rolls_nothing_back() {
    let world = set(3).was("old").partition(2).with(pod(0).at("old")).with(pods(1..3));
    assert_eq!(world.does(), NOTHING, "web-1 is updated and below the partition, and stays");
    let deleted = set(3).was("old").partition(2).with(pod(0).at("old")).with(pod(2));
    assert_eq!(deleted.creates(), ["web-1@web-old"], "but it comes back at the current revision");
}

#[test]
fn s_4_17_a_partition_of_all_slots_freezes_updates_and_still_shows_the_revision() {
    for partition in [3, 4, i32::MAX] {
        for world in [outdated(3).partition(partition), outdated(3).partition(partition).parallel()] {
            assert_eq!(world.deletes(), NOTHING);
            assert_eq!(world.status().update_revision, "web-new");
        }
    }
}

// also: S-12.16
#[test]
fn s_4_17_another_template_starts_from_the_top_again() {
    let mut world =
        set(3).was("old").with([pod(0).at("old"), pod(1)]).with(pod(2)).spec("template", template("newest"));
    world.memory.trial.as_mut().expect("a trial").revision = world.status().update_revision;
    assert_eq!(world.deletes(), ["web-2"], "it was updated, and is outdated again");
}

#[test]
fn s_4_17_max_unavailable_counts_from_the_next_pass_on() {
    let world = set(5).was("old").parallel().with(pods_at("old", 0..4)).with(pod(4).at("old").terminating());
    assert_eq!(world.clone().max_unavailable(3).deletes(), ["web-3", "web-2"]);
    assert_eq!(world.max_unavailable(1).deletes(), NOTHING, "what was deleted already is not undone");
}

#[test]
fn s_12_19_parallel_does_not_wait_for_unready_outdated_pods() {
    let world = set(3).was("old").parallel().with([pod(0).at("old").unready(), pod(1).at("old").pending(), pod(2)]);
    assert_eq!(world.deletes(), ["web-1", "web-0"]);
}

#[test]
fn s_12_31_a_slot_without_a_pod_is_never_deleted_in_its_pass() {
    for strategy in [json!({}), json!({"type": "RollingUpdate"})] {
        let world = set(3).was("old").parallel().spec("updateStrategy", strategy).status_was("currentReplicas", 1);
        let world = world.with(pods(1..3));
        assert_eq!((world.creates(), world.deletes()), (vec!["web-0@web-new".to_owned()], vec![]));
        assert_eq!(world.status().current_replicas, 0, "and nothing is counted below zero");
    }
}

fn trial(verdict: Verdict) -> Option<Trial> {
    Some(Trial { revision: "web-new".into(), generation: 1, verdict })
}

fn refused(seconds: i64) -> Verdict {
    let retry_at = crate::fixture::ago(-seconds).parse().expect("a time");
    Verdict::Refused { message: "spec.containers[0].image: Required value".into(), count: 1, retry_at }
}

// also: O-4
#[test]
fn n_12_a_healthy_pod_goes_only_after_a_dry_run() {
    let world = outdated(3).untried();
    assert_eq!(
        world.does(),
        ["try pod web-0 at the update revision", "delete pod web-2: it is not at the update revision"]
    );
    assert_eq!(outdated(3).does(), ["delete pod web-2: it is not at the update revision"], "once per revision");
}

#[test]
fn o_4_the_pod_that_is_tried_is_the_lowest_to_be_replaced() {
    let world = set(4).was("old").partition(1).with(pods_at("old", 0..3)).with(pod(3)).untried();
    assert_eq!(world.does()[0], "try pod web-1 at the update revision");
    let missing = set(4).was("old").parallel().max_unavailable(2).with(pods_at("old", 1..4)).untried();
    assert!(
        missing.does().contains(&"try pod web-0 at the update revision".into()),
        "or created: {:?}",
        missing.does()
    );
}

// also: N-12
#[test]
fn o_4_a_refused_revision_deletes_nothing_until_it_is_time_to_ask_again() {
    for mut world in [outdated(3), outdated(3).parallel().max_unavailable(3)] {
        world.memory.trial = trial(refused(5));
        assert_eq!((world.does(), world.looks_again_in()), (vec![], Some(5.0)));
        assert_eq!(world.condition("Stalled"), "True PodRejected");
        world.memory.trial = trial(refused(0));
        assert_eq!(world.does()[0], "try pod web-0 at the update revision");
    }
}

#[test]
fn o_4_a_changed_set_is_tried_again_at_once() {
    let mut world = outdated(3);
    world.memory.trial = trial(refused(300));
    world.set["metadata"]["generation"] = 2.into();
    assert_eq!(world.does()[0], "try pod web-0 at the update revision");
    world.memory.trial = trial(Verdict::Passed);
    assert_eq!(world.does()[0], "delete pod web-2: it is not at the update revision", "what passed stays passed");
}

#[test]
fn o_4_nothing_is_tried_when_nothing_is_to_be_deleted() {
    for world in [set(3).untried(), outdated(3).partition(3).untried(), outdated(3).on_delete().untried()] {
        assert!(!world.does().iter().any(|what| what.starts_with("try")), "{:?}", world.does());
    }
}
