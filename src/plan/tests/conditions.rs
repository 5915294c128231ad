//! O-10, O-9 and O-7: what a set tells about itself, its Service, and pods that fail at once.

use crate::fixture::{
    NOTHING, PodBuilder, World, ago, by_pod, claim, fresh, now, pod, pods, pods_at, service, set, template,
};
use k8s_openapi::jiff::Timestamp;
use ordinal_plan::snapshot::{Failure, Failures, Refusal, Trial, Verdict};
use serde_json::{Value, json};

fn at(seconds_ago: i64) -> Timestamp {
    ago(seconds_ago).parse().expect("a time")
}

#[test]
fn o_10_available_when_enough_pods_are() {
    for (replicas, max, available, expected) in [
        (3, json!(null), 3, "True EnoughReplicas"),
        (3, json!(null), 2, "True EnoughReplicas"),
        (3, json!(null), 1, "False TooFewReplicas"),
        (10, json!("30%"), 7, "True EnoughReplicas"),
        (10, json!("30%"), 6, "False TooFewReplicas"),
        (3, json!(5), 1, "True EnoughReplicas"),
        (3, json!(5), 0, "False TooFewReplicas"),
        (1, json!(null), 0, "False TooFewReplicas"),
        (1, json!(null), 1, "True EnoughReplicas"),
        (0, json!(null), 0, "True EnoughReplicas"),
    ] {
        let world = set(replicas).max_unavailable(max.clone()).with(pods(0..available));
        assert_eq!(world.condition("Available"), expected, "{available} of {replicas}, maxUnavailable {max}");
    }
    assert_eq!(set(3).with(pods(0..2)).message("Available"), "2 of 3 pods available, 2 needed");
}

// also: S-12.25
#[test]
fn o_10_every_condition_carries_the_generation_that_it_is_of() {
    let mut world = set(1).spec("serviceName", "web").with(service()).with(pod(0));
    world.set["metadata"]["generation"] = 9.into();
    let conditions = world.status().conditions;
    let types: Vec<_> = conditions.iter().map(|c| c.type_.as_str()).collect();
    assert_eq!(types, ["Available", "Progressing", "Reconciling", "Stalled", "ServiceReady"]);
    assert!(conditions.iter().all(|c| c.observed_generation == Some(9)), "{conditions:?}");
}

/// Progressing, and the others that follow from it.
fn tells(world: &World, progressing: &str, message: &str) {
    assert_eq!(world.condition("Progressing"), progressing);
    assert_eq!(world.condition("Reconciling"), progressing, "kstatus reads this one");
    assert_eq!(world.message("Progressing"), message);
    assert_eq!(world.condition("Stalled"), "False NotStalled");
}

#[test]
fn o_10_progressing_scaling_up() {
    let world = set(3).with(pod(0).pending());
    tells(&world, "True ScalingUp", "2 of 3 pods to be created, waiting for web-0 to start");
}

#[test]
fn o_10_progressing_scaling_down() {
    let world = set(1).with(pods(0..3));
    tells(&world, "True ScalingDown", "2 pods to go, waiting for web-2 to be gone");
}

#[test]
fn o_10_progressing_rolling_out() {
    let world = set(3).was("old").with(pods_at("old", 0..3));
    tells(&world, "True RollingOut", "3 pods to be brought to revision web-new");
    let waiting = set(3).was("old").min_ready(9).with(pods_at("old", 0..2)).with(pod(2).ready_for(1));
    let message = "2 pods to be brought to revision web-new, waiting for web-2 to be ready for minReadySeconds";
    tells(&waiting, "True RollingOut", message);
}

#[test]
fn o_10_progressing_waiting_for_a_pod() {
    tells(&set(2).with([pod(0), pod(1).unready()]), "True WaitingForPod", "waiting for web-1 to be ready");
}

#[test]
fn o_10_progressing_waiting_for_a_claim() {
    let world = set(1).claims(&["data"]).with(claim(0).deleting());
    tells(&world, "True WaitingForClaim", "pvc data-web-0 is being deleted");
}

#[test]
fn o_10_progressing_deleting() {
    tells(&set(1).with(pod(0)).deleting(), "True Deleting", "the set is being deleted");
}

