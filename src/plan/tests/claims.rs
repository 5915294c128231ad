//! S-5: claims, and whose they are.

use crate::fixture::{
    ClaimBuilder, NOTHING, PodBuilder, World, by_pod, by_set, claim, claim_named, pod, pods, reference, set, template,
};
use ordinal_plan::{
    action::FailedPod,
    claim::{desired, owner_patch},
};
use serde_json::{Value, json};

#[test]
fn s_5_1_the_desired_claim_is_the_template_with_name_namespace_and_the_selectors_labels() {
    let claim_template = json!({
        "metadata": {
            "name": "data", "namespace": "mine", "labels": {"tier": "db", "app": "mine"},
            "annotations": {"a": "b"}, "finalizers": ["example.com/hold"],
        },
        "spec": {"resources": {"requests": {"storage": "1Gi"}}, "fieldOfTomorrow": true},
        "status": {"phase": "Pending"},
    });
    let selector = json!({
        "matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}],
    });
    let world = set(1).spec("volumeClaimTemplates", json!([claim_template])).spec("selector", selector);
    let made = desired(&world.snapshot().set, "data", "data-web-0").expect("a template");
    let expected = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "data-web-0", "namespace": "ns", "labels": {"tier": "db", "app": "web"},
            "annotations": {"a": "b"}, "finalizers": ["example.com/hold"],
        },
        "spec": {"resources": {"requests": {"storage": "1Gi"}}, "fieldOfTomorrow": true},
    });
    assert_eq!(made, expected, "the selector's labels win, its expressions are none, no owner is put on");
}

// also: S-12.22
#[test]
fn s_5_1_claims_of_several_pods_are_made_from_one_template_without_touching_it() {
    let world = set(2).claims(&["data"]);
    let before = world.snapshot().set;
    for name in ["data-web-0", "data-web-1"] {
        let made = desired(&before, "data", name).expect("a template");
        assert_eq!((&made["metadata"]["name"], &made["metadata"]["labels"]["app"]), (&json!(name), &json!("web")));
    }
    assert_eq!(before.spec.volume_claim_templates[0]["metadata"], json!({"name": "data"}));
}

// also: N-6
#[test]
fn s_5_2_claims_that_do_not_exist_are_made_before_the_pod_and_others_are_used_as_they_are() {
    let world = set(1).claims(&["data", "log"]).with(claim_named("log-web-0").unbound());
    assert_eq!(world.does(), ["create claim data-web-0", "create pod web-0 at the update revision"]);
}

// also: N-6
#[test]
fn s_5_2_a_terminating_claim_fails_the_pass_and_the_pod_is_not_made() {
    let world = set(1).claims(&["data", "log"]).with(claim(0).deleting());
    assert_eq!(world.fails(), "pvc data-web-0 is being deleted");
    assert_eq!(world.does(), ["create claim log-web-0"], "claims that can be made are, the pod is not");
    assert_eq!(
        world.plan().failures[0].pod,
        Some(FailedPod::Create("web-0".into())),
        "so that its event names the pod"
    );
    let both = world.with(claim_named("log-web-0").deleting());
    assert_eq!(both.fails(), "[pvc data-web-0 is being deleted, pvc log-web-0 is being deleted]");
}

#[test]
fn s_5_2_the_retention_update_comes_after_the_pod_and_for_claims_that_exist() {
    let world = set(1).claims(&["data", "log"]).retention("Delete", "Retain").with(claim(0));
    let expected = [
        "create claim log-web-0",
        "create pod web-0 at the update revision",
        "update owners of claim data-web-0: 0 off, OrdinalSet web on",
    ];
    assert_eq!(world.does(), expected);
}

#[test]
fn s_5_3_a_pending_pod_gets_claims_and_owners_in_every_pass() {
    let world = set(1).claims(&["data", "log"]).retention("Delete", "Retain").with(claim(0));
    for pending in [pod(0).pending(), pod(0).pending().terminating()] {
        for world in [world.clone(), world.clone().parallel()] {
            let expected = ["create claim log-web-0", "update owners of claim data-web-0: 0 off, OrdinalSet web on"];
            assert_eq!(world.with(pending.clone()).does(), expected);
        }
    }
}

