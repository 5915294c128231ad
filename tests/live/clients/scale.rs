//! The scale subresource, and who works through it (S-10.1).

use anyhow::Result;
use k8s_openapi::api::autoscaling::{v1::Scale, v2::HorizontalPodAutoscaler};
use kube::api::{Patch, PatchParams, PostParams};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::json;

use crate::{
    server::refusal,
    sets::{SOON, Sets, set},
};

async fn replace(ns: &Namespace, scale: &Scale) -> kube::Result<Scale> {
    ns.sets().replace_scale("web", &PostParams::default(), scale).await
}

#[tokio::test]
async fn s_10_1_a_scale_has_the_identity_of_its_set() -> Outcome {
    let ns = world::namespace("scale").await?;
    let expression = json!({"key": "tier", "operator": "In", "values": ["front", "back"]});
    let mut object = set("web", 2, json!({}));
    object["spec"]["selector"]["matchExpressions"] = json!([expression]);
    object["spec"]["template"]["metadata"]["labels"]["tier"] = json!("front");
    ns.create_set(object).await?;
    ns.settled("web").await?;
    let set = ns.sets().get("web").await?.metadata;
    let scale = ns.sets().get_scale("web").await?;
    let metadata = scale.metadata;
    assert_eq!((metadata.name, metadata.namespace, metadata.uid), (set.name, set.namespace, set.uid));
    assert_eq!(metadata.resource_version, set.resource_version);
    assert_eq!(metadata.creation_timestamp, set.creation_timestamp);
    let status = scale.status.unwrap_or_default();
    assert_eq!((scale.spec.and_then(|s| s.replicas), status.replicas), (Some(2), 2));
    // As clients parse it, so that they find the same pods.
    let selector = status.selector.unwrap_or_default();
    let found = ns.kubectl().ok(["get", "pods", "-l", &selector, "-o", "name"]).await?;
    assert_eq!(found.lines().collect::<Vec<_>>(), ["pod/web-0", "pod/web-1"], "by {selector}");
    Ok(())
}

/// So an autoscaler sees more pods than are of use (S-12.29).
// also: S-12.29
#[tokio::test]
async fn s_10_1_terminating_pods_count_in_the_scales_status() -> Outcome {
    let ns = world::namespace("scale-status").await?;
    let mut object = set("web", 2, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/stop-after": "1h"});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    ns.scale("web", 1).await?;
    ns.eventually(SOON, "the status of the new spec is written while web-1 terminates", async || {
        let set = ns.set("web").await?;
        let terminating = ns.pods().get("web-1").await?.metadata.deletion_timestamp.is_some();
        let observed = set["status"]["observedGeneration"] == set["metadata"]["generation"];
        Ok(Look::when(terminating && observed, || set["status"].to_string()))
    })
    .await?;
    let scale = ns.sets().get_scale("web").await?;
    let counted = (scale.spec.and_then(|s| s.replicas), scale.status.map(|s| s.replicas));
    assert_eq!(counted, (Some(1), Some(2)));
    Ok(())
}

#[tokio::test]
async fn s_10_1_a_scale_holds_its_preconditions() -> Outcome {
    let ns = world::namespace("scale-put").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let generation = ns.settled("web").await?["metadata"]["generation"].clone();
    let mut scale = ns.sets().get_scale("web").await?;
    scale.spec.get_or_insert_default().replicas = Some(2);

    let mut of_another = scale.clone();
    of_another.metadata.uid = Some("00000000-0000-0000-0000-000000000000".into());
    let told = refusal(replace(&ns, &of_another).await, 409)?;
    assert!(told.contains("uid mismatch") || told.contains("Precondition failed: UID"), "{told}");
    let mut outdated = scale.clone();
    outdated.metadata.resource_version = Some("1".into());
    let told = refusal(replace(&ns, &outdated).await, 409)?;
    assert!(told.contains("the object has been modified"), "{told}");
    let mut negative = scale.clone();
    negative.spec.get_or_insert_default().replicas = Some(-1);
    let told = refusal(replace(&ns, &negative).await, 422)?;
    assert!(
        told.contains("spec.replicas: Invalid value") && told.contains("must be greater than or equal to 0"),
        "{told}"
    );
    assert_eq!(ns.set("web").await?["metadata"]["generation"], generation);

    let scaled = replace(&ns, &scale).await?;
    assert_eq!(scaled.spec.and_then(|s| s.replicas), Some(2));
    assert_eq!(ns.settled("web").await?["metadata"]["generation"], json!(2));

    let unmet = ns.kubectl().run(["scale", "ords", "web", "--current-replicas=7", "--replicas=1"]).await?;
    assert!(unmet.code != 0 && unmet.stderr.contains("Expected replicas to be 7, was 2"), "{}", unmet.stderr);
    ns.kubectl().ok(["scale", "ords", "web", "--current-replicas=2", "--replicas=1"]).await?;
    ns.members_are("web", &["web-0"]).await?;
    Ok(())
}

/// The controller in kube-controller-manager. Without metrics it knows nothing of load, but it keeps to its bounds.
#[tokio::test]
async fn s_10_1_an_autoscaler_brings_the_set_within_its_bounds() -> Outcome {
    let ns = world::namespace("autoscaled").await?;
    ns.create_set(set("web", 1, json!({"podManagementPolicy": "Parallel"}))).await?;
    ns.settled("web").await?;
    let autoscaler = json!({
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
            }}],
        },
    });
    ns.create_object::<HorizontalPodAutoscaler>(autoscaler).await?;
    ns.members_are("web", &["web-0", "web-1"]).await?;
    ns.eventually(SOON, "the autoscaler can scale", async || {
        let status = ns.api::<HorizontalPodAutoscaler>().get("web").await?.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let able = conditions.iter().any(|c| c.type_ == "AbleToScale" && c.status == "True");
        Ok(Look::when(able && status.current_replicas == Some(2), || {
            format!("{:?} {conditions:?}", status.current_replicas)
        }))
    })
    .await?;
    let bounds = Patch::Merge(json!({"spec": {"minReplicas": 1, "maxReplicas": 1}}));
    ns.api::<HorizontalPodAutoscaler>().patch("web", &PatchParams::default(), &bounds).await?;
    ns.members_are("web", &["web-0"]).await?;
    assert_eq!(ns.set("web").await?["spec"]["replicas"], 1);
    Ok(())
}

/// `kubectl autoscale` finds the kind by its scale as well.
#[tokio::test]
async fn s_10_1_kubectl_autoscale_takes_a_set() -> Outcome {
    let ns = world::namespace("autoscale").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.kubectl().ok(["autoscale", "ords/web", "--min=1", "--max=3", "--cpu=80%"]).await?;
    let target = autoscaler_target(&ns).await?;
    assert_eq!(target, ("apps.ordinal.dev/v1".to_owned(), "OrdinalSet".to_owned(), "web".to_owned()));
    Ok(())
}

async fn autoscaler_target(ns: &Namespace) -> Result<(String, String, String)> {
    let made = ns.api::<HorizontalPodAutoscaler>().get("web").await?;
    let target = made.spec.scale_target_ref;
    Ok((target.api_version.unwrap_or_default(), target.kind, target.name))
}
