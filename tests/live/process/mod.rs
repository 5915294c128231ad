//! The operator as a process: how it starts, waits, shares the work with others, and ends.

mod lease;
mod load;
mod metrics;
mod missing;
mod namespaces;
mod rights;
mod usage;

use anyhow::Result;
use k8s_openapi::api::rbac::v1::PolicyRule;
use ordinal_tests::{ControlPlane, Options, kubectl::Kubectl};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A control plane for operators that have no set to work on: each takes a lease of its own, so they do not meet.
async fn without_sets() -> Result<&'static ControlPlane> {
    static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    CONTROL_PLANE.get_or_try_init(|| ControlPlane::start(Options { nodes: 1, ..Options::default() })).await
}

/// The rules that the operator is shipped with, which from now on are granted nowhere.
async fn take_rights(kubectl: &Kubectl) -> Result<Vec<PolicyRule>> {
    let role: Value = serde_json::from_str(&kubectl.ok(["get", "clusterrole", "ordinal", "-o", "json"]).await?)?;
    kubectl.ok(["delete", "clusterrolebinding", "ordinal"]).await?;
    Ok(serde_json::from_value(role["rules"].clone())?)
}

/// Grants the operator rules in namespaces, each with its own.
async fn grant(kubectl: &Kubectl, namespaces: impl IntoIterator<Item = (&str, Value)>) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    let subjects = json!([{"kind": "ServiceAccount", "name": "ordinal", "namespace": "ordinal-system"}]);
    let reference = json!({"apiGroup": group, "kind": "Role", "name": "ordinal"});
    let roles = namespaces.into_iter().flat_map(|(namespace, rules)| {
        let metadata = json!({"name": "ordinal", "namespace": namespace});
        [
            json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules}),
            json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
                   "subjects": subjects, "roleRef": reference}),
        ]
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": roles.collect::<Vec<_>>()});
    kubectl.apply(&list.to_string()).await.map(drop)
}
