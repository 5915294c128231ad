//! O-3: fields that never change, and what is no change.

use super::manifest::{claim, immutable, mutable, with_claim};
use ordinal_tests::Outcome;
use serde_json::{Value, json};

const CLAIMS: &str = "spec.volumeClaimTemplates";

fn spec(field: &str, value: Value) -> Value {
    json!({"spec": {field: value}})
}

/// Two sets of labels, so that the selector alone decides.
fn selected_by(selector: Value) -> Value {
    json!({"spec": {"selector": selector, "template": {"metadata": {"labels": {"tier": "front"}}}}})
}

fn storage(quantity: Value) -> Value {
    with_claim(json!({"spec": {"resources": {"requests": {"storage": quantity}}}}))
}

/// A set whose claim templates are these, and that mounts none.
fn claims(templates: Value) -> Value {
    json!({"spec": {
        "volumeClaimTemplates": templates,
        "template": {"spec": {"containers": [{"name": "main", "image": "nginx"}]}},
    }})
}

#[tokio::test]
async fn o_3_selector_is_immutable() -> Outcome {
    let more = selected_by(json!({"matchLabels": {"tier": "front"}}));
    immutable(selected_by(json!({})), more.clone(), "spec.selector").await?;
    immutable(more, selected_by(json!({})), "spec.selector").await
}

#[tokio::test]
async fn o_3_selector_expressions_are_immutable() -> Outcome {
    let values =
        |values: Value| selected_by(json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": values}]}));
    immutable(selected_by(json!({})), values(json!(["front"])), "spec.selector").await?;
    immutable(values(json!(["front"])), selected_by(json!({})), "spec.selector").await?;
    immutable(values(json!(["front"])), values(json!(["front", "back"])), "spec.selector").await
}

#[tokio::test]
async fn o_3_selector_expressions_keep_their_order() -> Outcome {
    let (exists, absent) =
        (json!({"key": "tier", "operator": "Exists"}), json!({"key": "no", "operator": "DoesNotExist"}));
    let expressions = |list: Value| selected_by(json!({"matchExpressions": list}));
    immutable(expressions(json!([exists, absent])), expressions(json!([absent, exists])), "spec.selector").await
}

#[tokio::test]
async fn o_3_selector_empty_is_absent() -> Outcome {
    let exists = |mut expression: Value, labels: Value| {
        expression["key"] = json!("tier");
        expression["operator"] = json!("Exists");
        selected_by(json!({"matchLabels": labels, "matchExpressions": [expression]}))
    };
    let absent = exists(json!({}), Value::Null);
    let empty = exists(json!({"values": []}), json!({"app": null}));
    mutable(absent, empty).await?;
    mutable(selected_by(json!({})), selected_by(json!({"matchExpressions": []}))).await
}

#[tokio::test]
async fn o_3_service_name_is_immutable() -> Outcome {
    let named = |name: Value| spec("serviceName", name);
    immutable(named(json!("web")), named(json!("other")), "spec.serviceName").await?;
    immutable(named(Value::Null), named(json!("web")), "spec.serviceName").await?;
    immutable(named(json!("web")), named(Value::Null), "spec.serviceName").await
}

#[tokio::test]
async fn o_3_service_name_empty_is_absent() -> Outcome {
    mutable(spec("serviceName", Value::Null), spec("serviceName", json!(""))).await
}

#[tokio::test]
async fn o_3_pod_management_policy_is_immutable() -> Outcome {
    let policy = |name: Value| spec("podManagementPolicy", name);
    immutable(policy(Value::Null), policy(json!("Parallel")), "spec.podManagementPolicy").await?;
    immutable(policy(json!("Parallel")), policy(Value::Null), "spec.podManagementPolicy").await
}

#[tokio::test]
async fn o_3_pod_management_policy_default_is_absent() -> Outcome {
    mutable(spec("podManagementPolicy", Value::Null), spec("podManagementPolicy", json!("OrderedReady"))).await?;
    mutable(spec("podManagementPolicy", json!("")), spec("podManagementPolicy", json!("OrderedReady"))).await
}

#[tokio::test]
async fn o_3_claim_templates_are_not_added_or_removed() -> Outcome {
    let other = claim(json!({"metadata": {"name": "other"}}));
    let (none, one, two) = (claims(Value::Null), claims(json!([other])), claims(json!([claim(json!({})), other])));
    immutable(none.clone(), one.clone(), CLAIMS).await?;
    immutable(one.clone(), none, CLAIMS).await?;
    immutable(one, two, CLAIMS).await
}

#[tokio::test]
async fn o_3_claim_templates_keep_their_order() -> Outcome {
    let (data, logs) = (claim(json!({})), claim(json!({"metadata": {"name": "logs"}})));
    immutable(claims(json!([data, logs])), claims(json!([logs, data])), CLAIMS).await
}

#[tokio::test]
async fn o_3_claim_template_metadata_is_immutable() -> Outcome {
    for metadata in [
        json!({"name": "other"}),
        json!({"namespace": "other"}),
        json!({"labels": {"a": "b"}}),
        json!({"annotations": {"a": "b"}}),
        json!({"finalizers": ["example.com/keep"]}),
    ] {
        let changed = claims(json!([claim(json!({"metadata": metadata}))]));
        immutable(claims(json!([claim(json!({}))])), changed, CLAIMS).await?;
    }
    Ok(())
}

#[tokio::test]
async fn o_3_claim_template_spec_is_immutable() -> Outcome {
    for spec in [
        json!({"accessModes": ["ReadWriteMany"]}),
        json!({"storageClassName": "fast"}),
        // No class at all is not the default class.
        json!({"storageClassName": ""}),
        json!({"volumeAttributesClassName": "fast"}),
        json!({"volumeMode": "Block"}),
        json!({"volumeName": "mine"}),
        json!({"selector": {}}),
        json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "old"}}),
        json!({"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "old"}}),
        json!({"resources": {"limits": {"storage": "2Gi"}}}),
    ] {
        immutable(json!({}), with_claim(json!({"spec": spec})), CLAIMS).await?;
    }
    Ok(())
}