#[test]
fn o_10_progressing_complete() {
    tells(&set(2).with(pods(0..2)), "False Complete", "2 of 2 pods available");
    let kept = set(2).was("old").partition(1).with([pod(0).at("old"), pod(1)]);
    tells(&kept, "False Complete", "2 of 2 pods available, 1 of them kept at another revision");
    let on_delete = set(1).was("old").on_delete().with(pod(0).at("old"));
    tells(&on_delete, "False Complete", "1 of 1 pod available, 1 of them kept at another revision");
}

/// Stalled, and the others that follow from it.
fn stalls(world: &World, reason: &str, message: &str) {
    assert_eq!(world.condition("Stalled"), format!("True {reason}"));
    assert_eq!(world.message("Stalled"), message);
    assert_eq!(world.condition("Progressing"), format!("False {reason}"));
    assert_eq!(world.condition("Reconciling"), format!("False {reason}"));
}

#[test]
fn o_10_stalled_when_the_server_refuses_a_write() {
    let mut world = set(1);
    world.memory.refusal =
        Some(Refusal { doing: "creating pod web-0".into(), message: "exceeded quota: pods=0".into() });
    stalls(&world, "PodRejected", "creating pod web-0: exceeded quota: pods=0");
}

// also: O-4
#[test]
fn o_10_stalled_when_the_server_would_not_run_the_revision() {
    let mut world = set(1).was("old").with(pod(0).at("old"));
    let verdict = Verdict::Refused { message: "image: Required value".into(), count: 1, retry_at: at(-5) };
    world.memory.trial = Some(Trial { revision: "web-new".into(), generation: 1, verdict });
    stalls(&world, "PodRejected", "the API server would not run a pod of revision web-new: image: Required value");
    let on_delete = world.on_delete();
    assert_eq!(on_delete.condition("Stalled"), "False NotStalled", "nothing waits for it");
}

// also: S-4.13, S-12.1
#[test]
fn o_10_stalled_when_only_a_person_can_delete_the_broken_pod() {
    let world = |pod| set(2).was("old").with(pod).with(pods_at("old", 0..1));
    let broken = pod(1).at("bad").container_waits("CrashLoopBackOff", "back-off 5m0s");
    let message =
        "web-1 is not at revision web-new and does not get ready (CrashLoopBackOff): delete it to have it replaced";
    stalls(&world(broken.clone()), "WaitingForPod", message);
    let updated = pod(1).container_waits("CrashLoopBackOff", "back-off 5m0s");
    assert_eq!(world(updated).condition("Stalled"), "False NotStalled", "an updated pod may still get well");
    assert_eq!(world(broken.clone().terminating()).condition("Stalled"), "False NotStalled", "it is going already");
    assert_eq!(world(broken).parallel().condition("Stalled"), "False NotStalled", "Parallel replaces it by itself");
}

// also: S-12.8
#[test]
fn o_10_stalled_when_only_a_person_can_free_a_name() {
    let not_ours = || pod(1).label("app", "other");
    let message = "1 of 2 pods to be created, waiting for web-1 until a pod that is not the set's gives up its name";
    let world = |other| set(2).with([pod(0), other]);
    stalls(&world(not_ours()), "NameTaken", message);
    stalls(&world(not_ours()).parallel(), "NameTaken", message);
    for (leaves, why) in [
        (not_ours().terminating(), "it goes"),
        (pod(1).of_another(), "the set that it is of is gone, and the collector comes for it"),
    ] {
        assert_eq!(world(leaves.clone()).condition("Stalled"), "False NotStalled", "{why}");
        assert_eq!(world(leaves).parallel().condition("Stalled"), "False NotStalled", "{why}");
    }
}

#[test]
fn o_10_parallel_is_not_stalled_while_another_slot_or_pod_moves() {
    let world = |others: &[PodBuilder]| set(3).with(pod(1).label("app", "other")).with(others.to_vec()).parallel();
    assert_eq!(world(&[pod(0), pod(2)]).condition("Stalled"), "True NameTaken");
    for (others, what) in [
        (vec![pod(0)], "web-2 is made"),
        (vec![pod(0), pod(2).unready()], "web-2 may get ready"),
        (vec![pod(0), pod(2), pod(7)], "web-7 goes"),
    ] {
        assert_eq!(world(&others).condition("Stalled"), "False NotStalled", "{what}");
    }
    let outdated = world(&[pod(0).at("old"), pod(2)]).was("old");
    assert_eq!(outdated.condition("Stalled"), "True NameTaken", "the missing pod is all that may be unavailable");
    assert_eq!(outdated.max_unavailable(2).condition("Stalled"), "False NotStalled", "web-0 is brought up to date");
}

