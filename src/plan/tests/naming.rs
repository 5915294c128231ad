//! S-2.1 to S-2.4, S-2.6, S-2.7: names, labels, and what a pod is made of.

use crate::fixture::{NOTHING, by_set, claim, fresh, pod, pods, reference, set, template, text};
use ordinal_plan::action::FailedPod;
use serde_json::json;

#[test]
fn s_2_1_a_pod_is_named_by_its_ordinal_without_padding() {
    let world = set(3).parallel().start(9);
    assert_eq!(world.creates(), ["web-9@web-new", "web-10@web-new", "web-11@web-new"]);
}

#[test]
fn s_2_1_only_the_name_tells_membership_and_ordinal() {
    // web-1-2 is of a set web-1, whatever its labels say.
    let other = pod(2).named("web-1-2").orphan();
    assert_eq!(set(0).with(other).does(), NOTHING);
    // Labels that tell another ordinal do not move a pod: web-1 is out of range, and goes.
    let mislabelled = pod(1).label("apps.kubernetes.io/pod-index", "0");
    assert_eq!(set(1).with([pod(0), mislabelled]).deletes(), ["web-1"]);
}

#[test]
fn s_2_1_a_claimed_pod_without_an_ordinal_is_neither_slot_nor_condemned() {
    let world = set(1).with([pod(0), pod(1).named("web-99999999999")]);
    assert_eq!(world.does(), NOTHING);
    assert_eq!(world.status().replicas, 1, "it is not counted");
    assert_eq!(world.deleting().status().replicas, 2, "but it is while the set is being deleted");
}

#[test]
fn s_2_1_of_two_pods_with_one_ordinal_the_last_has_the_slot() {
    let unready = pod(1).named("web-01").unready();
    let first = set(2).with([pod(0), unready.clone(), pod(1)]);
    assert_eq!(first.does(), NOTHING);
    assert_eq!((first.status().replicas, first.status().ready_replicas), (2, 2), "the other one is not counted");
    let last = set(2).with([pod(0), pod(1), unready]);
    assert_eq!(last.waits(), "waiting for web-01 to be ready");
    assert_eq!((last.status().replicas, last.status().ready_replicas), (2, 1));
}

#[test]
fn s_2_2_1_labels_annotations_and_finalizers_are_the_templates_and_its_name_is_not() {
    let mut from = template("new");
    from["metadata"] = json!({
        "name": "mine", "namespace": "elsewhere", "generateName": "mine-", "labels": {"app": "web", "tier": "db"},
        "annotations": {"note": "kept"}, "finalizers": ["example.com/hold"],
    });
    let made = fresh(1).spec("template", from).makes_pod(0);
    let metadata = &made["metadata"];
    assert_eq!(metadata["labels"]["tier"], "db");
    assert_eq!(metadata["annotations"], json!({"note": "kept"}));
    assert_eq!(metadata["finalizers"], json!(["example.com/hold"]));
    assert_eq!(
        (text(&metadata["name"]), text(&metadata["namespace"]), text(&metadata["generateName"])),
        ("web-0", "ns", "web-")
    );
}

// also: S-2.4
#[test]
fn s_2_2_2_the_one_owner_is_the_set() {
    let owner = json!({
        "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "name": "web", "uid": "set",
        "controller": true, "blockOwnerDeletion": true,
    });
    assert_eq!(set(1).makes_pod(0)["metadata"]["ownerReferences"], json!([owner]));
}

// also: O-2
#[test]
fn s_2_2_3_the_spec_is_the_templates_with_fields_that_nobody_knows() {
    let mut from = template("new");
    from["spec"]["fieldOfTomorrow"] = json!({"deep": [1, null, 12345678901234567890u64]});
    let made = fresh(1).spec("template", from.clone()).makes_pod(0);
    assert_eq!(made["spec"]["fieldOfTomorrow"], from["spec"]["fieldOfTomorrow"]);
    assert_eq!(made["spec"]["containers"], from["spec"]["containers"]);
    assert_eq!(made["spec"]["restartPolicy"], json!(null), "no default is written in");
}

