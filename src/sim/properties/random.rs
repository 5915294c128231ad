//! Random sets, and random clusters for them to begin in: not only such as operators bring about.

use crate::{kubelet::Dice, objects::Kind, store::Store, stories::spec};
use ordinal_plan::{revision, snapshot::Set};
use serde_json::{Value, json};

/// A number that people and programs write.
fn number(dice: &mut Dice) -> Value {
    match dice.throw(12) {
        0 => json!(0),
        1 => json!(-1),
        2 => json!(100),
        _ => json!(dice.throw(4)),
    }
}

/// A set's spec, odd ones among them.
pub fn set_spec(dice: &mut Dice) -> Value {
    let policy = dice.of(["OrderedReady", "Parallel"]);
    let strategy = match dice.throw(5) {
        0 => json!({"type": "OnDelete"}),
        1 => json!({"type": "RollingUpdate"}),
        _ => {
            let max = dice.of([json!(1), json!(2), json!("50%"), json!("1%"), Value::Null]);
            let mut rolling = json!({"partition": dice.throw(4)});
            if !max.is_null() {
                rolling["maxUnavailable"] = max;
            }
            json!({"type": "RollingUpdate", "rollingUpdate": rolling})
        }
    };
    let retention = ["Retain", "Delete"];
    let (deleted, scaled) = (retention[dice.throw(2)], retention[dice.throw(2)]);
    let mut more = json!({
        "podManagementPolicy": policy,
        "updateStrategy": strategy,
        "ordinals": {"start": dice.throw(3)},
        "minReadySeconds": dice.of([0, 0, 10, -1]),
        "revisionHistoryLimit": number(dice),
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled},
    });
    if dice.once_in(2) {
        more["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    }
    spec(i32::try_from(dice.throw(5)).unwrap_or(0), more)
}

/// A set, as a user sends it.
pub fn set(dice: &mut Dice) -> Value {
    json!({
        "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet",
        "metadata": {"name": "web", "namespace": "ns"},
        "spec": set_spec(dice),
    })
}

/// A namespace with a set and whatever else.
pub fn store(dice: &mut Dice) -> Store {
    let mut store = Store::default();
    let mut set = set(dice);
    set["metadata"]["uid"] = "set".into();
    set["metadata"]["generation"] = 1.into();
    let stored = store.plant(Kind::Set, set).as_set().expect("a set that can be planned for");
    let revisions = dice.throw(4);
    for number in 1..=revisions {
        let image = dice.of(["a", "b", "c"]);
        store.plant(Kind::Revision, revision_of(&stored, image, number, dice));
    }
    let names: Vec<String> = store.revisions.keys().cloned().collect();
    for _ in 0..dice.throw(6) {
        let pod = pod(dice, &names);
        store.plant(Kind::Pod, pod);
    }
    for _ in 0..dice.throw(3) {
        let claim = claim(dice, &store);
        store.plant(Kind::Claim, claim);
    }
    store
}

fn revision_of(set: &Set, image: &str, number: usize, dice: &mut Dice) -> Value {
    let mut set = set.clone();
    let mut template = (*set.template).clone();
    template["spec"]["containers"][0]["image"] = image.into();
    set.template = template.into();
    let hash = revision::hash(&revision::data(&set.template), 0);
    let name = format!("web-{hash}");
    let mut object = revision::desired(&set, &name, &hash, i64::try_from(number).unwrap_or(0));
    object["metadata"]["uid"] = format!("revision-{name}").into();
    match dice.throw(8) {
        0 => object["data"] = json!({"garbage": true}),
        1 => drop(object["metadata"].as_object_mut().and_then(|m| m.remove("ownerReferences"))),
        2 => object["metadata"]["ownerReferences"][0]["uid"] = "somebody".into(),
        _ => {}
    }
    // An owner that the store does not know is taken to be there.
    if object["metadata"]["ownerReferences"][0]["uid"] == "somebody" {
        object["metadata"]["ownerReferences"][0]["kind"] = "StatefulSet".into();
    }
    object
}

/// A pod of any age and sort, ours, an orphan's or somebody else's.
pub fn pod(dice: &mut Dice, revisions: &[String]) -> Value {
    let name = match dice.throw(12) {
        0 => "web-01".to_owned(),
        1 => "web-99999999999".to_owned(),
        _ => format!("web-{}", dice.throw(6)),
    };
    let phase = dice.of(["Pending", "Running", "Running", "Running", "Failed", "Succeeded", "Unknown"]);
    let ready = phase == "Running" && !dice.once_in(3);
    let mut labels = json!({"app": "web", "statefulset.kubernetes.io/pod-name": name});
    if let Some(revision) = dice.pick(revisions) {
        labels["controller-revision-hash"] = revision.as_str().into();
    }
    if dice.once_in(8) {
        labels["app"] = "other".into();
    }
    let owner = |kind: &str, uid: &str| {
        json!([{
            "apiVersion": "apps.ordinal.dev/v1", "kind": kind, "name": "web", "uid": uid, "controller": true,
        }])
    };
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "ns", "uid": format!("planted-{name}"), "labels": labels,
            "annotations": {"somebody": "was here"}, "creationTimestamp": "2025-12-31T23:00:00Z",
        },
        "spec": {"containers": [{"name": "c", "image": "a"}]},
        "status": {"phase": phase, "conditions": [
            {"type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": "2025-12-31T23:30:00Z"},
        ]},
    });
    match dice.throw(6) {
        0 => {}
        1 => pod["metadata"]["ownerReferences"] = owner("ReplicaSet", "somebody"),
        _ => pod["metadata"]["ownerReferences"] = owner("OrdinalSet", "set"),
    }
    if phase != "Pending" || dice.once_in(2) {
        pod["spec"]["nodeName"] = "node".into();
        if dice.once_in(5) {
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:20Z".into();
            pod["metadata"]["deletionGracePeriodSeconds"] = 30.into();
        }
    }
    pod
}

fn claim(dice: &mut Dice, store: &Store) -> Value {
    let ordinal = dice.throw(6);
    let pod = format!("web-{ordinal}");
    let owner = |kind: &str, name: &str, uid: &str| {
        json!([{
            "apiVersion": if kind == "Pod" { "v1" } else { "apps.ordinal.dev/v1" },
            "kind": kind, "name": name, "uid": uid, "controller": true,
        }])
    };
    let name = format!("data-{pod}");
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": "ns", "uid": format!("planted-{name}"),
            "finalizers": ["kubernetes.io/pvc-protection"], "annotations": {"somebody": "was here"},
        },
        "spec": {}, "status": {"phase": "Bound"},
    });
    match dice.throw(5) {
        0 => claim["metadata"]["ownerReferences"] = owner("OrdinalSet", "web", "set"),
        1 => {
            let uid = store.pods.object(&pod).map_or("gone", |p| p.uid());
            claim["metadata"]["ownerReferences"] = owner("Pod", &pod, uid);
        }
        2 => claim["metadata"]["ownerReferences"] = owner("Backup", "nightly", "somebody"),
        _ => {}
    }
    claim
}