fn blocked_is(world: World, expected: &str, message: &str) {
    assert_eq!(world.blocked(), [expected]);
    assert_eq!(world.status().blocked_pods[0].message, message);
}

fn unschedulable() -> Value {
    let since = ago(60);
    json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available", "lastTransitionTime": since})
}

#[test]
fn o_10_blocked_unschedulable_in_the_schedulers_words_since_its_time() {
    let world = set(1).with(pod(0).pending().condition(unschedulable()));
    assert_eq!(json!(world.status().blocked_pods[0].since), ago(60));
    blocked_is(world, "web-0 Unschedulable", "0/3 nodes are available");
}

#[test]
fn o_10_a_pod_that_is_not_to_be_scheduled_yet_is_not_unschedulable() {
    for (status, reason) in [("False", "SchedulingGated"), ("True", "Unschedulable")] {
        let scheduled = json!({"type": "PodScheduled", "status": status, "reason": reason, "message": "m"});
        assert_eq!(set(1).with(pod(0).pending().condition(scheduled)).blocked(), NOTHING);
    }
}

#[test]
fn o_10_blocked_by_what_a_container_waits_for() {
    for (reason, shown) in [
        ("ImagePullBackOff", "ImagePullBackOff"),
        ("ErrImagePull", "ImagePullBackOff"),
        ("CrashLoopBackOff", "CrashLoopBackOff"),
        ("CreateContainerConfigError", "CreateContainerConfigError"),
    ] {
        blocked_is(set(1).with(pod(0).container_waits(reason, "why")), &format!("web-0 {shown}"), "why");
    }
    let waiting = json!([{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "why"}}}]);
    let init = pod(0).pending().status("initContainerStatuses", waiting);
    blocked_is(set(1).with(init), "web-0 ImagePullBackOff", "why");
    for harmless in ["ContainerCreating", "PodInitializing", ""] {
        assert_eq!(set(1).with(pod(0).container_waits(harmless, "")).blocked(), NOTHING);
    }
}

#[test]
fn o_10_blocked_on_a_lost_node() {
    let taint = json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": "taint manager: deleting", "lastTransitionTime": ago(30)});
    blocked_is(set(1).with(pod(0).terminating().condition(taint)), "web-0 NodeLost", "taint manager: deleting");
    let words = "the node that runs it does not answer";
    blocked_is(set(1).with(pod(0).phase("Unknown")), "web-0 NodeLost", words);
    blocked_is(set(1).with(pod(0).unready().status("reason", json!("NodeLost"))), "web-0 NodeLost", words);
}

#[test]
fn o_10_blocked_by_a_claim_that_is_not_bound() {
    let world = set(1).claims(&["data"]).with(claim(0).unbound()).with(pod(0).pending().condition(unschedulable()));
    blocked_is(world, "web-0 ClaimPending", "claim data-web-0 is not bound: 0/3 nodes are available");
}

// also: S-5.4
#[test]
fn o_10_blocked_by_a_stale_claim() {
    let world = set(1).claims(&["data"]).retention("Retain", "Delete").with(claim(0).owner(by_pod(0)));
    blocked_is(world, "web-0 ClaimPending", "waiting for web-0 until a claim of its predecessor is collected");
}

// also: S-12.8
#[test]
fn o_10_blocked_by_a_name_that_is_taken() {
    let message = "a pod of this name exists that is not the set's";
    for other in [pod(0).of_another(), pod(0).label("app", "other"), pod(0).orphan().label("app", "other")] {
        blocked_is(set(1).with(other), "web-0 NameTaken", message);
    }
    assert_eq!(
        set(1).with([pod(0), pod(4).of_another()]).blocked(),
        NOTHING,
        "outside of the range it is in nobody's way"
    );
}