// also: S-12.23, S-11.1
#[test]
fn s_2_2_4_hostname_and_subdomain_overwrite_the_templates() {
    let mut from = template("new");
    from["spec"]["hostname"] = "mine".into();
    from["spec"]["subdomain"] = "mine".into();
    let world = fresh(1).spec("template", from);
    assert_eq!(world.makes_pod(0)["spec"]["subdomain"], "", "empty without a serviceName");
    let made = world.spec("serviceName", "db").makes_pod(0);
    assert_eq!((&made["spec"]["hostname"], &made["spec"]["subdomain"]), (&json!("web-0"), &json!("db")));
}

#[test]
fn s_2_2_5_our_labels_override_the_templates() {
    let mut from = template("new");
    for label in ["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "controller-revision-hash"] {
        from["metadata"]["labels"][label] = "mine".into();
    }
    let made = fresh(1).spec("template", from).makes_pod(0);
    assert!(!made["metadata"]["labels"].to_string().contains("mine"), "{made}");
    assert_eq!(made["metadata"]["labels"]["app"], "web");
}

#[test]
fn s_2_2_6_volumes_are_wired() {
    let made = set(1).claims(&["data"]).makes_pod(0);
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}});
    assert_eq!(made["spec"]["volumes"], json!([volume]));
}

#[test]
fn s_2_2_7_the_revision_label_is_that_of_the_revision_it_was_made_from() {
    let world = set(2).was("old").partition(1).parallel();
    assert_eq!(world.makes_pod(0)["metadata"]["labels"]["controller-revision-hash"], "web-old");
    assert_eq!(world.makes_pod(0)["spec"]["containers"][0]["image"], "old");
    assert_eq!(world.makes_pod(1)["metadata"]["labels"]["controller-revision-hash"], "web-new");
    assert_eq!(world.makes_pod(1)["spec"]["containers"][0]["image"], "new");
}

// also: S-11.7
#[test]
fn s_2_3_labels_hold_the_name_the_absolute_ordinal_and_the_revisions_whole_name() {
    let made = set(1).start(5).makes_pod(5);
    let expected = json!({
        "app": "web", "statefulset.kubernetes.io/pod-name": "web-5",
        "apps.kubernetes.io/pod-index": "5", "controller-revision-hash": "web-new",
    });
    assert_eq!(made["metadata"]["labels"], expected);
}

#[test]
fn s_2_3_a_missing_index_label_alone_is_not_put_on() {
    let world = set(1).with(pod(0).without_label("apps.kubernetes.io/pod-index"));
    assert_eq!(world.does(), NOTHING);
}

#[test]
fn s_2_4_the_reference_makes_an_object_the_sets_own() {
    let reference = set(1).snapshot().set.controller_ref();
    assert_eq!(json!(reference), by_set());
}

#[test]
fn s_2_6_a_pod_gets_one_claim_per_template_named_by_template_set_and_ordinal() {
    let world = set(1).claims(&["data", "log"]).start(3);
    assert_eq!(
        world.does(),
        ["create claim data-web-3", "create claim log-web-3", "create pod web-3 at the update revision"]
    );
    let volumes = &world.makes_pod(3)["spec"]["volumes"];
    assert_eq!(volumes[0]["persistentVolumeClaim"]["claimName"], "data-web-3");
    assert_eq!(volumes[1]["persistentVolumeClaim"]["claimName"], "log-web-3");
}

