//! The simulation's calls, sent to a real API server.

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet},
    core::v1 as core,
};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy},
    core::ApiResource,
};
use ordinal_sim::{
    call::{Call, Deletion, Part, Propagation, Style},
    objects::Kind,
};
use serde_json::Value;

use crate::namespace::set_resource;

/// A kind's objects in a namespace.
pub fn api(client: &Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let resource = match kind {
        Kind::Set => set_resource(),
        Kind::Pod => ApiResource::erase::<core::Pod>(&()),
        Kind::Claim => ApiResource::erase::<core::PersistentVolumeClaim>(&()),
        Kind::Revision => ApiResource::erase::<ControllerRevision>(&()),
        Kind::Service => ApiResource::erase::<core::Service>(&()),
        Kind::Native => ApiResource::erase::<StatefulSet>(&()),
    };
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// Sends a call, and returns the object that comes back; null where none does.
///
/// # Errors
/// As the API server answers.
pub async fn send(client: &Client, namespace: &str, call: &Call) -> kube::Result<Value> {
    let (api, name) = (api(client, namespace, call.kind()), call.name());
    let typed =
        |object: &Value| serde_json::from_value::<DynamicObject>(object.clone()).map_err(kube::Error::SerdeError);
    let answer = match call {
        Call::Get { .. } => api.get(name).await?,
        Call::Create { object, dry_run, .. } => {
            let params = PostParams { dry_run: *dry_run, ..PostParams::default() };
            api.create(&params, &typed(object)?).await?
        }
        Call::Replace { object, part: Part::Main, .. } => {
            api.replace(name, &PostParams::default(), &typed(object)?).await?
        }
        Call::Replace { object, part: Part::Status, .. } => {
            api.replace_status(name, &PostParams::default(), &typed(object)?).await?
        }
        Call::Patch { patch, style, part, .. } => {
            let patch = match style {
                Style::Merge => Patch::Merge(patch),
                Style::Strategic => Patch::Strategic(patch),
            };
            match part {
                Part::Main => api.patch(name, &PatchParams::default(), &patch).await?,
                Part::Status => api.patch_status(name, &PatchParams::default(), &patch).await?,
            }
        }
        Call::Delete { how, .. } => {
            api.delete(name, &deletion(how)).await?;
            return Ok(Value::Null);
        }
        Call::Bind { node, .. } => {
            let binding = serde_json::json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": node}});
            return api.create_subresource("binding", name, &PostParams::default(), &binding).await;
        }
    };
    serde_json::to_value(answer).map_err(kube::Error::SerdeError)
}

fn deletion(how: &Deletion) -> DeleteParams {
    let params = DeleteParams {
        grace_period_seconds: how.grace.and_then(|seconds| u32::try_from(seconds).ok()),
        propagation_policy: how.propagation.map(|policy| match policy {
            Propagation::Background => PropagationPolicy::Background,
            Propagation::Foreground => PropagationPolicy::Foreground,
            Propagation::Orphan => PropagationPolicy::Orphan,
        }),
        ..DeleteParams::default()
    };
    params.preconditions(Preconditions { uid: how.uid.clone(), resource_version: how.version.clone() })
}