// also: O-7
#[test]
fn o_10_blocked_because_it_fails_fast() {
    let world = failing_fast(2, 0);
    assert_eq!(world.blocked(), ["web-0 FailingFast"]);
    assert_eq!(world.status().blocked_pods[0].message, "it failed within a minute of its creation, 2 times in a row");
}

#[test]
fn o_10_blocked_when_terminating_past_its_grace() {
    blocked_is(
        set(1).with(pod(0).grace_over_for(5)),
        "web-0 Terminating",
        "its grace period is over, and it is still there",
    );
    assert_eq!(set(1).with(pod(0).grace_over_for(5)).looks_again_in(), None);
    let before = set(1).with(pod(0).grace_over_for(4));
    assert_eq!((before.blocked(), before.looks_again_in()), (vec![], Some(1.0)), "and it is looked at again then");
    assert_eq!(set(0).with(pod(0).grace_over_for(60)).blocked(), ["web-0 Terminating"], "condemned pods too");
}

#[test]
fn o_10_a_pod_that_is_well_blocks_nothing() {
    assert_eq!(set(3).with([pod(0), pod(1).unready(), pod(2).pending()]).blocked(), NOTHING);
}

#[test]
fn o_10_at_most_ten_pods_are_listed_lowest_ordinals_first() {
    let broken = (0..15).rev().map(|o| pod(o).container_waits("CrashLoopBackOff", "")).collect::<Vec<_>>();
    let blocked = set(15).with(broken).blocked();
    assert_eq!(
        (blocked.len(), blocked[0].as_str(), blocked[9].as_str()),
        (10, "web-0 CrashLoopBackOff", "web-9 CrashLoopBackOff")
    );
}

#[test]
fn o_10_of_more_than_ten_condemned_pods_the_lowest_are_listed() {
    let stuck = (1..16).map(|o| pod(o).grace_over_for(60)).collect::<Vec<_>>();
    let blocked = set(1).with(pod(0)).with(stuck).blocked();
    assert_eq!(
        (blocked.len(), blocked[0].as_str(), blocked[9].as_str()),
        (10, "web-1 Terminating", "web-10 Terminating")
    );
}

#[test]
fn o_10_since_is_kept_while_the_trouble_is_the_same() {
    let broken = || set(1).with(pod(0).container_waits("CrashLoopBackOff", ""));
    assert_eq!(json!(broken().status().blocked_pods[0].since), json!(now().to_string()));
    let before = |reason: &str| json!([{"name": "web-0", "reason": reason, "since": "2020-01-01T00:00:00Z"}]);
    let same = broken().status_was("blockedPods", before("CrashLoopBackOff"));
    assert_eq!(json!(same.status().blocked_pods[0].since), "2020-01-01T00:00:00Z");
    let other = broken().status_was("blockedPods", before("ImagePullBackOff"));
    assert_eq!(json!(other.status().blocked_pods[0].since), json!(now().to_string()));
}

/// A set with a governing Service, missing since so many seconds.
fn missing_since(seconds: i64) -> World {
    let mut world = set(1).with(pod(0)).spec("serviceName", "web");
    world.memory.service_missing_since = Some(at(seconds));
    world
}

fn with_service(service: impl crate::fixture::Thing) -> World {
    set(1).spec("serviceName", "web").with(pod(0)).with(service)
}

#[test]
fn o_9_a_service_is_made_when_it_has_been_missing_for_15_seconds() {
    let fresh = set(1).with(pod(0)).spec("serviceName", "web");
    assert_eq!((fresh.does(), fresh.looks_again_in()), (vec![], Some(15.0)));
    assert_eq!(fresh.plan().memory.service_missing_since, Some(now()));
    let soon = missing_since(14);
    assert_eq!((soon.does(), soon.looks_again_in()), (vec![], Some(1.0)));
    assert_eq!(missing_since(15).does(), ["create service web"]);
    assert_eq!(missing_since(15).condition("ServiceReady"), "False Missing");
}