#[test]
fn s_5_3_a_terminating_claim_of_a_pending_pod_fails_the_pass() {
    let world = set(1).claims(&["data"]).with(pod(0).pending()).with(claim(0).deleting());
    assert_eq!(world.fails(), "pvc data-web-0 is being deleted");
    assert_eq!(world.plan().failures[0].pod, None, "without an event for the pod");
}

#[test]
fn s_5_3_a_missing_claim_of_a_pod_that_is_not_pending_is_ignored() {
    for running in [pod(0), pod(0).unready(), pod(0).phase("Unknown")] {
        for world in [set(1).claims(&["data"]), set(1).claims(&["data"]).parallel()] {
            assert_eq!(world.with(running.clone()).does(), NOTHING);
        }
    }
}

/// A missing pod with this owner on its claim.
fn with_owner(scaled: &str, owner: Value) -> World {
    set(1).claims(&["data"]).retention("Retain", scaled).with(claim(0).owner(owner))
}

#[test]
fn s_5_4_a_claim_of_a_predecessor_holds_the_pod_back_without_error() {
    let world = with_owner("Delete", by_pod(0));
    assert_eq!((world.does(), world.fails()), (vec![], String::new()));
    assert_eq!(world.waits(), "waiting for web-0 until a claim of its predecessor is collected");
    assert_eq!(world.blocked(), ["web-0 ClaimPending"]);
}

#[test]
fn s_5_4_no_other_owner_makes_a_claim_stale() {
    for owner in [by_set(), by_pod(1), reference("v1", "Node", "web-0", "x"), reference("v2", "Pod", "web-0", "x")] {
        assert_eq!(with_owner("Delete", owner).creates(), ["web-0@web-new"]);
    }
}

#[test]
fn s_5_4_with_retain_no_claim_is_stale() {
    assert_eq!(with_owner("Retain", by_pod(0)).creates(), ["web-0@web-new"]);
}

/// The four policies with what the table of S-5.5 says: owners in range, owners condemned.
const TABLE: [(&str, &str, &[&str], &[&str]); 4] = [
    ("Retain", "Retain", &[], &[]),
    ("Delete", "Retain", &["set"], &["set"]),
    ("Retain", "Delete", &[], &["pod"]),
    ("Delete", "Delete", &["set"], &["pod"]),
];

const IN: i32 = 0;
const OUT: i32 = 1;

/// A set of one, with pods web-0 in range and web-1 condemned, and the claim of one of them.
fn table_world(deleted: &str, scaled: &str, claim: ClaimBuilder) -> World {
    set(1).claims(&["data"]).retention(deleted, scaled).with(pods([IN, OUT])).with(claim)
}

fn owner(word: &str, ordinal: i32) -> Value {
    let mut owner = if word.contains("set") { by_set() } else { by_pod(ordinal) };
    if word.starts_with("stale") {
        owner["uid"] = "stale".into();
    }
    if word.starts_with("loose") {
        owner["controller"] = false.into();
    }
    if word.starts_with("friend") {
        owner = reference("v1", "ConfigMap", "friend", "friend");
        owner["controller"] = false.into();
    }
    if word == "boss" {
        owner = reference("apps/v1", "Deployment", "boss", "boss");
    }
    owner
}

fn in_words(words: &[&str], ordinal: i32) -> Vec<String> {
    let mut owners: Vec<_> = words
        .iter()
        .map(|w| owner(w, ordinal))
        .map(|o| format!("{} {}", o["kind"].as_str().unwrap_or_default(), o["uid"].as_str().unwrap_or_default()))
        .collect();
    owners.sort();
    owners
}

/// Checks one cell: the owners that a claim has and shall have.
fn cell(deleted: &str, scaled: &str, ordinal: i32, has: &[&str], shall: &[&str]) {
    let world = table_world(deleted, scaled, claim(ordinal).owners(has.iter().map(|w| owner(w, ordinal))));
    let name = format!("data-web-{ordinal}");
    let what = format!("{deleted}/{scaled}, ordinal {ordinal} of 1, had {has:?}");
    assert_eq!(world.owners_after(&name), in_words(shall, ordinal), "{what}");
    let same = in_words(has, ordinal) == in_words(shall, ordinal) && !has.iter().any(|w| w.starts_with("loose"));
    assert_eq!(world.owner_changes().is_empty(), same, "written when and only when it changes: {what}");
}