#[test]
fn s_2_6_a_claim_wins_over_the_templates_volume_of_its_name() {
    let mut from = template("new");
    from["spec"]["volumes"] = json!([{"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {}}]);
    let made = fresh(1).spec("template", from).claims(&["data", "log"]).makes_pod(0);
    let expected = json!([
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}},
        {"name": "log", "persistentVolumeClaim": {"claimName": "log-web-0"}},
        {"name": "tmp", "emptyDir": {}},
    ]);
    assert_eq!(made["spec"]["volumes"], expected, "claims first, the others kept");
}

#[test]
fn s_1_4_of_two_claim_templates_with_one_name_the_last_counts() {
    let templates = json!([
        {"metadata": {"name": "data"}, "spec": {"storageClassName": "slow"}},
        {"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}},
    ]);
    let world = set(1).spec("volumeClaimTemplates", templates);
    assert_eq!(world.does(), ["create claim data-web-0", "create pod web-0 at the update revision"]);
    let made = ordinal_plan::claim::desired(&world.snapshot().set, "data", "data-web-0").expect("a template");
    assert_eq!(made["spec"]["storageClassName"], "fast");
}

#[test]
fn s_2_7_a_wrong_pod_name_label_is_repaired() {
    let label = "statefulset.kubernetes.io/pod-name";
    for broken in [pod(0).without_label(label), pod(0).label(label, "web-7")] {
        assert_eq!(set(1).with(broken).does(), ["repair labels of pod web-0"]);
    }
}

#[test]
fn s_2_7_nothing_else_is_checked() {
    let other = pod(0)
        .without_label("apps.kubernetes.io/pod-index")
        .label("tier", "edited")
        .volume(json!({"name": "more", "persistentVolumeClaim": {"claimName": "mine"}}));
    assert_eq!(set(1).with(other).does(), NOTHING);
    let unlabelled = pod(0).without_label("controller-revision-hash");
    assert_eq!(set(1).on_delete().with(unlabelled).does(), NOTHING, "the revision label is not repaired");
}

#[test]
fn s_2_7_a_pod_with_a_padded_name_is_updated_under_the_canonical_one() {
    let world = set(1).with(pod(0).named("web-00"));
    assert_eq!(world.does(), ["repair labels of pod web-0"], "which does not exist, so that the server refuses it");
}

// also: S-2.7, S-5.6
#[test]
fn s_2_9_claims_of_a_pod_with_a_padded_name_are_repaired_by_the_canonical_one() {
    let owner = reference("v1", "Pod", "web-0", "padded");
    let world = set(1).claims(&["data"]).retention("Delete", "Delete");
    let world = world.with(pod(0).named("web-00").uid("padded")).with(claim(0).owner(owner));
    assert_eq!(world.owners_after("data-web-0"), ["OrdinalSet set"], "its reference is known as such, and taken off");
}

// also: S-2.8, S-7.2
#[test]
fn s_2_9_a_repair_that_a_claim_prevents_is_told_of_the_pod() {
    let world = set(1).claims(&["data"]).with(claim(0).deleting()).with(pod(0).bare());
    assert_eq!((world.does(), world.fails()), (vec![], "pvc data-web-0 is being deleted".into()));
    assert_eq!(world.plan().failures[0].pod, Some(FailedPod::Update("web-0".into())));
}

// also: S-2.9
#[test]
fn s_2_8_a_pod_without_its_volumes_is_updated_and_gets_its_claims() {
    let wrong = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-web-9"}});
    let no_claim = json!({"name": "data", "emptyDir": {}});
    for broken in [pod(0).bare(), pod(0).bare().volume(wrong), pod(0).bare().volume(no_claim)] {
        let world = set(1).claims(&["data"]).with(broken);
        assert_eq!(world.does(), ["create claim data-web-0", "repair volumes of pod web-0"]);
    }
    let both = pod(0).bare().without_label("statefulset.kubernetes.io/pod-name");
    let world = set(1).claims(&["data"]).with(claim(0)).with(both);
    assert_eq!(world.does(), ["repair labels and volumes of pod web-0"]);
    assert_eq!(set(2).claims(&["data"]).with(pods(0..2)).does(), NOTHING, "a missing claim alone is not looked for");
}