#[test]
fn o_9_the_service_is_headless_selects_the_pods_and_carries_the_named_ports_once() {
    let mut from = template("new");
    from["spec"]["containers"] = json!([
        {"name": "a", "ports": [{"name": "sql", "containerPort": 5432}, {"containerPort": 9}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}]},
        {"name": "b", "ports": [{"name": "sql", "containerPort": 1}, {"name": "other", "containerPort": 5432}]},
    ]);
    let world = fresh(1).spec("serviceName", "db").spec("template", from);
    let made = ordinal_plan::service::desired(&world.snapshot().set);
    assert_eq!((&made["metadata"]["name"], &made["metadata"]["namespace"]), (&json!("db"), &json!("ns")));
    assert_eq!(made["metadata"]["ownerReferences"], json!([crate::fixture::by_set()]));
    let expected = json!({
        "clusterIP": "None", "selector": {"app": "web"}, "publishNotReadyAddresses": false,
        "ports": [
            {"name": "sql", "port": 5432, "targetPort": 5432, "protocol": "TCP"},
            {"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"},
        ],
    });
    assert_eq!(made["spec"], expected);
}

#[test]
fn o_9_without_match_labels_or_name_or_when_deleting_none_is_made() {
    let expressions = json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]});
    assert_eq!(missing_since(60).spec("selector", expressions).does(), NOTHING);
    let deleting = missing_since(60).deleting();
    assert_eq!((deleting.does(), deleting.condition("ServiceReady")), (vec![], "False Missing".into()));
    let unnamed = missing_since(60).spec("serviceName", "");
    assert_eq!((unnamed.does(), unnamed.condition("ServiceReady")), (vec![], String::new()));
}

#[test]
fn o_9_service_ready_tells_what_is_wrong() {
    assert_eq!(with_service(service()).condition("ServiceReady"), "True Found");
    let not_headless = with_service(service().spec("clusterIP", json!("10.0.0.1")));
    assert_eq!(not_headless.condition("ServiceReady"), "False NotHeadless");
    for selector in [json!({"app": "other"}), json!({"app": "web", "tier": "db"}), json!({})] {
        let mismatch = with_service(service().spec("selector", selector));
        assert_eq!(mismatch.condition("ServiceReady"), "False SelectorMismatch");
    }
    let mut failed = missing_since(60);
    failed.memory.service_error = Some("forbidden: no".into());
    assert_eq!(failed.condition("ServiceReady"), "False CreateFailed");
    assert!(failed.message("ServiceReady").ends_with("forbidden: no"), "{}", failed.message("ServiceReady"));
}

// also: N-9
#[test]
fn o_9_a_service_of_somebody_else_is_never_touched() {
    for wrong in
        [service(), service().spec("clusterIP", json!("10.0.0.1")), service().spec("selector", json!({"a": "b"}))]
    {
        assert_eq!(with_service(wrong).does(), NOTHING);
    }
}

// also: O-9
#[test]
fn s_11_6_two_sets_may_share_one_service() {
    let mut shared = set(1).spec("serviceName", "web").spec("template", {
        let mut from = template("new");
        from["metadata"]["labels"]["cluster"] = "db".into();
        from
    });
    shared = shared.with(service().of_another().spec("selector", json!({"cluster": "db"})));
    assert_eq!(shared.condition("ServiceReady"), "True Found");
    assert!(!shared.does().iter().any(|what| what.contains("service")), "it is the other set's: {:?}", shared.does());
}

#[test]
fn o_9_its_own_service_is_brought_up_to_date_at_most_once_a_minute() {
    let wrong = || with_service(service().own().spec("selector", json!({"app": "web", "tier": "db"})));
    assert_eq!(wrong().does(), ["update service web"]);
    let plan = wrong().plan();
    assert_eq!(plan.memory.service_mended, Some(now()));
    let patch = plan.actions().find_map(|a| match a {
        ordinal_plan::action::Action::UpdateService { patch, .. } => Some(patch.clone()),
        _ => None,
    });
    let patch = patch.expect("an update");
    assert_eq!(patch["metadata"]["uid"], "service", "of exactly this Service");
    assert_eq!(patch["spec"]["selector"], json!({"app": "web", "tier": null}), "what is too much goes");
    assert_eq!(patch["spec"].get("clusterIP"), None, "it cannot change");
    let mut mended = wrong();
    mended.memory.service_mended = Some(at(59));
    assert_eq!((mended.does(), mended.looks_again_in()), (vec![], Some(1.0)));
    mended.memory.service_mended = Some(at(60));
    assert_eq!(mended.does(), ["update service web"]);
    assert_eq!(with_service(service().own()).does(), NOTHING);
    assert_eq!(wrong().deleting().does(), NOTHING);
}