// also: S-5.6
#[test]
fn s_5_5_each_policy_brings_the_owners_of_the_table_whatever_ours_there_were() {
    for (deleted, scaled, shall_in, shall_out) in TABLE {
        for has in [&[][..], &["set"], &["pod"], &["set", "pod"], &["loose set"], &["loose pod"], &["loose set", "pod"]]
        {
            cell(deleted, scaled, IN, has, shall_in);
            cell(deleted, scaled, OUT, has, shall_out);
        }
    }
}

#[test]
fn s_5_5_owners_of_others_that_do_not_control_stay() {
    for (deleted, scaled, shall_in, shall_out) in TABLE {
        for (ordinal, shall) in [(IN, shall_in), (OUT, shall_out)] {
            let shall: Vec<&str> = shall.iter().copied().chain(["friend"]).collect();
            cell(deleted, scaled, ordinal, &["friend"], &shall);
            cell(deleted, scaled, ordinal, &["friend", "set", "pod"], &shall);
        }
    }
}

#[test]
fn s_5_5_check_1_a_reference_to_a_namesake_of_another_uid_is_never_touched() {
    for (deleted, scaled, ..) in TABLE {
        for ordinal in [IN, OUT] {
            for has in [
                &["stale set"][..],
                &["stale pod"],
                &["stale set", "pod"],
                &["stale pod", "set"],
                &["stale pod", "boss"],
            ] {
                cell(deleted, scaled, ordinal, has, has);
            }
        }
    }
}

#[test]
fn s_5_5_check_1_looks_at_the_first_reference_of_a_name() {
    // A reference of ours first, one to a namesake second: natively only the first one is looked at.
    let world = table_world("Retain", "Retain", claim(IN).owners([owner("set", IN), owner("stale set", IN)]));
    assert_eq!(world.owners_after("data-web-0"), NOTHING, "all that name the set go, as S-5.6 says");
}

// also: S-5.6
#[test]
fn s_5_5_check_2_with_a_controller_of_others_ours_go_and_none_comes() {
    for (deleted, scaled, ..) in TABLE.into_iter().skip(1) {
        for ordinal in [IN, OUT] {
            for has in
                [&["boss"][..], &["boss", "set"], &["boss", "pod"], &["boss", "set", "pod"], &["boss", "loose set"]]
            {
                cell(deleted, scaled, ordinal, has, &["boss"]);
            }
        }
    }
}

#[test]
fn s_5_5_ours_are_those_of_our_api_version_kind_and_name_alone() {
    for (api_version, kind, name) in [
        ("apps/v1", "StatefulSet", "web"),
        ("apps.ordinal.dev/v1", "OrdinalSet", "other"),
        ("apps.ordinal.dev/v1", "Other", "web"),
        ("apps/v1", "OrdinalSet", "web"),
        ("v1", "Pod", "web-7"),
        ("v1", "Node", "web-0"),
        ("v2", "Pod", "web-0"),
    ] {
        let mut other = reference(api_version, kind, name, "other");
        let world = |other: &Value| table_world("Delete", "Delete", claim(IN).owners([other.clone(), by_pod(IN)]));
        let kept = format!("{kind} other");
        assert_eq!(world(&other).owners_after("data-web-0").join(", "), kept, "{other} controls");
        other["controller"] = false.into();
        let mut both = [kept, "OrdinalSet set".into()];
        both.sort();
        assert_eq!(world(&other).owners_after("data-web-0"), both, "{other} does not control");
    }
}

#[test]
fn s_5_5_check_2_counts_only_when_a_policy_deletes() {
    for ordinal in [IN, OUT] {
        cell("Retain", "Retain", ordinal, &["boss"], &["boss"]);
        cell("Retain", "Retain", ordinal, &["boss", "set"], &["boss"]);
        let world = table_world("Retain", "Retain", claim(ordinal).owner(owner("boss", ordinal)));
        assert!(world.plan().conflicting_claims.is_empty());
    }
}

