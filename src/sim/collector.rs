//! What kube-controller-manager does to objects that are deleted or whose owners are: garbage collection, and the
//! protection of claims that are in use. One object at a time, so that anything may come between two.

use crate::{
    call::{Call, Deletion, Part, Propagation, Style},
    objects::{Kind, Object},
    store::{FOREGROUND, ORPHAN, PVC_PROTECTION, Store},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

/// Every call that a collector would make now; one per object.
pub fn calls(store: &Store) -> Vec<Call> {
    store.all().filter_map(|object| call(store, object)).collect()
}

/// Makes calls until there are none left.
pub fn settle(store: &mut Store) {
    while let Some(call) = calls(store).first() {
        store.apply(call).unwrap_or_else(|e| panic!("the collector's {call:?} was refused: {e}"));
    }
}

fn call(store: &Store, object: &Object) -> Option<Call> {
    let has = |finalizer: &str| object.finalizers().any(|f| f == finalizer);
    if object.is_deleting() && has(ORPHAN) {
        return Some(match dependents(store, object).next() {
            Some(dependent) => without_owners(dependent, &[object.uid()]),
            None => without_finalizer(object, ORPHAN),
        });
    }
    if is_waiting(object) {
        // Dependents go by their own calls.
        let blocked = dependents(store, object)
            .any(|d| d.owners().iter().any(|o| o.uid == object.uid() && o.block_owner_deletion == Some(true)));
        return (!blocked).then(|| without_finalizer(object, FOREGROUND));
    }
    if object.is_deleting() {
        let free = has(PVC_PROTECTION) && !is_in_use(store, object.name());
        return free.then(|| without_finalizer(object, PVC_PROTECTION));
    }
    if object.kind() == Kind::Claim && !has(PVC_PROTECTION) {
        let all: Vec<&str> = object.finalizers().chain([PVC_PROTECTION]).collect();
        return Some(change(object, json!({"finalizers": all})));
    }
    collect(store, object)
}

/// What becomes of an object with owners: it stays with those that stay, and goes with the last.
fn collect(store: &Store, object: &Object) -> Option<Call> {
    let owners = object.owners();
    let found = |o: &OwnerReference| find(store, o);
    let stays = |o: &&OwnerReference| known_kind(&o.kind).is_none() || found(o).is_some_and(|owner| !is_waiting(owner));
    let waiting = owners.iter().any(|o| found(o).is_some_and(is_waiting));
    let leaving: Vec<&str> = owners.iter().filter(|o| !stays(o)).map(|o| o.uid.as_str()).collect();
    if leaving.is_empty() {
        return None;
    }
    if leaving.len() < owners.len() {
        return Some(without_owners(object, &leaving));
    }
    let last = waiting && dependents(store, object).next().is_some();
    let propagation = if last { Propagation::Foreground } else { Propagation::Background };
    let how = Deletion {
        uid: Some(object.uid().to_owned()),
        version: Some(object.version().to_string()),
        grace: None,
        propagation: Some(propagation),
    };
    Some(Call::Delete { kind: object.kind(), name: object.name().to_owned(), how })
}

fn is_waiting(object: &Object) -> bool {
    object.is_deleting() && object.finalizers().any(|f| f == FOREGROUND)
}

fn dependents<'s>(store: &'s Store, owner: &'s Object) -> impl Iterator<Item = &'s Object> {
    store.all().map(AsRef::as_ref).filter(|o| o.owners().iter().any(|r| r.uid == owner.uid()))
}

fn find<'s>(store: &'s Store, owner: &OwnerReference) -> Option<&'s Object> {
    let object = store.of(known_kind(&owner.kind)?).object(&owner.name)?;
    (object.uid() == owner.uid).then_some(object)
}

/// Owners of other kinds are taken to be there.
fn known_kind(kind: &str) -> Option<Kind> {
    Some(match kind {
        "OrdinalSet" => Kind::Set,
        "Pod" => Kind::Pod,
        "PersistentVolumeClaim" => Kind::Claim,
        "ControllerRevision" => Kind::Revision,
        "Service" => Kind::Service,
        _ => return None,
    })
}

/// A claim is in use while a pod that has a node names it, whatever its phase.
fn is_in_use(store: &Store, claim: &str) -> bool {
    store.pods.values().filter(|pod| pod["spec"]["nodeName"].is_string()).any(|pod| {
        let volumes = pod["spec"]["volumes"].as_array();
        volumes.into_iter().flatten().any(|v| v["persistentVolumeClaim"]["claimName"] == claim)
    })
}

fn without_finalizer(object: &Object, finalizer: &str) -> Call {
    let rest: Vec<&str> = object.finalizers().filter(|f| *f != finalizer).collect();
    change(object, json!({"finalizers": rest}))
}

fn without_owners(object: &Object, uids: &[&str]) -> Call {
    let rest: Vec<_> = object.owners().into_iter().filter(|o| !uids.contains(&o.uid.as_str())).collect();
    change(object, json!({"ownerReferences": rest}))
}

/// Custom resources take merge patches only, so all get them.
fn change(object: &Object, mut metadata: Value) -> Call {
    metadata["resourceVersion"] = object.version().to_string().into();
    Call::Patch {
        kind: object.kind(),
        name: object.name().to_owned(),
        patch: json!({"metadata": metadata}),
        style: Style::Merge,
        part: Part::Main,
    }
}
