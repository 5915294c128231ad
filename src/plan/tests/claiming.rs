//! S-2.5 and N-4: which pods are the set's.

use crate::fixture::{NOTHING, PodBuilder, pod, set};

/// What comes of a pod web-0 in range and of a pod web-7 out of range.
fn both(change: impl Fn(PodBuilder) -> PodBuilder, deleting: bool) -> (Vec<String>, Vec<String>) {
    let world = if deleting { set(1).deleting() } else { set(1) };
    let condemned = world.clone().with([pod(0), change(pod(7))]).does();
    (world.with(change(pod(0))).does(), condemned)
}

fn unmatched(pod: PodBuilder) -> PodBuilder {
    pod.label("app", "other")
}

#[test]
fn s_2_1_a_name_that_only_reads_like_a_slots_is_in_nobodys_way() {
    let world = set(1).with(pod(0).named("web-00").of_another());
    assert_eq!((world.creates(), world.blocked()), (vec!["web-0@web-new".to_owned()], vec![]));
}

#[test]
fn s_2_5_a_pod_of_another_uid_is_ignored() {
    for change in [
        PodBuilder::of_another,
        |p: PodBuilder| unmatched(p.of_another()),
        |p: PodBuilder| p.of_another().terminating(),
    ] {
        let (slot, condemned) = both(change, false);
        assert_eq!(slot, NOTHING, "its name is taken, so nothing is made either");
        assert_eq!(condemned, NOTHING);
    }
}

#[test]
fn s_2_5_a_pod_of_ours_that_matches_is_claimed() {
    assert_eq!(both(|p| p, false), (vec![], vec!["delete pod web-7: its ordinal is out of range".into()]));
    let world = set(2).with([pod(0), pod(1).terminating()]);
    assert_eq!(world.status().replicas, 2, "terminating or not");
    assert_eq!(world.deleting().status().replicas, 2, "and whether the set is being deleted or not");
}

#[test]
fn s_2_5_a_pod_of_ours_that_does_not_match_is_ignored_while_the_set_is_being_deleted() {
    assert_eq!(both(unmatched, true), (vec![], vec![]));
    assert_eq!(set(1).deleting().with(unmatched(pod(0))).status().replicas, 0);
}

#[test]
fn s_2_5_a_pod_of_ours_that_does_not_match_is_released() {
    for change in [unmatched, |p: PodBuilder| unmatched(p).terminating()] {
        let (slot, condemned) = both(change, false);
        assert_eq!(slot, ["release pod web-0"]);
        assert_eq!(condemned, ["release pod web-7"], "and is not deleted as condemned");
    }
    let misnamed = set(0).with(pod(0).named("db-0"));
    assert_eq!(misnamed.does(), ["release pod db-0"], "a pod of another name is no member");
    assert_eq!(set(1).with(unmatched(pod(0))).status().replicas, 0, "it is not claimed");
}

#[test]
fn s_2_5_an_orphan_that_does_not_match_is_ignored() {
    assert_eq!(both(|p| unmatched(p.orphan()), false), (vec![], vec![]));
    assert_eq!(set(0).with(pod(0).named("db-0").orphan()).does(), NOTHING);
}

#[test]
fn s_2_5_an_orphan_that_matches_is_ignored_while_the_set_is_being_deleted() {
    assert_eq!(both(PodBuilder::orphan, true), (vec![], vec![]));
    assert_eq!(set(1).deleting().with(pod(0).orphan()).status().replicas, 0);
}

#[test]
fn s_2_5_a_terminating_orphan_is_ignored() {
    let (slot, condemned) = both(|p| p.orphan().terminating(), false);
    assert_eq!((slot, condemned), (vec![], vec![]));
}

// also: S-12.26
#[test]
fn s_2_5_an_orphan_that_matches_is_adopted_and_then_treated_like_any_other() {
    let (slot, condemned) = both(PodBuilder::orphan, false);
    assert_eq!(slot, ["adopt pod web-0"]);
    assert_eq!(condemned, ["adopt pod web-7", "delete pod web-7: its ordinal is out of range"]);
    assert_eq!(set(1).with(pod(0).orphan()).status().ready_replicas, 1, "it is claimed in the same pass");
}

#[test]
fn s_2_5_an_adopted_pod_without_revision_label_is_outdated() {
    let world = set(1).with(pod(0).orphan().without_label("controller-revision-hash"));
    assert_eq!(world.does(), ["adopt pod web-0", "delete pod web-0: it is not at the update revision"]);
    assert_eq!(world.status().updated_replicas, 0);
}

#[test]
fn s_2_5_adoption_does_not_rewrite_the_revision_label() {
    let world = set(1).was("old").on_delete().with(pod(0).orphan().without_label("controller-revision-hash"));
    assert_eq!(world.does(), ["adopt pod web-0"]);
}

#[test]
fn n_4_after_claiming_labels_decide_nothing() {
    // Labels that call it another pod's twin neither move it nor delete it.
    let twin = pod(0).label("statefulset.kubernetes.io/pod-name", "web-9").label("apps.kubernetes.io/pod-index", "9");
    let world = set(1).with(twin);
    assert_eq!(world.deletes(), NOTHING);
    assert_eq!(world.does(), ["repair labels of pod web-0"]);
    let pretends =
        pod(1).label("statefulset.kubernetes.io/pod-name", "web-0").label("apps.kubernetes.io/pod-index", "0");
    assert_eq!(set(1).with([pod(0), pretends]).deletes(), ["web-1"], "its name makes it condemned");
}

#[test]
fn n_9_what_somebody_else_controls_is_left_alone_whatever_its_state() {
    for change in
        [PodBuilder::failed, PodBuilder::unready, |p: PodBuilder| p.at("old"), |p: PodBuilder| p.label("app", "x")]
    {
        for world in [set(1), set(0), set(1).parallel()] {
            assert_eq!(world.with(change(pod(0).of_another())).does(), NOTHING);
        }
    }
}