#[test]
fn s_5_5_check_3_a_reference_of_ours_that_does_not_control_is_replaced() {
    let world = table_world("Delete", "Retain", claim(IN).owner(owner("loose set", IN)));
    let changes = world.owner_changes();
    assert!(changes[0].remove.is_empty(), "it is replaced by its addition, not removed beside it: {changes:?}");
    assert_eq!(json!(changes[0].add), json!([by_set()]));
}

#[test]
fn s_5_5_what_is_added_is_a_full_controller_reference() {
    let set_ref = table_world("Delete", "Delete", claim(IN)).owner_changes();
    assert_eq!(json!(set_ref[0].add), json!([by_set()]));
    let pod_ref = table_world("Delete", "Delete", claim(OUT)).owner_changes();
    let expected = json!([{
        "apiVersion": "v1", "kind": "Pod", "name": "web-1", "uid": "uid-web-1",
        "controller": true, "blockOwnerDeletion": true,
    }]);
    assert_eq!(json!(pod_ref[0].add), expected);
}

#[test]
fn s_5_5_an_absent_policy_keeps() {
    let world =
        set(1).claims(&["data"]).with(pods([0, 1])).with(claim(0).owner(by_set())).with(claim(1).owner(by_pod(1)));
    assert_eq!((world.owners_after("data-web-0"), world.owners_after("data-web-1")), (vec![], vec![]));
}

#[test]
fn s_5_6_a_conflicting_controller_is_told_whenever_owners_are_seen_to_changed_or_not() {
    let pending = set(1)
        .claims(&["data"])
        .retention("Delete", "Retain")
        .with(pod(0).pending())
        .with(claim(0).owner(owner("boss", 0)));
    assert_eq!(pending.plan().conflicting_claims, ["data-web-0"]);
    assert!(pending.clone().retention("Retain", "Retain").plan().conflicting_claims.is_empty(), "nothing is ignored");
    let fine = set(1).claims(&["data"]).retention("Delete", "Retain").with(pod(0).pending()).with(claim(0));
    assert!(fine.plan().conflicting_claims.is_empty());
    let running =
        set(1).claims(&["data"]).retention("Delete", "Retain").with(pod(0)).with(claim(0).owner(owner("boss", 0)));
    assert!(running.plan().conflicting_claims.is_empty(), "a settled pod's repair does not run, so nothing is told");
    let changed = one("Delete", "Retain", 1, pod(0), &["boss", "set"]);
    assert_eq!(changed.plan().conflicting_claims, ["data-web-0"]);
    let repaired = set(1).claims(&["data"]).retention("Delete", "Retain").with(claim(0).owner(owner("boss", 0)));
    let repaired = repaired.with(pod(0).without_label("statefulset.kubernetes.io/pod-name"));
    assert_eq!(repaired.plan().conflicting_claims, ["data-web-0"]);
    let condemned =
        |has: &[&str]| table_world("Delete", "Delete", claim(OUT).owners(has.iter().map(|w| owner(w, OUT))));
    assert_eq!(condemned(&["boss", "set"]).plan().conflicting_claims, ["data-web-1"]);
    assert!(condemned(&["boss"]).plan().conflicting_claims.is_empty(), "nor does a condemned pod's");
}

#[test]
fn s_5_6_missing_claims_are_skipped() {
    let world =
        set(1).claims(&["data", "log"]).retention("Delete", "Delete").with(pod(0)).with(claim_named("log-web-0"));
    assert_eq!(world.does(), ["update owners of claim log-web-0: 0 off, OrdinalSet web on"]);
}

#[test]
fn s_5_6_claims_of_all_condemned_pods_are_seen_to_before_any_of_them_goes() {
    let world = set(1).claims(&["data"]).retention("Retain", "Delete").with(pods(0..3)).with([claim(1), claim(2)]);
    let expected = [
        "update owners of claim data-web-2: 0 off, Pod web-2 on",
        "update owners of claim data-web-1: 0 off, Pod web-1 on",
        "delete pod web-2: its ordinal is out of range",
    ];
    assert_eq!(world.does(), expected);
    let terminating = set(0).claims(&["data"]).retention("Retain", "Delete").with(pod(0).terminating()).with(claim(0));
    assert_eq!(terminating.owners_after("data-web-0"), ["Pod uid-web-0"], "terminating ones too");
}

