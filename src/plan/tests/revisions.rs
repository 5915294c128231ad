//! S-3: what is recorded of a template, and which revisions pods are made from.

use crate::fixture::{
    NOTHING, RevisionBuilder, World, ago, by_set, fresh, pod, pods, pods_at, revision, set, template, text,
};
use ordinal_plan::revision::{data, hash, restore};
use serde_json::{Value, json};

/// The revisions that are made, renumbered or forgotten.
fn writes(world: &World) -> Vec<String> {
    world.does().into_iter().filter(|what| what.contains("revision web-")).collect()
}

#[test]
fn s_3_1_a_change_of_anything_but_the_template_makes_no_revision() {
    for (field, value) in [
        ("replicas", json!(7)),
        ("updateStrategy", json!({"type": "OnDelete"})),
        ("minReadySeconds", json!(5)),
        ("podManagementPolicy", json!("Parallel")),
        ("volumeClaimTemplates", json!([{"metadata": {"name": "data"}}])),
        ("persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Delete"})),
        ("ordinals", json!({"start": 2})),
        ("serviceName", json!("db")),
        ("revisionHistoryLimit", json!(0)),
    ] {
        assert_eq!(writes(&set(1).spec(field, value)), NOTHING, "{field}");
    }
    let mut annotated = set(1);
    annotated.set["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": "none"});
    annotated.set["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(writes(&annotated), NOTHING);
    assert_eq!(writes(&set(1).spec("template", template("newer"))).len(), 1, "a change of the template does");
}

#[test]
fn s_3_1_the_data_is_a_patch_that_replaces_the_template() {
    let recorded = fresh(1).records().expect("a revision");
    let mut expected = template("new");
    expected["$patch"] = "replace".into();
    assert_eq!(recorded["data"], json!({"spec": {"template": expected}}));
    assert!(recorded["data"].to_string().starts_with(r#"{"spec":{"template":{"$patch":"replace","metadata":"#));
}

#[test]
fn s_3_1_what_html_escapes_is_hashed_escaped() {
    // "<" raw and "\u003c" are one string, and hash as the native encoder writes it.
    let of = |text: &str| hash(&data(&json!({"metadata": {"annotations": {"a": text}}})), 0);
    let fnv = |bytes: &str| bytes.bytes().fold(2_166_136_261_u32, |h, b| h.wrapping_mul(16_777_619) ^ u32::from(b));
    let letters =
        |n: u32| n.to_string().bytes().map(|d| char::from(b"456789bcdf"[usize::from(d - b'0')])).collect::<String>();
    let written = r#"{"spec":{"template":{"$patch":"replace","metadata":{"annotations":{"a":"\u003cb\u003e \u0026 \u2028\u2029"}}}}}0"#;
    assert_eq!(of("<b> & \u{2028}\u{2029}"), letters(fnv(written)));
}

#[test]
fn s_3_2_only_the_template_is_restored_and_the_rest_is_the_sets_of_now() {
    let world = set(1).was("old").partition(1).spec("serviceName", "db").claims(&["data"]).start(4);
    let made = world.makes_pod(4);
    assert_eq!(made["spec"]["containers"][0]["image"], "old");
    assert_eq!(made["spec"]["subdomain"], "db");
    assert_eq!(made["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-web-4");
}

#[test]
fn s_3_2_restoring_is_exact() {
    let odd = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"unknown": [1, 2.5, {"x": null}], "empty": {}}});
    assert_eq!(restore(data(&odd)), Some(odd));
}

#[test]
fn s_3_3_metadata_of_a_revision() {
    let mut world = fresh(1).spec("template", {
        let mut from = template("new");
        from["metadata"]["labels"]["tier"] = "db".into();
        from
    });
    world.set["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": "first"});
    let recorded = world.records().expect("a revision");
    let metadata = &recorded["metadata"];
    let hash = text(&metadata["labels"]["controller.kubernetes.io/hash"]);
    assert_eq!(metadata["name"], format!("web-{hash}"));
    assert_eq!(metadata["namespace"], "ns");
    assert_eq!(metadata["labels"], json!({"app": "web", "tier": "db", "controller.kubernetes.io/hash": hash}));
    assert_eq!(metadata["annotations"], json!({"kubernetes.io/change-cause": "first"}));
    assert_eq!(metadata["ownerReferences"], json!([by_set()]));
    assert_eq!(recorded["revision"], 1);
}

