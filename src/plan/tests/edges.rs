//! Sharp edges (S-12), at-most-one (S-9), the order of a pass (S-4.1), and input that no API server admits (O-15, N-14).

use crate::fixture::{
    NOTHING, World, ago, by_pod, claim, claim_named, fresh, parse, pod, pods, pods_at, reference, revision, set,
};
use ordinal_api::OrdinalSet;
use ordinal_plan::{
    action::StageKind,
    snapshot::{Memory, Refusal, Set},
};
use serde_json::{Value, json};

#[test]
fn s_4_1_the_steps_of_a_pass_come_in_their_order() {
    let mut world = fresh(3).parallel().spec("serviceName", "web").spec("revisionHistoryLimit", 0);
    world.memory.service_missing_since = Some(ago(60).parse().expect("a time"));
    let world = world.with([revision("h", 1), revision("old", 2).orphan()]).status_was("currentRevision", "web-old");
    let world = world.untried().with([pod(0).at("old").orphan(), pod(1).at("old"), pod(2).at("old"), pod(5)]);
    let kinds: Vec<StageKind> = world.plan().stages.iter().map(|s| s.kind).collect();
    let expected = [
        StageKind::Claiming,
        StageKind::Service,
        StageKind::Revision,
        StageKind::Condemned,
        StageKind::Trial,
        StageKind::Update,
        StageKind::History,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(world.does()[..2], ["adopt revision web-old", "adopt pod web-0"], "revisions before pods");
}

#[test]
fn s_4_1_a_pass_that_fails_has_a_status_all_the_same() {
    let world = set(2).claims(&["data"]).with(claim(1).deleting()).with(pod(0));
    assert_eq!(world.fails(), "pvc data-web-1 is being deleted");
    assert_eq!((world.status().replicas, world.status().observed_generation), (1, 1));
}

// also: N-2
#[test]
fn s_9_1_a_terminating_pod_is_waited_for_for_ever() {
    for ended in [pod(0), pod(0).unready(), pod(0).failed(), pod(0).phase("Unknown"), pod(0).pending()] {
        let stuck = ended.grace_over_for(1_000_000);
        for world in [set(1), set(1).parallel(), set(1).was("old"), set(0), set(0).parallel()] {
            assert_eq!(world.with(stuck.clone()).does(), NOTHING, "neither deleted again nor replaced");
        }
    }
}

// also: S-12.2
#[test]
fn s_9_2_the_pod_of_a_lost_node_is_waited_for_until_its_object_is_gone() {
    let marked = || pod(1).unready().status("reason", json!("NodeLost"));
    let taint = json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"});
    for lost in [marked(), marked().condition(taint).terminating()] {
        let world = set(3).was("old").with([pod(0).at("old"), lost]);
        assert_eq!(world.does(), NOTHING, "OrderedReady blocks");
        assert_eq!(world.parallel().creates(), ["web-2@web-new"], "Parallel still manages the other slots");
    }
    assert_eq!(
        set(3).with([pod(0), pod(2)]).creates(),
        ["web-1@web-new"],
        "the identity moves when the object is gone"
    );
}

// also: S-4.16
#[test]
fn s_9_3_a_pod_that_a_node_ended_or_turned_away_is_replaced() {
    for reason in ["Terminated", "NodeShutdown", "Evicted", "NodeAffinity"] {
        let world = set(1).with(pod(0).failed().status("reason", json!(reason)));
        assert_eq!(world.deletes(), ["web-0"]);
    }
}

#[test]
fn s_12_8_a_name_that_is_taken_is_waited_for_and_nothing_is_made_for_it() {
    for other in [pod(0).of_another(), pod(0).label("app", "x"), pod(0).orphan().terminating()] {
        let world = set(2).claims(&["data"]).with(other);
        assert_eq!(world.creates(), NOTHING);
        assert_eq!((world.fails(), world.looks_again_in()), (String::new(), None), "no retry: the pod is watched");
        assert_eq!(world.waits(), "waiting for web-0 until a pod that is not the set's gives up its name");
        assert_eq!(world.parallel().creates(), ["web-1@web-new"], "in Parallel it holds back its slot alone");
    }
}

#[test]
fn s_12_29_replicas_counts_pods_that_terminate() {
    let world = set(2).with([pod(0), pod(1), pod(2).terminating()]);
    assert_eq!(world.status().replicas, 3, "autoscalers see more than are usable");
}

#[test]
fn s_12_26_an_orphan_of_another_that_fits_by_name_and_labels_is_captured_and_deleted() {
    assert_eq!(set(1).with([pod(0), pod(7).orphan()]).deletes(), ["web-7"]);
}

// also: S-4.2
#[test]
fn s_3_9_a_failed_pod_below_the_partition_comes_back_at_the_old_revision() {
    let world = || set(2).was("old").partition(1).with(pod(1));
    assert_eq!(world().with(pod(0).at("old").failed()).deletes(), ["web-0"]);
    assert_eq!(world().with(pod(0).at("old").failed().terminating()).does(), NOTHING, "while a finalizer holds it");
    assert_eq!(world().creates(), ["web-0@web-old"]);
}

#[test]
fn s_4_2_start_ordinals() {
    for (start, replicas, created) in
        [(0, 2, vec!["web-0", "web-1"]), (2, 2, vec!["web-2", "web-3"]), (7, 1, vec!["web-7"]), (5, 0, vec![])]
    {
        let made: Vec<_> = created.into_iter().map(|name| format!("{name}@web-new")).collect();
        assert_eq!(set(replicas).parallel().start(start).creates(), made);
    }
    assert_eq!(set(1).parallel().start(3).with(pods(3..6)).deletes(), ["web-5", "web-4"], "the lowest stays");
}

// also: S-4.16
#[test]
fn s_4_4_deleted_pods_are_made_again_under_their_names() {
    let world = set(5).with([pod(1), pod(3)]);
    assert_eq!(world.creates(), ["web-0@web-new"]);
    assert_eq!(world.parallel().creates(), ["web-0@web-new", "web-2@web-new", "web-4@web-new"]);
}

#[test]
fn s_4_11_large_sets_scale_in_one_parallel_pass() {
    for (from, to) in [(3, 30), (10, 1), (501, 0), (0, 1000)] {
        let world = set(to).parallel().with(pods(0..from));
        let (made, gone) = (world.creates().len() as i32, world.deletes().len() as i32);
        assert_eq!(made - gone, to - from, "{from} to {to}");
    }
}

#[test]
fn s_5_4_each_state_of_the_claims() {
    let pod_ref = |api: &str, kind: &str, name: &str| reference(api, kind, name, "gone");
    let both = |data: Vec<Value>, log: Option<Vec<Value>>| {
        let world = set(1).claims(&["data", "log"]).retention("Retain", "Delete").with(claim(0).owners(data));
        let world = match log {
            Some(log) => world.with(claim_named("log-web-0").owners(log)),
            None => world,
        };
        world.creates().is_empty()
    };
    assert!(!both(vec![], None), "no owners");
    assert!(both(vec![by_pod(0)], None), "the predecessor's");
    assert!(both(vec![by_pod(1), by_pod(0)], None), "behind another owner");
    assert!(both(vec![], Some(vec![by_pod(0)])), "on the second claim");
    assert!(!both(vec![by_pod(1)], Some(vec![])), "another pod's");
    assert!(!both(vec![pod_ref("apps/v1", "Pod", "web-0")], None), "of another group");
    assert!(!both(vec![pod_ref("v1", "Node", "web-0")], None), "of another kind");
}

#[test]
fn s_4_6_a_deleted_pod_comes_back_at_the_update_revision_in_mid_roll_out() {
    let world = set(3).was("old").with([pod(1).at("old"), pod(2)]);
    assert_eq!(world.creates(), ["web-0@web-new"]);
    assert_eq!(world.on_delete().creates(), ["web-0@web-new"]);
}

// also: S-3.6
#[test]
fn n_13_a_restart_writes_nothing_and_makes_no_second_revision() {
    let mut world = set(3).was("old").partition(2).claims(&["data"]).retention("Delete", "Retain");
    let owned = (0..3).map(|o| claim(o).owner(crate::fixture::by_set())).collect::<Vec<_>>();
    world = world.with(owned).with(pods_at("old", 0..2)).with(pod(2));
    world.memory = Memory::default();
    assert_eq!(world.does(), NOTHING);
}

#[test]
fn s_4_18_pods_wake_their_set_so_only_time_itself_has_a_timer() {
    let waits = [pod(0).pending(), pod(0).unready(), pod(0).phase("Unknown"), pod(0).failed()];
    for waiting in waits {
        let world = set(2).min_ready(10).with(waiting);
        assert_eq!((world.looks_again_in(), world.waits().is_empty()), (None, false));
    }
    assert_eq!(set(2).looks_again_in(), None, "a creation comes back as an event");
    assert_eq!(set(2).min_ready(10).with(pod(0).ready_for(4)).looks_again_in(), Some(6.0));
}

#[test]
fn o_8_unavailable_pods_below_the_partition_use_the_budget() {
    let world = set(4).was("old").parallel().partition(2).max_unavailable(1);
    let world = world.with([pod(0).unready(), pod(1).at("old"), pod(2).at("old"), pod(3).at("old")]);
    assert_eq!(world.deletes(), NOTHING);
}

#[test]
fn s_4_9_old_pods_that_are_all_unready_do_not_hold_the_roll_out() {
    let world = set(3).was("old").parallel().with((0..3).map(|o| pod(o).at("old").unready()).collect::<Vec<_>>());
    assert_eq!(world.deletes(), ["web-2", "web-1", "web-0"]);
}

#[test]
fn o_8_with_one_replica_the_one_pod_goes() {
    for max in [json!(1), json!("100%"), json!("1%"), json!(null)] {
        assert_eq!(set(1).was("old").max_unavailable(max).with(pod(0).at("old")).deletes(), ["web-0"]);
    }
}

#[test]
fn o_10_a_refused_write_is_tried_again_and_other_work_goes_on() {
    // Quota: what frees it, a scale-down, must not wait for what needs it.
    let mut world = set(2).parallel().with([pod(0), pod(3)]);
    let message = "exceeded quota".into();
    world.memory.refusal = Some(Refusal { doing: "creating pod web-1".into(), message });
    assert_eq!((world.creates(), world.deletes()), (vec!["web-1@web-new".to_owned()], vec!["web-3".to_owned()]));
}

#[test]
fn s_2_5_a_revision_label_written_by_hand_is_believed() {
    let unknown = set(1).with(pod(0).at("of-nobody"));
    assert_eq!(unknown.deletes(), ["web-0"], "a revision that does not exist is not the update revision");
    let forged = set(2).was("old").with([pod(0).at("old"), pod(1).label("controller-revision-hash", "web-new")]);
    assert_eq!((forged.deletes(), forged.status().updated_replicas), (vec!["web-0".to_owned()], 1));
}

fn judged(change: impl FnOnce(&mut Value)) -> Result<Set, String> {
    let mut object = set(1).set;
    change(&mut object);
    Set::new(parse::<OrdinalSet>(&object)).map_err(|e| e.to_string())
}

// also: N-14
#[test]
fn o_15_a_set_that_cannot_be_planned_for_says_why() {
    let error = |change: fn(&mut Value)| judged(change).expect_err("it cannot be planned for");
    assert_eq!(
        error(|s| s["spec"]["selector"] = json!({})),
        "spec.selector: empty selector is invalid for statefulset"
    );
    assert_eq!(error(|s| s["spec"]["template"] = json!(7)), "spec.template is not an object");
    let expression = |operator: &str, values: Value| {
        judged(|s| {
            s["spec"]["selector"] = json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]})
        })
    };
    let message = expression("Near", json!(["x"])).expect_err("an operator that does not exist");
    assert!(message.starts_with("spec.selector cannot be evaluated: "), "{message}");
    assert!(expression("In", json!(["x"])).is_ok());
}