// also: N-10
#[test]
fn s_5_6_the_change_names_uids_and_the_version_that_was_judged_and_nothing_of_others() {
    let world = table_world("Delete", "Delete", claim(OUT).owners([owner("friend", OUT), owner("set", OUT)]));
    let patch = owner_patch(&world.owner_changes()[0]);
    let expected = json!({"metadata": {
        "uid": "uid-data-web-1", "resourceVersion": "7",
        "ownerReferences": [{"$patch": "delete", "uid": "set"}, by_pod(OUT)],
    }});
    assert_eq!(patch, expected);
}

// also: S-5.8, S-12.15
#[test]
fn s_5_6_claims_without_a_pod_are_never_modified() {
    for (deleted, scaled, ..) in TABLE {
        let world = set(1)
            .claims(&["data"])
            .retention(deleted, scaled)
            .with(pod(0))
            .with(claim(0))
            .with([claim(5), claim(6).owner(by_set())]);
        let touched: Vec<_> = world.owner_changes().into_iter().map(|c| c.name).filter(|n| n != "data-web-0").collect();
        assert_eq!(touched, NOTHING);
    }
}

/// One pod of a set with claims, in some state, with this policy and these owners on its claim.
fn one(deleted: &str, scaled: &str, replicas: i32, pod: PodBuilder, has: &[&str]) -> World {
    let claim = claim(0).owners(has.iter().map(|w| owner(w, 0)));
    set(replicas).claims(&["data"]).retention(deleted, scaled).with(claim).with(pod)
}

#[test]
fn s_5_7_a_replaced_pod_keeps_its_claim_under_every_policy() {
    for (deleted, scaled, shall_in, _) in TABLE {
        let owners = shall_in.iter().map(|w| owner(w, 0)).collect::<Vec<_>>();
        let gone = set(1).claims(&["data"]).retention(deleted, scaled).with(claim(0).owners(owners));
        assert_eq!(gone.does(), ["create pod web-0 at the update revision"], "{deleted}/{scaled}");
        let failed = one(deleted, scaled, 1, pod(0).failed(), shall_in);
        assert_eq!(failed.does(), ["delete pod web-0: it failed"]);
        let outdated = one(deleted, scaled, 1, pod(0).at("old"), shall_in).was("old");
        assert_eq!(outdated.does(), ["delete pod web-0: it is not at the update revision"]);
    }
}

// also: S-12.15
#[test]
fn s_5_7_scale_down_keeps_the_claim_or_hands_it_to_the_pod_first() {
    assert_eq!(one("Retain", "Retain", 0, pod(0), &[]).does(), ["delete pod web-0: its ordinal is out of range"]);
    assert_eq!(one("Delete", "Retain", 0, pod(0), &["set"]).does(), ["delete pod web-0: its ordinal is out of range"]);
    for (deleted, has, off) in [("Retain", &[][..], 0), ("Delete", &["set"], 1)] {
        let expected = [
            format!("update owners of claim data-web-0: {off} off, Pod web-0 on"),
            "delete pod web-0: its ordinal is out of range".into(),
        ];
        assert_eq!(one(deleted, "Delete", 0, pod(0), has).does(), expected);
    }
}

#[test]
fn s_5_7_scale_up_before_the_condemned_pod_went_takes_the_pod_off_its_claim() {
    assert_eq!(one("Retain", "Delete", 1, pod(0), &["pod"]).owners_after("data-web-0"), NOTHING);
    assert_eq!(one("Delete", "Delete", 1, pod(0), &["pod"]).owners_after("data-web-0"), ["OrdinalSet set"]);
    let unready = one("Retain", "Delete", 1, pod(0).unready(), &["pod"]);
    assert_eq!(unready.does(), NOTHING, "when the slot's repair is reached");
}

