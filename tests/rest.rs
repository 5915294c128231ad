//! Whether anybody but the two controllers still has work to do in a namespace: kubelet, scheduler, binder, garbage
//! collector. While one has, a pause says nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::record::{Room, Watched};

/// The finalizer of a claim, taken off once no pod uses it.
const PVC_PROTECTION: &str = "kubernetes.io/pvc-protection";

/// The first object that cannot stay as it is.
pub fn moving(room: &Room) -> Option<String> {
    first(room, |_| true)
}

/// The same of pods alone: where claims wait for pods that nobody can run, they wait for good.
pub fn moving_pod(room: &Room) -> Option<String> {
    first(room, |kind| kind == Watched::Pod)
}

/// Whether the scheduler has a pod for which it found no node.
pub fn fits_nowhere(room: &Room) -> bool {
    room.all(Watched::Pod).any(|(_, pod)| is_unschedulable(pod))
}

fn is_unschedulable(pod: &Value) -> bool {
    has_condition(pod, "PodScheduled", "reason", "Unschedulable")
}

fn first(room: &Room, looked_at: impl Fn(Watched) -> bool) -> Option<String> {
    let there: BTreeSet<&str> = room.objects.values().filter_map(|object| object["metadata"]["uid"].as_str()).collect();
    let restless = |((kind, name), object): (&(Watched, String), &Value)| {
        let why = match kind {
            Watched::Set => unobserved(object),
            Watched::Pod => of_pod(object),
            Watched::Claim => of_claim(room, object),
            Watched::Revision => None,
        };
        let why = why.or_else(|| abandoned(object, &there));
        why.map(|why| format!("{kind:?} {name} {why}"))
    };
    room.objects.iter().filter(|((kind, _), _)| looked_at(*kind)).find_map(restless)
}

fn unobserved(set: &Value) -> Option<&'static str> {
    // A set being deleted may be left alone by its controller.
    let leaving = set["metadata"]["deletionTimestamp"].is_string();
    let observed = set["status"]["observedGeneration"] == set["metadata"]["generation"];
    (!leaving && !observed).then_some("is not observed")
}

fn of_pod(pod: &Value) -> Option<&'static str> {
    let annotated = |name: &str| pod["metadata"]["annotations"][format!("test.ordinal.dev/{name}")] == "true";
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    if pod["metadata"]["deletionTimestamp"].is_string() {
        // Somebody's finalizer may hold it, but not before its containers have ended.
        let held =
            pod["metadata"]["finalizers"].as_array().is_some_and(|f| f.iter().any(|f| f != "foregroundDeletion"));
        return (!held || phase == "Running").then_some("is being deleted");
    }
    match phase {
        // Nobody looks at a pod of another scheduler.
        "Pending" if pod["spec"]["schedulerName"] != "default-scheduler" => None,
        "Pending" => (!is_unschedulable(pod)).then_some("is pending"),
        "Running" if annotated("fails") => Some("is about to fail"),
        "Running" => (has_condition(pod, "Ready", "status", "True") == annotated("never-ready"))
            .then_some("is getting ready or unready"),
        _ => None,
    }
}

/// Whether a pod has a condition of this type with such a field.
pub fn has_condition(pod: &Value, type_: &str, field: &str, value: &str) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|c| c["type"] == type_ && c[field] == value)
}

fn of_claim(room: &Room, claim: &Value) -> Option<&'static str> {
    if claim["metadata"]["deletionTimestamp"].is_string() {
        let name = &claim["metadata"]["name"];
        let mounts = |pod: &Value| {
            let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
            volumes.into_iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == *name)
        };
        let used = room.all(Watched::Pod).any(|(_, pod)| mounts(pod) && pod["spec"]["nodeName"].is_string());
        let held = claim["metadata"]["finalizers"].as_array().is_some_and(|f| f.iter().any(|f| f != PVC_PROTECTION));
        return (!used && !held).then_some("is being deleted");
    }
    let bindable = claim["spec"]["storageClassName"] != "";
    (bindable && claim["status"]["phase"] == "Pending").then_some("is not bound")
}

/// All its owners are gone: the garbage collector comes for it.
fn abandoned(object: &Value, there: &BTreeSet<&str>) -> Option<&'static str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let gone = |owner: &Value| owner["uid"].as_str().is_some_and(|uid| !there.contains(uid));
    let leaving = object["metadata"]["deletionTimestamp"].is_string();
    (!leaving && !owners.is_empty() && owners.iter().all(gone)).then_some("has lost its owners")
}