#[tokio::test]
async fn o_3_claim_template_storage_is_immutable() -> Outcome {
    immutable(json!({}), storage(json!("2Gi")), CLAIMS).await
}

#[tokio::test]
async fn o_3_claim_template_requests_of_others_are_immutable() -> Outcome {
    let more = |storage: &str| {
        with_claim(json!({"spec": {"resources": {"requests": {"storage": storage, "example.com/other": "1"}}}}))
    };
    immutable(json!({}), more("1024Mi"), CLAIMS).await?;
    immutable(more("1Gi"), storage(json!("1024Mi")), CLAIMS).await?;
    mutable(more("1Gi"), more("1024Mi")).await
}

#[tokio::test]
async fn o_3_claim_template_storage_counts_by_value() -> Outcome {
    mutable(storage(json!("1Gi")), storage(json!("1024Mi"))).await?;
    mutable(storage(json!("1Gi")), storage(json!(1_073_741_824))).await?;
    mutable(storage(json!("0.5Gi")), storage(json!("512Mi"))).await
}

#[tokio::test]
async fn o_3_claim_template_filled_in_is_absent() -> Outcome {
    for filled_in in [
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim"}),
        json!({"status": {"phase": "Pending"}}),
        json!({"spec": {"volumeMode": "Filesystem"}}),
        json!({"spec": {"volumeName": ""}}),
        json!({"metadata": {"labels": {}, "annotations": {}, "finalizers": []}}),
    ] {
        mutable(json!({}), with_claim(filled_in)).await?;
    }
    mutable(claims(Value::Null), claims(json!([]))).await
}

#[tokio::test]
async fn o_3_everything_else_may_change() -> Outcome {
    let changed = json!({"spec": {
        "replicas": 1,
        "ordinals": {"start": 3},
        "template": {"metadata": {"annotations": {"changed": "yes"}}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
        "revisionHistoryLimit": 3,
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
        "minReadySeconds": 5,
    }});
    mutable(json!({}), changed).await
}
