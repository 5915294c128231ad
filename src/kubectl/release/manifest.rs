//! The StatefulSet that an OrdinalSet becomes.

use anyhow::Result;
use k8s_openapi::api::apps::v1::StatefulSet;
use ordinal_api::OrdinalSet;
use ordinal_plan::native::collects_claims;
use serde_json::{Value, json};

use super::RELEASED_FROM;
use crate::{
    cli::Kind,
    cluster::{Cluster, code},
    convert::convert,
    finding::{Finding, check, unsure},
};

/// The manifest. `policy` is what an earlier try found the set to do with claims, before it told it to keep them.
pub fn make(set: &OrdinalSet, policy: Option<Value>) -> Result<Value> {
    let mut object = serde_json::to_value(set)?;
    let retains = !collects_claims(&set.spec);
    if let (Some(policy), true) = (policy, retains) {
        object["spec"]["persistentVolumeClaimRetentionPolicy"] = policy;
    }
    let mut manifest = convert(vec![object], Kind::Statefulset).objects.remove(0);
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        metadata.remove("finalizers");
        metadata.remove("ownerReferences");
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        annotations[RELEASED_FROM] = set.metadata.uid.clone().into();
    }
    Ok(manifest)
}

/// The same in the form in which it touches no pod: it leaves it to others to replace outdated ones.
pub fn at_rest(manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    manifest["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    manifest
}

/// Has the API server judge it, and returns it with the server's defaults, or nothing if it is refused.
pub async fn judge(cluster: &Cluster, manifest: &Value) -> (Option<Value>, Vec<Finding>) {
    const WHAT: &str = "the API server takes the StatefulSet";
    let mut findings = Vec::new();
    let mut answer = cluster.try_create::<StatefulSet>(manifest, true).await;
    if let Err(kube::Error::Api(status)) = &answer
        && status.message.contains("unknown field")
    {
        let text =
            "a StatefulSet does not have all fields of the OrdinalSet: the server leaves out what it does not know";
        findings.push(unsure(text).with([status.message.clone()]));
        answer = cluster.try_create::<StatefulSet>(manifest, false).await;
    }
    match answer {
        Ok(stored) => {
            findings.push(check(WHAT, &[], ""));
            // Less what it wrote only for itself: the same is to be created later.
            let mut whole = manifest.clone();
            whole["spec"] = stored["spec"].clone();
            (Some(whole), findings)
        }
        // One that this release made is in its own way.
        Err(error) if code(&error) == 409 => (Some(manifest.clone()), findings),
        Err(error) => {
            let words = match &error {
                kube::Error::Api(status) => status.message.clone(),
                other => other.to_string(),
            };
            findings.push(check(WHAT, &[words], "change the OrdinalSet, or whatever refuses it"));
            (None, findings)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(when_deleted: &str) -> OrdinalSet {
        serde_json::from_value(json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet",
            "metadata": {"name": "web", "namespace": "ns", "uid": "o", "resourceVersion": "7", "labels": {"a": "b"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": {},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": when_deleted, "whenScaled": "Retain"},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
                "adoptFrom": {"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": "u"}},
            "status": {"replicas": 3},
        }))
        .expect("a set")
    }

    #[test]
    fn it_is_the_set_in_the_other_kind_and_says_whose_it_was() {
        let manifest = make(&set("Retain"), None).expect("a manifest");
        assert_eq!((&manifest["apiVersion"], &manifest["kind"]), (&json!("apps/v1"), &json!("StatefulSet")));
        let expected =
            json!({"name": "web", "namespace": "ns", "labels": {"a": "b"}, "annotations": {RELEASED_FROM: "o"}});
        assert_eq!(manifest["metadata"], expected);
        assert!(manifest["spec"]["adoptFrom"].is_null() && manifest["status"].is_null());
        assert_eq!(manifest["spec"]["replicas"], 3);
    }

    #[test]
    fn a_policy_that_an_earlier_try_changed_is_had_back() {
        let policy = json!({"whenDeleted": "Delete", "whenScaled": "Retain"});
        let made = |when, policy| {
            make(&set(when), policy).expect("a manifest")["spec"]["persistentVolumeClaimRetentionPolicy"].clone()
        };
        assert_eq!(made("Retain", Some(policy.clone())), policy);
        assert_eq!(made("Retain", None)["whenDeleted"], "Retain");
        let other = json!({"whenDeleted": "Retain", "whenScaled": "Delete"});
        assert_eq!(made("Delete", Some(other))["whenDeleted"], "Delete", "it was changed back since");
    }

    #[test]
    fn at_rest_it_replaces_nothing() {
        let manifest = make(&set("Retain"), None).expect("a manifest");
        assert_eq!(at_rest(&manifest)["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
        assert_eq!(at_rest(&manifest)["spec"]["replicas"], 3);
    }
}
