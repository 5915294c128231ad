//! Random calls about the objects that there are, and some that there are not.

use ordinal_sim::{
    call::{Call, Deletion, Part, Propagation, Style},
    kubelet::Dice,
    objects::{Kind, Object},
    store::Store,
};
use serde_json::{Value, json};

/// A UID that no object has.
pub const NOBODY: &str = "uid-of-nobody";

const FINALIZER: &str = "test.ordinal.dev/held";

/// The next call.
pub fn random(store: &Store, dice: &mut Dice) -> Call {
    let kinds = [Kind::Set, Kind::Pod, Kind::Pod, Kind::Pod, Kind::Claim, Kind::Revision, Kind::Service];
    let kind = kinds[dice.throw(kinds.len())];
    let names = match kind {
        Kind::Set => ["web", "db"],
        Kind::Pod => ["web-0", "web-1"],
        Kind::Claim => ["data-web-0", "data-web-1"],
        Kind::Revision => ["web-a", "web-b"],
        Kind::Service | Kind::Native => ["svc", "svc"],
    };
    let name = names[dice.throw(2)].to_owned();
    let Some(object) = store.of(kind).object(&name).filter(|_| !dice.once_in(12)) else {
        // Most of what is asked about is to be there.
        let absent = dice.throw(6);
        return match absent {
            0 if !store.of(kind).contains_key(&name) => Call::Get { kind, name },
            1 => Call::Delete { kind, name, how: deletion(store, dice, None) },
            _ => Call::Create { kind, object: new(store, dice, kind, &name), dry_run: dice.once_in(8) },
        };
    };
    match dice.throw(12) {
        0..3 => Call::Delete { kind, name, how: deletion(store, dice, Some(object)) },
        3 => replace(store, dice, object),
        4 if kind == Kind::Pod => Call::Bind { pod: name, node: "node".into() },
        4 | 5 => status(store, dice, object),
        6 | 7 => owners(store, dice, object),
        8 | 9 => finalizers(store, dice, object),
        10 => forbidden(object),
        _ => labels(store, dice, object),
    }
}

fn new(store: &Store, dice: &mut Dice, kind: Kind, name: &str) -> Value {
    let mut object = match kind {
        Kind::Set => json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet",
            "spec": {
                "replicas": dice.throw(3),
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "c", "image": "a"}]},
                },
            },
        }),
        Kind::Pod => json!({
            "apiVersion": "v1", "kind": "Pod",
            // Nobody schedules it but we.
            "spec": {
                "schedulerName": "nobody",
                "containers": [{"name": "c", "image": "a"}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-{name}")}}],
            },
        }),
        // No such class: it stays pending.
        Kind::Claim => json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "none",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }),
        Kind::Revision => json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "data": {"spec": {"template": {"image": name}}}, "revision": 1,
        }),
        Kind::Service | Kind::Native => json!({
            "apiVersion": "v1", "kind": "Service",
            "spec": {"clusterIP": "None", "selector": {"app": "web"}},
        }),
    };
    object["metadata"] = json!({"name": name, "labels": {"app": name}});
    if kind == Kind::Pod && dice.once_in(2) {
        object["spec"]["nodeName"] = "node".into();
        object["spec"]["terminationGracePeriodSeconds"] = [0, 30, 600][dice.throw(3)].into();
    }
    // What was never bound and is held is ended by the pod garbage collector, every 20 s: no matter of ours.
    if (kind != Kind::Pod || object["spec"]["nodeName"].is_string()) && dice.once_in(4) {
        object["metadata"]["finalizers"] = json!([FINALIZER]);
    }
    if kind != Kind::Set && dice.once_in(2) {
        let count = 1 + dice.throw(2);
        let owners: Vec<Value> = (0..count).map(|_| owner(store, dice)).collect();
        if count == 1 || owners[0]["uid"] != owners[1]["uid"] {
            object["metadata"]["ownerReferences"] = owners.into();
        }
    }
    object
}

/// A reference to something that may own: there, gone, or never there.
fn owner(store: &Store, dice: &mut Dice) -> Value {
    // One that is being deleted waits for the dependents that it had: the real collector looks at new ones some time later.
    let may_own = |o: &&Object| o.kind() != Kind::Revision && !o.is_deleting();
    let owners: Vec<&Object> = store.all().map(AsRef::as_ref).filter(may_own).collect();
    let controller = dice.once_in(2);
    let Some(owner) = owners.get(dice.throw(owners.len() + 1)) else {
        return json!({
            "apiVersion": "v1", "kind": "Pod", "name": "nobody", "uid": NOBODY,
            "controller": controller, "blockOwnerDeletion": true,
        });
    };
    let (api_version, kind) = match owner.kind() {
        Kind::Set => ("apps.ordinal.dev/v1", "OrdinalSet"),
        Kind::Pod => ("v1", "Pod"),
        Kind::Claim => ("v1", "PersistentVolumeClaim"),
        Kind::Revision => ("apps/v1", "ControllerRevision"),
        Kind::Service | Kind::Native => ("v1", "Service"),
    };
    // As Ordinal's own. Whether a reference that does not block outlives its owner depends on which collector is faster.
    json!({
        "apiVersion": api_version, "kind": kind, "name": owner.name(), "uid": owner.uid(),
        "controller": controller, "blockOwnerDeletion": true,
    })
}