// also: S-11.1
#[test]
fn o_9_pods_are_never_held_back_by_the_service() {
    for world in [
        set(1).spec("serviceName", "web"),
        set(1).spec("serviceName", "web").with(service().spec("clusterIP", json!("x"))),
    ] {
        assert_eq!(world.creates(), ["web-0@web-new"]);
        assert_eq!(world.makes_pod(0)["spec"]["subdomain"], "web");
    }
}

/// A pod that failed at once, for the so-manieth time, seen so many seconds ago.
fn failing_fast(count: u32, seen: i64) -> World {
    let mut world = set(1).with(pod(0).failed().age(seen + 30));
    let failure = Failure { uid: "uid-web-0".into(), count, seen: at(seen) };
    world.memory.failures = Failures { revision: "web-new".into(), slots: [(0, failure)].into() };
    world
}

// also: S-12.9
#[test]
fn o_7_a_pod_that_ends_within_a_minute_of_its_creation_stays_for_a_while() {
    for phase in ["Failed", "Succeeded"] {
        let at_once = set(1).with(pod(0).phase(phase).age(60));
        assert_eq!((at_once.does(), at_once.looks_again_in()), (vec![], Some(1.0)));
        assert_eq!(at_once.plan().memory.failures.slots[&0].count, 1);
        let mut later = set(1).with(pod(0).phase(phase).age(61));
        assert_eq!(later.deletes(), ["web-0"]);
        later.pods[0]["metadata"]["creationTimestamp"] = json!(null);
        assert_eq!(later.deletes(), ["web-0"], "nothing is known of its age");
    }
}

#[test]
fn o_7_the_wait_doubles_with_every_failure_up_to_five_minutes() {
    for (count, wait) in [(1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (40, 300)] {
        let waiting = failing_fast(count, wait - 1);
        assert_eq!((waiting.does(), waiting.looks_again_in()), (vec![], Some(1.0)), "{count} in a row");
        assert_eq!(failing_fast(count, wait).deletes(), ["web-0"], "{count} in a row");
    }
}

#[test]
fn o_7_failures_are_counted_per_slot_and_once_per_pod() {
    let mut world = failing_fast(3, 2);
    assert_eq!(world.plan().memory.failures.slots[&0].count, 3, "the same pod is not counted again");
    world.pods.clear();
    let world = world.with([pod(0).failed().age(5).uid("next"), pod(1).failed().age(5)]).spec("replicas", 2).parallel();
    let slots = world.plan().memory.failures.slots;
    assert_eq!((slots[&0].count, slots[&1].count), (4, 1));
    assert_eq!(world.plan().memory.failures.revision, "web-new", "for which they are counted");
}

#[test]
fn o_7_a_young_pod_that_runs_or_is_going_already_is_no_failure() {
    for harmless in [pod(0).age(5), pod(0).unready().age(5), pod(0).failed().age(5).terminating()] {
        assert_eq!(set(1).with(harmless).plan().memory.failures.slots.len(), 0);
    }
}

#[test]
fn o_7_ten_quiet_minutes_or_another_revision_forget() {
    assert_eq!(failing_fast(3, 599).plan().memory.failures.slots.len(), 1);
    assert_eq!(failing_fast(3, 600).plan().memory.failures.slots.len(), 0);
    let mut other = failing_fast(9, 5);
    other.memory.failures.revision = "web-old".into();
    other.pods[0]["metadata"]["creationTimestamp"] = ago(7000).into();
    assert_eq!(other.deletes(), ["web-0"], "a new template does not wait for what the old one did");
}

#[test]
fn o_7_in_ordered_ready_the_slots_above_wait_with_it_and_in_parallel_they_do_not() {
    let world = set(2).with(pod(0).failed().age(3));
    assert_eq!((world.does(), world.waits()), (vec![], "waiting for web-0 to be replaced".into()));
    assert_eq!(world.parallel().creates(), ["web-1@web-new"]);
}