#[test]
fn s_3_3_a_long_name_is_cut_to_223_bytes() {
    let mut world = fresh(0);
    world.set["metadata"]["name"] = "x".repeat(300).into();
    let recorded = world.records().expect("a revision");
    let (name, hash) =
        (text(&recorded["metadata"]["name"]), text(&recorded["metadata"]["labels"]["controller.kubernetes.io/hash"]));
    assert_eq!(name, format!("{}-{hash}", "x".repeat(223)));
}

#[test]
fn s_3_4_the_name_carries_the_hash_of_data_and_collision_count() {
    let mut demo = template("demo:1");
    demo["metadata"]["labels"] = json!({"app": "demo"});
    let world = fresh(0).spec("selector", json!({"matchLabels": {"app": "demo"}})).spec("template", demo);
    assert_eq!(world.does(), ["create revision web-66f588997d as number 1"]);
    assert_eq!(world.clone().status_was("collisionCount", 1).does(), ["create revision web-66f588997f as number 1"]);
    assert_eq!(world.status_was("collisionCount", 2).does(), ["create revision web-66f588997b as number 1"]);
}

fn name_for(image: &str, collisions: i32) -> String {
    format!("web-{}", hash(&data(&template(image)), collisions))
}

#[test]
fn s_3_4_each_taken_name_costs_one_collision_and_the_label_keeps_the_first_hash() {
    let taken = |count| revision("other", 1).named(&name_for("new", count)).of_another();
    let world = fresh(0).with([taken(0), taken(1)]);
    let recorded = world.records().expect("a revision");
    assert_eq!(recorded["metadata"]["name"], name_for("new", 2));
    assert_eq!(recorded["metadata"]["labels"]["controller.kubernetes.io/hash"], hash(&data(&template("new")), 0));
    assert_eq!(world.status().collision_count, Some(2));
}

#[test]
fn s_3_4_collisions_are_counted_on_from_the_status() {
    let world =
        fresh(0).status_was("collisionCount", 3).with(revision("other", 1).named(&name_for("new", 3)).of_another());
    assert_eq!(world.records().expect("a revision")["metadata"]["name"], name_for("new", 4));
    assert_eq!(world.status().collision_count, Some(4));
}

// also: S-12.17, S-3.6
#[test]
fn s_3_4_a_taken_name_with_equal_data_is_used_whoever_owns_it_and_keeps_its_number() {
    for equal in [
        revision("new", 7).named(&name_for("new", 0)).of_another(),
        revision("new", 7).named(&name_for("new", 0)).label("app", "other"),
    ] {
        let world = fresh(1).with(equal);
        assert_eq!(writes(&world), NOTHING);
        assert_eq!(world.status().update_revision, name_for("new", 0));
        assert_eq!(world.status().collision_count, Some(0));
    }
}

#[test]
fn s_3_5_revisions_of_equal_data_are_equal() {
    assert_eq!(writes(&set(1)), NOTHING);
    let added = revision("new", 1).data(data(&json!({"metadata": {"labels": {"app": "web"}}, "spec": {}})));
    let mut other = fresh(1).with(added.named("web-other"));
    other.memory.trial = None;
    assert_eq!(writes(&other).len(), 1, "of other data they are not");
}

// also: O-13, S-12.12
#[test]
fn s_3_5_a_revision_that_the_built_in_wrote_equals_the_manifest_it_was_made_of() {
    let mut defaulted = template("new");
    defaulted["metadata"]["creationTimestamp"] = Value::Null;
    defaulted["spec"]["restartPolicy"] = "Always".into();
    defaulted["spec"]["securityContext"] = json!({});
    defaulted["spec"]["containers"][0]["resources"] = json!({});
    defaulted["spec"]["containers"][0]["imagePullPolicy"] = "Always".into();
    let world = fresh(1).with(revision("native", 4).data(data(&defaulted))).with(pod(0).at("native"));
    assert_eq!(world.does(), NOTHING, "no revision is made, and no pod restarts");
    assert_eq!(world.status().update_revision, "web-native");
}

