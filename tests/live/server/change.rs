//! What may change of a set, and what may not (S-1.6). Field by field in admission/fixed.rs; here the rule as a whole.

use ordinal_tests::Outcome;
use serde_json::{Value, json};

use super::refusal;
use crate::admission::manifest::{NAME, claim, immutable, mutable, namespace, set, with_claim};

fn storage(quantity: Value) -> Value {
    with_claim(json!({"spec": {"resources": {"requests": {"storage": quantity}}}}))
}

#[tokio::test]
async fn s_1_6_each_mutable_field_changes() -> Outcome {
    let ns = namespace().await?;
    ns.create_set(set(json!({}))).await?;
    let labels = json!({"app": "web", "more": "x"});
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2, "maxUnavailable": "50%"}});
    let on_delete = json!({"type": "OnDelete", "rollingUpdate": null});
    for (n, (field, value)) in [
        ("replicas", json!(1)),
        ("replicas", json!(0)),
        ("ordinals", json!({"start": 3})),
        ("template", json!({"metadata": {"labels": labels}})),
        ("template", json!({"spec": {"containers": [{"name": "other", "image": "other:1"}]}})),
        ("updateStrategy", rolling),
        ("updateStrategy", on_delete),
        ("revisionHistoryLimit", json!(3)),
        ("persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Delete"})),
        ("persistentVolumeClaimRetentionPolicy", json!({"whenScaled": "Delete"})),
        ("minReadySeconds", json!(5)),
    ]
    .into_iter()
    .enumerate()
    {
        let set = ns.patch_set(NAME, json!({"spec": {field: value}})).await?;
        assert_eq!(set.metadata.generation, Some(n as i64 + 2), "{field} has not changed to {value}");
    }
    // And back: absent where it was absent.
    let set = ns.patch_set(NAME, json!({"spec": {"ordinals": null, "minReadySeconds": null}})).await?;
    assert_eq!(set.data["spec"].get("ordinals").or(set.data["spec"].get("minReadySeconds")), None);
    Ok(())
}

/// Each is named, none as `spec` on the whole; a field that may change is not.
#[tokio::test]
async fn s_1_6_each_immutable_field_is_refused_by_itself() -> Outcome {
    let ns = namespace().await?;
    ns.create_set(set(json!({}))).await?;
    let patch = json!({"spec": {
        "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
        "serviceName": "other",
        "podManagementPolicy": "Parallel",
        "volumeClaimTemplates": [claim(json!({})), claim(json!({"metadata": {"name": "more"}}))],
        "replicas": 2,
        "minReadySeconds": 1,
    }});
    let changed = kube::api::Patch::Merge(&patch);
    let told = refusal(ns.sets().patch(NAME, &Default::default(), &changed).await, 422)?;
    for field in ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"] {
        let alone = json!({"spec": {field: patch["spec"][field]}});
        let alone = refusal(ns.sets().patch(NAME, &Default::default(), &kube::api::Patch::Merge(&alone)).await, 422)?;
        for told in [&told, &alone] {
            let of_field = told.split(", ").filter(|line| line.contains(&format!("spec.{field}: Invalid value")));
            assert!(of_field.count() == 1 && told.contains("field is immutable"), "{field}: {told}");
        }
    }
    assert_eq!(told.matches("field is immutable").count(), 4, "{told}");
    assert!(!told.contains("spec: ") && !told.contains("replicas") && !told.contains("minReadySeconds"), "{told}");
    assert_eq!(ns.set(NAME).await?["metadata"]["generation"], 1);
    Ok(())
}

#[tokio::test]
async fn s_1_6_absent_and_empty_are_equal_and_quantities_count_by_value() -> Outcome {
    for (field, empty) in
        [("serviceName", json!("")), ("podManagementPolicy", json!("OrderedReady")), ("podManagementPolicy", json!(""))]
    {
        mutable(json!({}), json!({"spec": {field: empty}})).await?;
        mutable(json!({"spec": {field: empty}}), json!({})).await?;
    }
    let no_expressions = json!({"spec": {"selector": {"matchExpressions": []}}});
    mutable(json!({}), no_expressions.clone()).await?;
    mutable(no_expressions, json!({})).await?;
    mutable(storage(json!("1Gi")), storage(json!("1024Mi"))).await?;
    mutable(storage(json!("1024Mi")), storage(json!(1_073_741_824))).await
}

// also: S-5.9, S-12.24
#[tokio::test]
async fn n_11_a_claim_template_neither_shrinks_nor_changes_its_class() -> Outcome {
    let field = "spec.volumeClaimTemplates";
    let classed = |class: &str| with_claim(json!({"spec": {"storageClassName": class}}));
    immutable(storage(json!("2Gi")), storage(json!("1Gi")), field).await?;
    immutable(storage(json!("2Gi")), storage(json!("3Gi")), field).await?;
    immutable(classed("fast"), classed("slow"), field).await?;
    immutable(classed("fast"), json!({}), field).await?;
    immutable(json!({}), classed("fast"), field).await
}
