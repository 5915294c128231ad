//! A small manifest, one thing changed in it, and what `kubectl apply` says.

use anyhow::{Context, Result, ensure};
use ordinal_tests::{ControlPlane, Namespace, Outcome};
use serde_json::{Value, json};

/// Name of the set in [`base`].
pub(crate) const NAME: &str = "web";

/// A namespace of its own; without pods, so that an operator that other tests run has nothing to do.
pub(crate) async fn namespace() -> Result<Namespace> {
    ControlPlane::shared().await?.namespace("admission").await
}

/// A valid set with the changes of a JSON merge patch: null removes.
pub(crate) fn set(patch: Value) -> Value {
    let mut manifest = json!({
        "apiVersion": "apps.ordinal.dev/v1",
        "kind": "OrdinalSet",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container(json!({}))]},
            },
            "volumeClaimTemplates": [claim(json!({}))],
        },
    });
    merge(&mut manifest, patch);
    manifest
}

/// The container of [`set`], changed: lists cannot be patched within.
pub(crate) fn container(patch: Value) -> Value {
    let mut container = json!({
        "name": "main",
        "image": "nginx",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    });
    merge(&mut container, patch);
    container
}

/// The claim template of [`set`], changed.
pub(crate) fn claim(patch: Value) -> Value {
    let mut claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    merge(&mut claim, patch);
    claim
}

/// A patch of [`set`] with this pod spec.
pub(crate) fn pod_spec(patch: Value) -> Value {
    json!({"spec": {"template": {"spec": patch}}})
}

/// A patch of [`set`] with its only container changed.
pub(crate) fn with_container(patch: Value) -> Value {
    pod_spec(json!({"containers": [container(patch)]}))
}

/// A patch of [`set`] with its only claim template changed.
pub(crate) fn with_claim(patch: Value) -> Value {
    json!({"spec": {"volumeClaimTemplates": [claim(patch)]}})
}

/// `kubectl apply` must refuse the changed set, naming `field` and `reason`.
pub(crate) async fn refused(patch: Value, field: &str, reason: &str) -> Outcome {
    check_refusal(&namespace().await?, patch, field, reason).await?;
    Ok(())
}

/// Each of the values at a place of the set must be refused alike.
pub(crate) async fn all_refused(patches: impl IntoIterator<Item = Value>, field: &str, reason: &str) -> Outcome {
    let ns = namespace().await?;
    for patch in patches {
        check_refusal(&ns, patch, field, reason).await?;
    }
    Ok(())
}

/// Each of the changed sets must be accepted.
pub(crate) async fn all_accepted(patches: impl IntoIterator<Item = Value>) -> Outcome {
    let ns = namespace().await?;
    for patch in patches {
        let told = || format!("must be accepted: {patch}");
        ns.kubectl().apply(&set(patch.clone()).to_string()).await.with_context(told)?;
        ns.delete_set(NAME).await?;
    }
    Ok(())
}

/// A set that begins as `first` must not become `second`, because `field` is immutable.
pub(crate) async fn immutable(first: Value, second: Value, field: &str) -> Outcome {
    let ns = namespace().await?;
    ns.kubectl().apply(&set(first).to_string()).await?;
    check_refusal(&ns, second, field, "field is immutable").await?;
    Ok(())
}

/// A set that begins as `first` may become `second`.
pub(crate) async fn mutable(first: Value, second: Value) -> Outcome {
    let ns = namespace().await?;
    ns.kubectl().apply(&set(first).to_string()).await?;
    ns.kubectl().apply(&set(second).to_string()).await?;
    Ok(())
}

async fn check_refusal(ns: &Namespace, patch: Value, field: &str, reason: &str) -> Result<()> {
    let output = ns.kubectl().try_apply(&set(patch.clone()).to_string()).await?;
    ensure!(output.code != 0, "must be refused: {patch}");
    let told = output.stderr.lines().any(|line| line.contains(&format!("{field}: ")) && line.contains(reason));
    ensure!(told, "{patch} must be refused with {field}: … {reason}; kubectl says: {}", output.stderr);
    Ok(())
}

/// JSON merge patch (RFC 7396).
fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(&key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}