#[test]
fn s_3_6_1_the_last_revision_is_used_when_it_is_equal() {
    let world = set(1).was("old").with(pod(0));
    assert_eq!(world.does(), NOTHING);
    assert_eq!(world.status().update_revision, "web-new");
}

#[test]
fn s_3_6_2_going_back_brings_the_older_equal_one_to_the_front() {
    let world = set(2).with([revision("b", 2), revision("c", 3)]).status_was("currentRevision", "web-c");
    let world = world.with([pod(0), pod(1).at("c")]);
    assert_eq!(world.does(), ["renumber revision web-new to 4", "delete pod web-1: it is not at the update revision"]);
    assert_eq!((world.status().update_revision.as_str(), world.status().updated_replicas), ("web-new", 1));
}

#[test]
fn s_3_6_2_of_several_equal_ones_the_last_is_taken() {
    let world = fresh(0).with([revision("new", 1).named("web-first"), revision("new", 2).named("web-second")]);
    assert_eq!(world.with(revision("other", 3)).does(), ["renumber revision web-second to 4"]);
}

// also: O-13
#[test]
fn s_3_6_3_the_last_revision_is_used_when_it_means_the_same() {
    let mut same = template("new");
    same["spec"]["dnsPolicy"] = "ClusterFirst".into();
    assert_eq!(writes(&set(1).spec("template", same)), NOTHING);
}

#[test]
fn s_3_6_4_a_new_template_is_recorded_under_the_next_number() {
    assert_eq!(fresh(0).records().expect("a revision")["revision"], 1);
    let world = set(0).with(revision("other", 41)).spec("template", template("newer"));
    assert_eq!(world.records().expect("a revision")["revision"], 42);
    assert_eq!(world.status().update_revision, name_for("newer", 0));
}

#[test]
fn s_3_6_revisions_are_in_order_of_number_then_age_then_name() {
    // Two of one number: the younger is the last, and of equal age the one with the higher name.
    let pair = |a: RevisionBuilder, b: RevisionBuilder| fresh(0).with([a, b]).status().update_revision;
    let equal = |name: &str| revision("new", 1).named(name);
    assert_eq!(pair(equal("web-a").age(10), equal("web-b").age(20)), "web-a");
    assert_eq!(pair(equal("web-b").age(20), equal("web-a").age(20)), "web-b");
}

#[test]
fn s_3_6_only_revisions_that_match_and_are_ours_or_nobodys_are_listed() {
    let foreign = [revision("x", 90).of_another(), revision("y", 91).label("app", "other")];
    let world = set(0).with(foreign).spec("template", template("newer"));
    assert_eq!(world.records().expect("a revision")["revision"], 2, "numbers of others do not count");
    let orphan = fresh(0).with(revision("new", 5).orphan());
    assert_eq!(orphan.does(), ["adopt revision web-new"], "an orphan's does, and it is used");
}

#[test]
fn s_3_6_the_update_revision_is_recorded_while_the_set_is_being_deleted() {
    assert_eq!(fresh(1).deleting().does(), [format!("create revision {} as number 1", name_for("new", 0))]);
}

#[test]
fn s_3_7_the_current_revision_is_the_one_that_the_status_names() {
    let world = set(2).was("old").with(pods_at("old", 0..2));
    assert_eq!(world.status().current_revision, "web-old");
}

#[test]
fn s_3_7_without_it_the_update_revision_is_current() {
    assert_eq!(fresh(1).status().current_revision, name_for("new", 0), "on the first pass");
    let vanished = set(1).status_was("currentRevision", "web-vanished");
    assert_eq!(vanished.status().current_revision, "web-new");
    let unreadable =
        set(2).with(revision("broken", 0).data(json!({"spec": 7}))).status_was("currentRevision", "web-broken");
    assert_eq!(unreadable.status().current_revision, "web-new");
}

/// A roll-out from `old` that has come to its end.
fn complete(replicas: i32) -> World {
    set(replicas).was("old").with(pods(0..replicas))
}

fn current(world: World) -> (String, i32) {
    let status = world.status();
    (status.current_revision, status.current_replicas)
}

