//! Wiring and what only a real server shows: whose pods and claims are whose, what wakes a set, what is written and what
//! is not, and what becomes of pods whose nodes are lost.

mod adoption;
mod blocked;
mod claims;
mod cost;
mod deletion;
mod events;
mod expired;
mod held;
mod nodes;
mod retention;
mod status;
mod traffic;

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use ordinal_tests::{Identity, Look, Namespace, audit::Call, world};
use serde_json::{Value, json};

use crate::sets::SOON;

/// A held-back status write comes after half a second (O-10); what follows from it is there after this.
const QUIET: Duration = Duration::from_millis(800);

/// The operator's calls in a namespace of the shared world so far, events aside.
async fn calls(ns: &Namespace) -> Result<Vec<Call>> {
    world::world().await?.control_plane.calls_in(Identity::Operator, ns.name())
}

/// Waits until the operator has made no call in this namespace for a while, and returns all that it has made.
async fn at_rest(ns: &Namespace) -> Result<Vec<Call>> {
    ns.eventually(SOON, "the operator comes to rest", async || {
        let before = calls(ns).await?.len();
        tokio::time::sleep(QUIET).await;
        let now = calls(ns).await?;
        Ok(if now.len() == before { Look::Done(now) } else { Look::NotYet(in_words(&now[before..]).join("\n")) })
    })
    .await
}

/// Calls for a failure message.
fn in_words(calls: &[Call]) -> Vec<String> {
    calls.iter().map(Call::in_words).collect()
}

/// Merges `patch` into a pod.
async fn patch_pod(ns: &Namespace, name: &str, patch: Value) -> Result<Pod> {
    Ok(ns.pods().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
}

/// Takes all owners off a pod.
async fn orphan(ns: &Namespace, name: &str) -> Result<Pod> {
    patch_pod(ns, name, json!({"metadata": {"ownerReferences": null}})).await
}

/// Puts finalizers on a pod, or takes them off (`[]`).
async fn hold(ns: &Namespace, name: &str, finalizers: &[&str]) -> Result<Pod> {
    patch_pod(ns, name, json!({"metadata": {"finalizers": finalizers}})).await
}

/// A finalizer that nobody but a test takes off.
const HELD: &str = "test.ordinal.dev/held";

/// A pod like those of [`crate::sets::set`], made by hand.
fn stray(name: &str, app: &str, metadata: Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
    });
    if let (Some(meta), Value::Object(more)) = (pod["metadata"].as_object_mut(), metadata) {
        meta.extend(more);
    }
    pod
}

/// Waits until a pod's controller is this object, and returns the pod.
async fn controlled_by(ns: &Namespace, pod: &str, uid: Option<String>) -> Result<Pod> {
    ns.eventually(SOON, &format!("the controller of {pod} is {uid:?}"), async || {
        let pod = ns.pods().get(pod).await?;
        let controller = pod.owner_references().iter().find(|o| o.controller == Some(true)).map(|o| o.uid.clone());
        Ok(if controller == uid { Look::Done(pod) } else { Look::NotYet(format!("{controller:?}")) })
    })
    .await
}

/// Waits until there is no such pod.
async fn gone(ns: &Namespace, pod: &str) -> Result<()> {
    ns.eventually(SOON, &format!("{pod} is gone"), async || {
        let left = ns.pods().get_opt(pod).await?;
        Ok(Look::when(left.is_none(), || format!("{:?}", left.map(|p| p.metadata))))
    })
    .await
}