fn deletion(store: &Store, dice: &mut Dice, object: Option<&std::sync::Arc<Object>>) -> Deletion {
    let uid = match dice.throw(3) {
        0 => object.map(|o| o.uid().to_owned()),
        1 => Some(NOBODY.to_owned()).filter(|_| dice.once_in(2)),
        _ => None,
    };
    let version = object.filter(|_| dice.once_in(4)).map(|o| any_version(store, dice, o));
    // Long against the sequence: what is shortened to less than has passed already ends at once.
    let grace = [None, None, Some(0), Some(300), Some(1000)][dice.throw(5)];
    let bound = object.is_none_or(|o| o.kind() != Kind::Pod || o.value()["spec"]["nodeName"].is_string());
    let propagation = match dice.throw(6) {
        0 if bound => Some(Propagation::Foreground),
        1 if bound => Some(Propagation::Orphan),
        2 => Some(Propagation::Background),
        _ => None,
    };
    Deletion { uid, version, grace, propagation }
}

/// The version of an object, or one that it once had.
fn any_version(store: &Store, dice: &mut Dice, object: &Object) -> String {
    let versions = store.history.iter().filter_map(|c| c.after.as_ref()).filter(|o| o.uid() == object.uid());
    let versions: Vec<u64> = versions.map(|o| o.version()).collect();
    let stale = dice.pick(&versions).copied().unwrap_or(0);
    if dice.once_in(2) { stale.to_string() } else { object.version().to_string() }
}

/// A merge patch's metadata: sometimes with a version, a UID, or a wrong one.
fn metadata(store: &Store, dice: &mut Dice, object: &Object) -> Value {
    let mut metadata = json!({});
    if dice.once_in(3) {
        metadata["resourceVersion"] = any_version(store, dice, object).into();
    }
    match dice.throw(6) {
        0 => metadata["uid"] = NOBODY.into(),
        1 | 2 => metadata["uid"] = object.uid().into(),
        _ => {}
    }
    metadata
}

fn patch(object: &Object, patch: Value, style: Style, part: Part) -> Call {
    Call::Patch { kind: object.kind(), name: object.name().to_owned(), patch, style, part }
}

fn labels(store: &Store, dice: &mut Dice, object: &Object) -> Call {
    let mut metadata = metadata(store, dice, object);
    let colour = ["red", "blue"][dice.throw(2)];
    metadata["labels"] = json!({"colour": colour});
    patch(object, json!({"metadata": metadata}), [Style::Merge, Style::Strategic][dice.throw(2)], Part::Main)
}

fn finalizers(store: &Store, dice: &mut Dice, object: &Object) -> Call {
    let mut metadata = metadata(store, dice, object);
    let bound = object.kind() != Kind::Pod || object.value()["spec"]["nodeName"].is_string();
    if bound && dice.once_in(3) {
        metadata["finalizers"] = json!([FINALIZER, format!("{FINALIZER}-too")]);
    } else {
        // Those of the collectors stay: they would race with us.
        let theirs: Vec<&str> = object.finalizers().filter(|f| !f.starts_with(FINALIZER)).collect();
        metadata["finalizers"] = json!(theirs);
    }
    patch(object, json!({"metadata": metadata}), Style::Merge, Part::Main)
}

fn owners(store: &Store, dice: &mut Dice, object: &Object) -> Call {
    let mut metadata = metadata(store, dice, object);
    let there = object.owners();
    let change = match dice.pick(&there) {
        Some(owner) if dice.once_in(2) => json!({"$patch": "delete", "uid": owner.uid}),
        _ => owner(store, dice),
    };
    // Nobody owns itself.
    if change["uid"] == object.uid() {
        return Call::Get { kind: object.kind(), name: object.name().to_owned() };
    }
    metadata["ownerReferences"] = json!([change]);
    patch(object, json!({"metadata": metadata}), Style::Strategic, Part::Main)
}

fn status(store: &Store, dice: &mut Dice, object: &Object) -> Call {
    let metadata = metadata(store, dice, object);
    let status = match object.kind() {
        Kind::Set => json!({"replicas": dice.throw(3), "availableReplicas": 0}),
        Kind::Pod => {
            let phase = ["Running", "Failed", "Succeeded", "Unknown"][dice.throw(4)];
            json!({"phase": phase})
        }
        Kind::Claim | Kind::Revision | Kind::Service | Kind::Native => return labels(store, dice, object),
    };
    patch(object, json!({"metadata": metadata, "status": status}), Style::Merge, Part::Status)
}

fn replace(store: &Store, dice: &mut Dice, object: &Object) -> Call {
    let mut changed = object.value().clone();
    changed["metadata"]["labels"]["size"] = ["s", "m"][dice.throw(2)].into();
    match dice.throw(4) {
        0 => changed["metadata"]["resourceVersion"] = any_version(store, dice, object).into(),
        1 => drop(changed["metadata"].as_object_mut().and_then(|m| m.remove("resourceVersion"))),
        2 => changed["metadata"]["uid"] = NOBODY.into(),
        _ => {}
    }
    match object.kind() {
        Kind::Set => changed["spec"]["replicas"] = dice.throw(3).into(),
        Kind::Revision => changed["revision"] = (1 + dice.throw(3)).into(),
        _ => {}
    }
    Call::Replace { kind: object.kind(), name: object.name().to_owned(), object: changed, part: Part::Main }
}

/// A change that no API server takes, or one of the set's spec.
fn forbidden(object: &Object) -> Call {
    let change = match object.kind() {
        Kind::Set => json!({"spec": {"replicas": 7}}),
        Kind::Pod => json!({"spec": {"hostname": "other"}}),
        Kind::Claim => json!({"spec": {"accessModes": ["ReadOnlyMany"]}}),
        Kind::Revision => json!({"data": {"spec": 7}}),
        Kind::Service | Kind::Native => json!({"metadata": {"labels": {"colour": null}}}),
    };
    patch(object, change, Style::Merge, Part::Main)
}
