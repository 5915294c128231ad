//! One pod is refused by a policy; the others live.

use anyhow::Result;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::json;

use super::stray;
use crate::sets::{SOON, Sets, set};

/// Refuses pods of one name in a namespace, and waits until it does.
async fn refuse(ns: &Namespace, pod: &str) -> Result<()> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(ns.client());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(ns.client());
    let policy = json!({
        "metadata": {"name": ns.name()},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns.name()}},
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                ],
            },
            "validations": [{"expression": format!("object.metadata.name != '{pod}'"), "message": "not this one"}],
        },
    });
    let binding = json!({
        "metadata": {"name": ns.name()},
        "spec": {"policyName": ns.name(), "validationActions": ["Deny"]},
    });
    policies.create(&PostParams::default(), &serde_json::from_value(policy)?).await?;
    bindings.create(&PostParams::default(), &serde_json::from_value(binding)?).await?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let probe: Pod = serde_json::from_value(stray(pod, "probe", json!({})))?;
    ns.eventually(SOON, "the policy is in force", async || {
        let answer = ns.pods().create(&dry, &probe).await;
        Ok(Look::when(answer.is_err(), || "not yet".to_owned()))
    })
    .await
}

async fn allow(ns: &Namespace) -> Result<()> {
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(ns.client());
    bindings.delete(ns.name(), &DeleteParams::default()).await?;
    Ok(())
}

// also: S-6.3, S-4.1, S-8.8
#[tokio::test]
async fn s_4_11_a_refused_pod_does_not_keep_its_batch_from_being_made() -> Outcome {
    let ns = world::namespace("policy").await?;
    refuse(&ns, "web-1").await?;
    ns.create_set(set("web", 3, json!({"podManagementPolicy": "Parallel"}))).await?;
    ns.pod_ready("web-2", SOON).await?;
    let message = ns.condition("web", "Stalled", "True", "PodRejected").await?;
    assert!(message.contains("web-1") && message.contains("not this one"), "{message}");
    ns.eventually(SOON, "two pods are counted", async || {
        let status = ns.set("web").await?["status"].clone();
        Ok(Look::when(status["replicas"] == 2 && status["readyReplicas"] == 2, || status.to_string()))
    })
    .await?;
    // While it is refused, the others are looked after.
    let before = ns.pods().get("web-0").await?.uid();
    ns.delete_pod("web-0").await?;
    ns.replaced("web-0", before).await?;
    allow(&ns).await?;
    ns.settled("web").await?;
    Ok(())
}

/// An event of the set comes before the pause that a failure has earned it.
#[tokio::test]
async fn s_8_8_a_changed_set_is_tried_at_once_however_long_its_pause() -> Outcome {
    let ns = world::namespace("pause").await?;
    refuse(&ns, "web-0").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.condition("web", "Stalled", "True", "PodRejected").await?;
    // 5 ms, 10 ms, … : by now the next try is more than five seconds away.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    allow(&ns).await?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let probe: Pod = serde_json::from_value(stray("web-0", "probe", json!({})))?;
    ns.eventually(SOON, "the policy is no more in force", async || {
        Ok(Look::when(ns.pods().create(&dry, &probe).await.is_ok(), || "it is".to_owned()))
    })
    .await?;
    let changed = std::time::Instant::now();
    ns.patch_set("web", json!({"metadata": {"annotations": {"a": "b"}}})).await?;
    ns.pod_ready("web-0", SOON).await?;
    assert!(changed.elapsed().as_secs() < 3, "not woken, but after {:?}", changed.elapsed());
    Ok(())
}