// also: O-11
#[test]
fn s_3_8_the_current_revision_moves_when_all_pods_are_there_updated_and_available() {
    assert_eq!(current(complete(3)), ("web-new".into(), 3));
    for incomplete in [
        set(3).was("old").with(pods(0..2)),
        set(3).was("old").with(pods(0..2)).with(pod(2).at("old")),
        set(3).was("old").with(pods(0..2)).with(pod(2).unready()),
        set(3).was("old").with(pods(0..2)).with(pod(2).terminating()),
        complete(3).with(pod(3)),
        complete(3).with(pod(3).terminating()),
    ] {
        assert_eq!(current(incomplete).0, "web-old");
    }
}

// also: S-12.5, S-3.8
#[test]
fn o_11_completion_waits_for_min_ready_seconds() {
    let young = |seconds| set(2).was("old").min_ready(10).with([pod(0), pod(1).ready_for(seconds)]);
    assert_eq!(current(young(9)).0, "web-old");
    assert_eq!(current(young(10)), ("web-new".into(), 2));
}

// also: S-3.8, S-12.11
#[test]
fn o_11_on_delete_completes_too() {
    assert_eq!(current(complete(2).on_delete()), ("web-new".into(), 2));
}

#[test]
fn s_3_8_a_set_being_deleted_completes_too() {
    assert_eq!(current(complete(2).deleting()), ("web-new".into(), 2));
}

#[test]
fn s_3_8_a_partition_keeps_it_from_completing() {
    let world = set(3).was("old").partition(1).with(pod(0).at("old")).with([pod(1), pod(2)]);
    assert_eq!(current(world), ("web-old".into(), 1));
}

#[test]
fn s_3_8_scaling_to_zero_completes() {
    assert_eq!(current(set(0).was("old")), ("web-new".into(), 0));
    assert_eq!(current(set(0).was("old").on_delete()), ("web-new".into(), 0));
    assert_eq!(current(set(0).was("old").with(pod(0).terminating())).0, "web-old");
}

#[test]
fn s_3_9_below_the_partition_pods_are_made_at_the_current_revision() {
    let world = set(3).was("old").parallel().partition(2);
    assert_eq!(world.creates(), ["web-0@web-old", "web-1@web-old", "web-2@web-new"]);
}

// also: S-12.10
#[test]
fn s_3_9_the_partition_counts_slots_from_the_start() {
    let world = set(9).was("old").parallel().start(2).partition(5);
    let (old, new): (Vec<_>, Vec<_>) = world.creates().into_iter().partition(|made| made.ends_with("old"));
    assert_eq!(old, ["web-2@web-old", "web-3@web-old", "web-4@web-old", "web-5@web-old", "web-6@web-old"]);
    assert_eq!(new, ["web-7@web-new", "web-8@web-new", "web-9@web-new", "web-10@web-new"]);
}

#[test]
fn s_3_9_on_delete_makes_pods_at_the_update_revision() {
    assert_eq!(set(2).was("old").parallel().on_delete().creates(), ["web-0@web-new", "web-1@web-new"]);
}

// also: O-12
#[test]
fn s_3_9_an_absent_rolling_update_block_is_partition_0_whatever_the_stored_count() {
    let world = set(3).was("old").parallel().spec("updateStrategy", json!({"type": "RollingUpdate"}));
    for count in 0..=3 {
        let world = world.clone().status_was("currentReplicas", count);
        assert_eq!(world.creates(), ["web-0@web-new", "web-1@web-new", "web-2@web-new"], "currentReplicas {count}");
    }
}

// also: S-12.16
#[test]
fn s_3_9_a_low_pod_comes_back_at_the_last_completed_revision_not_at_what_it_ran() {
    let world = set(3).was("old").with(revision("between", 2)).partition(2);
    let world = world.with([pod(1).at("between"), pod(2)]);
    assert_eq!(world.creates(), ["web-0@web-old"]);
}

/// A settled set with revisions `h1` … `h<n>` that nothing uses, oldest first.
fn history(n: i64, limit: i32) -> World {
    let old = (1..=n).map(|i| revision(&format!("h{i}"), i)).collect::<Vec<_>>();
    let mut world = set(1).with(pod(0)).with(old).spec("revisionHistoryLimit", limit);
    world.revisions[0]["revision"] = (n + 1).into();
    world
}

