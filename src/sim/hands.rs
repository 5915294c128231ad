//! What tests do by hand to one object, and what they look at.

use crate::cluster::{Cluster, Objects};
use ordinal_api::OrdinalSetStatus;
use ordinal_plan::{Plan, action::Action};
use serde_json::{Value, json};

/// A pod as stored.
pub(crate) fn pod<'c>(cluster: &'c mut Cluster, name: &str) -> &'c mut Value {
    cluster.pods.get_mut(name).unwrap_or_else(|| panic!("no pod {name}"))
}

/// Changes each object of a kind.
pub(crate) fn each(objects: &mut Objects, mut change: impl FnMut(&mut Value)) {
    let names: Vec<String> = objects.keys().cloned().collect();
    names.iter().filter_map(|name| objects.get_mut(name).map(&mut change)).for_each(drop);
}

/// UID of the first owner of an object; null when it has none.
pub(crate) fn owner(object: &Value) -> &Value {
    &object["metadata"]["ownerReferences"][0]["uid"]
}

/// Makes a pod run and be ready, and well if it was sick.
pub(crate) fn ready(cluster: &mut Cluster, name: &str) {
    let now = cluster.now;
    let pod = pod(cluster, name);
    pod.as_object_mut().expect("an object").remove("sick");
    pod["status"] =
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}]});
}

/// A pod's object vanishes: its node is done with it, or somebody forced it.
pub(crate) fn gone(cluster: &mut Cluster, name: &str) {
    assert!(cluster.pods.remove(name).is_some(), "no pod {name}");
    cluster.collect_garbage();
}

/// A plan's actions in words, less those that find, record or try the update revision.
pub(crate) fn acts(plan: &Plan) -> Vec<String> {
    let told = |a: &&Action| {
        !matches!(a, Action::CreateRevision { .. } | Action::RenumberRevision { .. } | Action::TryPod { .. })
    };
    plan.actions().filter(told).map(ToString::to_string).collect()
}

/// `delete pod …` as [`acts`] says it, for outdated pods.
pub(crate) fn outdated(pods: &[&str]) -> Vec<String> {
    pods.iter().map(|p| format!("delete pod {p}: it is not at the update revision")).collect()
}

/// `delete pod …` as [`acts`] says it, for condemned pods.
pub(crate) fn condemned(pods: &[&str]) -> Vec<String> {
    pods.iter().map(|p| format!("delete pod {p}: its ordinal is out of range")).collect()
}

/// `create pod …` as [`acts`] says it.
pub(crate) fn created(pods: &[&str]) -> Vec<String> {
    pods.iter().map(|p| format!("create pod {p} at the update revision")).collect()
}

/// Names and images of all pods: `web-0:a web-1:b`.
pub(crate) fn images(cluster: &Cluster) -> String {
    let image = |(name, pod): (&String, &Value)| {
        format!("{name}:{}", pod["spec"]["containers"][0]["image"].as_str().unwrap_or("?"))
    };
    cluster.pods.iter().map(image).collect::<Vec<_>>().join(" ")
}

/// The names of all pods.
pub(crate) fn names(cluster: &Cluster) -> Vec<&str> {
    cluster.pods.keys().map(String::as_str).collect()
}

/// Kind and name of each owner of a claim.
pub(crate) fn owners(cluster: &Cluster, claim: &str) -> Vec<String> {
    let claim = cluster.claims.get(claim).unwrap_or_else(|| panic!("no claim {claim}"));
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let owners = claim["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.map(|o| format!("{} {}", word(&o["kind"]), word(&o["name"]))).collect()
}

/// The stored status.
pub(crate) fn status(cluster: &Cluster) -> OrdinalSetStatus {
    cluster.snapshot().set.status.clone()
}

/// Its five counters: replicas, ready, available, current, updated.
pub(crate) fn counters(status: &OrdinalSetStatus) -> [i32; 5] {
    let s = status;
    [s.replicas, s.ready_replicas, s.available_replicas, s.current_replicas, s.updated_replicas]
}
