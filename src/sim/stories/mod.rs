//! Stories: the golden texts in `golden/`.

mod budgets;
mod claims;
mod repair;
mod rollouts;
mod scalings;

use crate::cluster::Cluster;
use serde_json::{Value, json};

pub(crate) fn spec(replicas: i32, more: Value) -> Value {
    let mut spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "a"}]},
        },
    });
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    spec
}

pub(crate) fn with_claim(replicas: i32) -> Value {
    spec(replicas, json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}))
}

pub(crate) fn image(image: &str) -> impl Fn(&mut Value) + '_ {
    move |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = image.into()
}

/// A template whose pods run and never get ready.
pub(crate) fn broken(name: &str) -> impl Fn(&mut Value) + '_ {
    move |set| {
        image(name)(set);
        set["spec"]["template"]["metadata"]["annotations"] = json!({"sim": "broken"});
    }
}

/// One whose pods get ready again.
pub(crate) fn repaired(name: &str) -> impl Fn(&mut Value) + '_ {
    move |set| {
        image(name)(set);
        set["spec"]["template"]["metadata"]["annotations"] = json!({});
    }
}

pub(crate) fn replicas(n: i32) -> impl Fn(&mut Value) {
    move |set| set["spec"]["replicas"] = n.into()
}

/// `type: RollingUpdate` with this block.
pub(crate) fn rolling(block: Value) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": block})
}

/// More of a spec: the policy, and a roll-out with this block.
fn policy(policy: &str, block: Value) -> Value {
    json!({"podManagementPolicy": policy, "updateStrategy": rolling(block)})
}

/// An edit of the set as something that happens.
fn edit(change: impl Fn(&mut Value) + 'static) -> impl Fn(&mut Cluster) {
    move |cluster| cluster.edit(&change)
}

/// The moment when a pod exists with this image and is ready.
fn is_ready(pod: &'static str, image: &'static str) -> impl Fn(&Cluster) -> bool {
    move |cluster| {
        let pod = &cluster.pods.get(pod).cloned().unwrap_or_default();
        pod["spec"]["containers"][0]["image"] == image && pod["status"]["conditions"][0]["status"] == "True"
    }
}

/// The moment when a pod terminates.
fn is_terminating(pod: &'static str) -> impl Fn(&Cluster) -> bool {
    move |cluster| cluster.pods.get(pod).is_some_and(|p| !p["metadata"]["deletionTimestamp"].is_null())
}