#[test]
fn s_3_10_the_oldest_beyond_the_limit_are_forgotten() {
    assert_eq!(writes(&history(4, 2)), ["delete revision web-h1", "delete revision web-h2"]);
    assert_eq!(writes(&history(2, 2)), NOTHING);
    assert_eq!(writes(&history(2, 0)), ["delete revision web-h1", "delete revision web-h2"], "0 keeps none");
    assert_eq!(writes(&history(40, -1)), NOTHING, "a negative limit keeps all");
    let mut unset = history(12, 0);
    unset.set["spec"].as_object_mut().expect("a spec").remove("revisionHistoryLimit");
    assert_eq!(writes(&unset), ["delete revision web-h1", "delete revision web-h2"], "10 unless it is set");
}

#[test]
fn s_3_10_live_revisions_are_kept_and_do_not_count() {
    let used = history(3, 1).with(pod(7).at("h1"));
    assert_eq!(writes(&used), ["delete revision web-h2"], "a condemned pod's revision is live");
    let unparsable = history(1, 0).with(pod(8).named("web-99999999999").at("h1"));
    assert_eq!(writes(&unparsable), NOTHING, "so is that of a claimed pod without ordinal");
    let current = history(2, 0).status_was("currentRevision", "web-h1").with(pod(9).pending());
    assert_eq!(writes(&current), ["delete revision web-h2"], "and the current one");
    let foreign = history(1, 0).with(pod(3).at("h1").of_another());
    assert_eq!(writes(&foreign), ["delete revision web-h1"], "a pod of somebody else keeps nothing alive");
}

#[test]
fn s_3_10_the_revision_that_the_status_names_is_kept_even_if_it_cannot_be_read() {
    let mut world = history(2, 0).status_was("currentRevision", "web-h1");
    world.revisions[1]["data"] = json!({"spec": 7});
    assert_eq!(writes(&world), ["delete revision web-h2"]);
}

// also: S-12.18
#[test]
fn s_3_10_history_is_truncated_in_a_pass_that_fails_too() {
    let world = history(1, 0).claims(&["data"]).with(crate::fixture::claim(1).deleting()).spec("replicas", 2);
    let mut world = world;
    world.pods[0]["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]);
    assert_eq!(world.fails(), "pvc data-web-1 is being deleted");
    assert_eq!(writes(&world), ["delete revision web-h1"]);
}

#[test]
fn s_3_10_revisions_of_others_are_not_the_sets_history() {
    let foreign = [revision("x", 1).of_another(), revision("y", 1).label("app", "other")];
    assert_eq!(writes(&history(0, 0).with(foreign)), NOTHING);
}

#[test]
fn s_3_11_orphan_revisions_that_match_are_adopted_before_anything_else() {
    let world = set(2).with(revision("b", 0).orphan()).with([pod(0).orphan(), pod(1)]);
    assert_eq!(world.does(), ["adopt revision web-b", "adopt pod web-0"]);
    let misnamed = set(0).with(revision("b", 0).named("db-1").orphan());
    assert_eq!(misnamed.does(), ["adopt revision db-1"], "there is no check by name");
}

#[test]
fn s_3_11_others_revisions_are_neither_adopted_nor_released() {
    let foreign = [revision("x", 0).of_another(), revision("y", 0).orphan().label("app", "other")];
    assert_eq!(set(0).with(foreign).does(), NOTHING);
    let unlabelled = set(0).with(revision("z", 0).label("app", "other"));
    assert_eq!(unlabelled.does(), NOTHING, "never released, though it matches no longer");
}

#[test]
fn s_3_11_a_set_being_deleted_adopts_none() {
    assert_eq!(set(0).deleting().with(revision("b", 0).orphan()).does(), NOTHING);
}

#[test]
fn s_3_11_a_set_made_again_after_an_orphaning_deletion_restarts_nothing() {
    let mut orphaned = fresh(2).with(revision("new", 3).orphan()).with([pod(0).orphan(), pod(1).orphan()]);
    orphaned.set["metadata"]["creationTimestamp"] = ago(1).into();
    assert_eq!(orphaned.does(), ["adopt revision web-new", "adopt pod web-0", "adopt pod web-1"]);
    assert_eq!((orphaned.status().current_revision.as_str(), orphaned.status().updated_replicas), ("web-new", 2));
    assert_eq!(orphaned.status().collision_count, Some(0));
}
