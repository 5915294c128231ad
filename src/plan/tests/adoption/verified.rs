//! What has to be so before a StatefulSet is taken over.

use super::{Phase, taken_over};
use crate::fixture::*;
use ordinal_plan::{
    adoption::{unsettled, verify},
    native::Native,
};
use serde_json::json;

/// The same with a pod that mounts another claim.
fn mounting(claim: &str) -> World {
    let mut world = taken_over();
    world.pods[1]["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    world
}

#[test]
fn what_is_in_the_way_of_an_adoption_is_told_and_nothing_is_written() {
    let cases: [(&str, World, &str); 13] = [
        ("it changes", taken_over().natively("status.readyReplicas", 2), "2 of 3 pods are ready"),
        ("a roll-out", taken_over().natively("status.currentRevision", "web-old"), "amid a roll-out"),
        (
            "another image",
            taken_over().natively("spec.template.spec.containers", json!([{"name": "main", "image": "x"}])),
            r#"spec.template.spec.containers[main].image: "new", not "x""#,
        ),
        ("more pods", taken_over().spec("replicas", 4), "spec.replicas: 4, not 3"),
        ("another policy", taken_over().parallel(), r#"spec.podManagementPolicy: "Parallel""#),
        ("another start", taken_over().start(1), "spec.ordinals.start: 1, not 0"),
        ("another claim", taken_over().claims(&["log"]), "spec.volumeClaimTemplates"),
        ("an owner", taken_over().natively("metadata.ownerReferences", json!([by_pod(7)])), "controlled by Pod web-7"),
        ("a finalizer", taken_over().natively("metadata.finalizers", json!(["backup.example"])), "backup.example"),
        ("a deletion", taken_over().natively("metadata.deletionTimestamp", ago(1)), "being deleted"),
        (
            "a missing pod",
            {
                let mut world = taken_over();
                world.pods.pop();
                world
            },
            "1 of 3 pods are missing",
        ),
        ("volumes", mounting("log-web-1"), "web-1 mounts"),
        (
            "another selector",
            taken_over().natively("spec.selector", json!({"matchLabels": {"app": "db"}})),
            "spec.selector",
        ),
    ];
    for (what, world, words) in cases {
        assert_eq!(world.does(), NOTHING, "{what}");
        assert_eq!(world.condition("Adopted"), "False Refused", "{what}");
        assert_eq!(world.condition("Stalled"), "True Refused", "{what}");
        assert!(world.message("Adopted").contains(words), "{what}: {}", world.message("Adopted"));
        assert_eq!(world.phase(), Some(Phase::Verifying), "{what}");
    }
}

#[test]
fn what_a_stateful_set_writes_out_is_no_difference() {
    let mut world = taken_over();
    let native = world.native();
    native["spec"]["template"]["spec"]["restartPolicy"] = "Always".into();
    native["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always".into();
    native["spec"]["volumeClaimTemplates"][0]["spec"]["volumeMode"] = "Filesystem".into();
    native["spec"]["volumeClaimTemplates"][0]["status"] = json!({"phase": "Pending"});
    native["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
    let snapshot = world.snapshot();
    let Native::There(native) = &snapshot.native else { panic!("a StatefulSet") };
    let from = snapshot.set.spec.adopt_from.clone().expect("it is to be adopted");
    let problems: Vec<_> = verify(&snapshot, native, &from).into_iter().flat_map(|check| check.problems).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_stateful_set_whose_newest_version_nobody_has_seen_is_not_settled() {
    let snapshot = taken_over().natively("metadata.generation", 2).snapshot();
    let Native::There(native) = &snapshot.native else { panic!("a StatefulSet") };
    let theirs = native.set.as_ref().expect("it can be read");
    assert_eq!(unsettled(theirs, false), ["its controller has not seen its newest version"]);
}

#[test]
fn a_half_done_roll_out_is_taken_over_where_it_is_accepted() {
    let world = || {
        let mut world = taken_over().partition(2);
        world.native = world.native.take().map(|mut native| {
            native["spec"]["updateStrategy"] = world.set["spec"]["updateStrategy"].clone();
            native["status"]["currentRevision"] = "web-old".into();
            native["status"]["updatedReplicas"] = 1.into();
            native
        });
        for pod in &mut world.pods[..2] {
            pod["metadata"]["labels"]["controller-revision-hash"] = "web-old".into();
        }
        world
    };
    assert_eq!(world().condition("Adopted"), "False Refused");
    let mut accepted = world();
    accepted.set["spec"]["adoptFrom"]["accept"] = json!(["PartialRollout"]);
    accepted.run(None);
    assert_eq!(accepted.condition("Adopted"), "True Adopted", "{}", accepted.message("Adopted"));
    assert_eq!(accepted.set["status"]["currentRevision"], "web-old");
    let mut other = world().partition(0);
    other.set["spec"]["adoptFrom"]["accept"] = json!(["PartialRollout"]);
    assert!(other.message("Adopted").contains("updateStrategy.partition: 0, not 2"), "{}", other.message("Adopted"));
}

#[test]
fn with_on_delete_a_roll_out_that_is_done_is_settled() {
    let strategy = json!({"type": "OnDelete"});
    let world = taken_over().natively("spec.updateStrategy", strategy).natively("status.currentRevision", "web-old");
    assert_eq!(world.condition("Adopted"), "False Staging", "{}", world.message("Adopted"));
}

#[test]
fn a_roll_out_that_no_partition_holds_is_never_taken_over() {
    let mut world = taken_over().natively("status.updatedReplicas", 1).natively("status.currentRevision", "web-old");
    world.set["spec"]["adoptFrom"]["accept"] = json!(["PartialRollout"]);
    assert!(world.message("Adopted").contains("1 of 3 pods are updated"), "{}", world.message("Adopted"));
}