// also: S-5.7
#[test]
fn s_12_32_scale_down_taken_back_while_the_pod_terminates() {
    let world = |pod| one("Retain", "Delete", 1, pod, &["pod"]);
    assert_eq!(world(pod(0).terminating()).does(), NOTHING, "OrderedReady: the claim goes with the pod");
    let parallel = world(pod(0).terminating()).parallel();
    assert_eq!(parallel.owners_after("data-web-0"), NOTHING, "Parallel: the claim is kept");
    let pending = world(pod(0).pending().terminating());
    assert_eq!(pending.owners_after("data-web-0"), NOTHING, "OrderedReady too, for a pod that is still Pending");
}

#[test]
fn s_5_7_scale_up_after_the_pod_is_gone_waits_for_the_claim_to_be_gone_and_makes_a_fresh_one() {
    let still_there = set(1).claims(&["data"]).retention("Retain", "Delete").with(claim(0).owner(by_pod(0)).deleting());
    assert_eq!((still_there.does(), still_there.fails()), (vec![], String::new()));
    let gone = set(1).claims(&["data"]).retention("Retain", "Delete");
    assert_eq!(gone.does(), ["create claim data-web-0", "create pod web-0 at the update revision"]);
}

#[test]
fn s_5_7_a_changed_policy_is_followed_as_pods_are_processed() {
    let kept = one("Retain", "Retain", 1, pod(0), &["set"]);
    assert_eq!(kept.owners_after("data-web-0"), NOTHING, "whenDeleted Delete to Retain");
    let condemned = one("Retain", "Retain", 0, pod(0), &["pod"]);
    assert_eq!(condemned.owners_after("data-web-0"), NOTHING, "whenScaled Delete to Retain, for a condemned pod");
    let added = one("Delete", "Retain", 1, pod(0), &[]);
    assert_eq!(added.owners_after("data-web-0"), ["OrdinalSet set"], "whenDeleted Retain to Delete");
    assert_eq!(one("Retain", "Delete", 1, pod(0), &[]).does(), NOTHING, "whenScaled: from the next scale-down on");
}

// also: N-1
#[test]
fn s_5_8_existing_claims_of_another_size_class_or_label_are_left_as_they_are() {
    let mut world = set(1).claims(&["data"]).with(pod(0)).with(claim(0));
    world.claims[0]["metadata"]["labels"] = json!({"app": "other"});
    world.claims[0]["spec"] = json!({"storageClassName": "other", "resources": {"requests": {"storage": "1"}}});
    assert_eq!(world.does(), NOTHING);
    world.pods.clear();
    assert_eq!(world.does(), ["create pod web-0 at the update revision"]);
}

// also: S-5.8
#[test]
fn n_1_no_plan_deletes_a_claim() {
    // There is no such action; what a claim's fate can be is its owners. Scale-down with every policy shows which.
    for (deleted, scaled, ..) in TABLE {
        let done = set(0).claims(&["data"]).retention(deleted, scaled).with(pod(0)).with(claim(0)).does();
        assert!(!done.iter().any(|what| what.contains("delete claim")), "{done:?}");
    }
}

#[test]
fn s_12_14_an_existing_claim_of_a_fitting_name_is_used_whoever_made_it() {
    let mut world = set(1).claims(&["a-b"]);
    world.set["metadata"]["name"] = "c".into();
    let world = world.spec("template", template("new")).with(claim_named("a-b-c-0").owner(reference(
        "apps/v1",
        "StatefulSet",
        "b-c",
        "x",
    )));
    let done = world.does();
    assert!(done.contains(&"create pod c-0 at the update revision".into()), "{done:?}");
    assert!(!done.iter().any(|what| what.contains("claim")), "{done:?}");
}

#[test]
fn s_12_33_a_slot_made_in_this_pass_is_not_repaired_in_it() {
    let world = set(1).parallel().claims(&["data"]).retention("Delete", "Retain").with(claim(0));
    let updates = world.does().into_iter().filter(|what| what.starts_with("update owners")).count();
    assert_eq!(updates, 1, "its claim is updated once");
    assert!(!world.does().iter().any(|what| what.starts_with("repair")));
}
