//! The few places where the same thing is written in two ways.

use crate::vector::array;
use ordinal_plan::snapshot::{SET_API_VERSION, SET_KIND};
use serde_json::{Value, json};

const NATIVE_API_VERSION: &str = "apps/v1";
const NATIVE_KIND: &str = "StatefulSet";

/// References to the set, in our words.
pub fn to_ours(object: &mut Value) {
    swap(object, (NATIVE_API_VERSION, NATIVE_KIND), (SET_API_VERSION, SET_KIND));
}

/// References to the set, in the vectors' words.
pub fn to_native(object: &mut Value) {
    swap(object, (SET_API_VERSION, SET_KIND), (NATIVE_API_VERSION, NATIVE_KIND));
}

fn swap(object: &mut Value, from: (&str, &str), to: (&str, &str)) {
    let owners = object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    for owner in owners.into_iter().flatten() {
        if owner["apiVersion"] == from.0 && owner["kind"] == from.1 {
            owner["apiVersion"] = to.0.into();
            owner["kind"] = to.1.into();
        }
    }
}

/// Owner references in an order of their own: theirs has no meaning.
pub fn sorted(owners: &Value) -> Value {
    let mut owners: Vec<Value> = array(owners).cloned().collect();
    owners.sort_by_cached_key(Value::to_string);
    owners.into()
}

/// An object to be created, less what an API server reads as absent: the vectors show objects as Go prints them.
pub fn without_what_is_empty(mut object: Value) -> Value {
    let absent = [("", "apiVersion"), ("", "kind"), ("", "status")]; // implied by the list; set by the server
    let empty = [("/metadata", "annotations"), ("/metadata", "labels"), ("/spec", "subdomain"), ("/spec", "volumes")];
    for (parent, field) in absent {
        remove(&mut object, parent, field, |_| true);
    }
    for (parent, field) in empty {
        remove(&mut object, parent, field, |value| *value == json!("") || *value == json!({}) || *value == json!([]));
    }
    object
}

fn remove(object: &mut Value, parent: &str, field: &str, which: impl Fn(&Value) -> bool) {
    if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut)
        && parent.get(field).is_some_and(which)
    {
        parent.remove(field);
    }
}

/// The event of a pod's creation, update or deletion (S-7.2).
pub fn pod_event(verb: &str, pod: &str, set: &str) -> String {
    format!("Normal Successful{verb} {verb} Pod {pod} in {NATIVE_KIND} {set} successful")
}

/// The event of a pod that could not be created or updated (S-7.2).
pub fn pod_failure(verb: &str, pod: &str, set: &str, error: &str) -> String {
    format!("Warning Failed{verb} {verb} Pod {pod} in {NATIVE_KIND} {set} failed error: {error}")
}

/// The event of a claim's creation (S-7.3).
pub fn claim_event(claim: &str, pod: &str, set: &str) -> String {
    format!("Normal SuccessfulCreate Create Claim {claim} Pod {pod} in {NATIVE_KIND} {set} success")
}

/// The event of a claim whose policy is ignored (S-7.3).
pub fn conflict_event(claim: &str) -> String {
    format!(
        "Warning ConflictingController PersistentVolumeClaim {claim} has a conflicting OwnerReference that acts as a \
         manging controller, the retention policy is ignored for this claim"
    )
}