#[test]
fn n_14_numbers_that_no_server_admits_count_as_the_nearest_that_it_does() {
    assert_eq!(set(-5).with(pod(0)).deletes(), ["web-0"], "replicas");
    assert_eq!(set(1).start(-2).creates(), ["web-0@web-new"], "start");
    assert_eq!(set(1).was("old").partition(-3).with(pod(0).at("old")).deletes(), ["web-0"], "partition");
    assert_eq!(set(1).min_ready(-1).with(pod(0).ready_for(0)).status().available_replicas, 1, "minReadySeconds");
    for max in [json!(0), json!(-4), json!("0%"), json!("-50%"), json!("many"), json!("%"), json!("")] {
        let world = set(3).was("old").max_unavailable(max.clone()).with(pods_at("old", 0..3));
        assert_eq!(world.deletes(), ["web-2"], "maxUnavailable {max}");
    }
    let most = set(3).was("old").max_unavailable("9223372036854775807%").with(pods_at("old", 0..3));
    assert_eq!(most.deletes().len(), 3);
}

#[test]
fn n_14_ordinals_beyond_32_bits_have_no_pods() {
    let world = set(3).parallel().start(i32::MAX);
    assert_eq!(world.creates(), ["web-2147483647@web-new"]);
    let world = set(i32::MAX).start(i32::MAX).partition(i32::MAX).was("old");
    assert_eq!(world.creates(), ["web-2147483647@web-old"]);
}

#[test]
fn n_14_a_typing_error_in_replicas_costs_5000_pods_a_pass() {
    assert_eq!(set(i32::MAX).parallel().creates().len(), 5000);
    assert_eq!(
        set(i32::MAX).parallel().with(pods(0..10)).creates().last().map(String::as_str),
        Some("web-5009@web-new")
    );
}

#[test]
fn n_14_times_that_make_no_sense_harm_nothing() {
    let world = |pod| set(1).min_ready(i32::MAX).with(pod);
    assert_eq!(world(pod(0).ready_for(0)).looks_again_in(), Some(f64::from(i32::MAX)));
    assert_eq!(world(pod(0).ready_for(-1_000_000_000)).status().available_replicas, 0);
    let far: World = set(1).with(pod(0).grace_over_for(-200_000_000_000));
    assert!(far.looks_again_in().is_some_and(|s| s > 1e11), "a grace period of thousands of years");
}
