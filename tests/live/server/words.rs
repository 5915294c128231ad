//! The words of the refusals (S-1.10): each row of its table that concerns the spec. (Those of the status: status.rs.)
//!
//! The kind of error is the built-in's where a schema has it: `Unsupported value` comes of a list of values alone, whose
//! words nobody can choose, so those rows are `Invalid value` here.

use anyhow::Result;
use ordinal_tests::Outcome;
use serde_json::{Value, json};

use crate::admission::manifest::{NAME, namespace, set};

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const IMMUTABLE: &str = "field is immutable";

/// What is wrong, and a part of the line that says so.
fn rows() -> Vec<(Value, String)> {
    let strategy = |strategy: Value| json!({"updateStrategy": strategy});
    let rolling = |field: &str, value: Value| strategy(json!({"rollingUpdate": {field: value}}));
    let retention = |field: &str| json!({"persistentVolumeClaimRetentionPolicy": {field: "Keep"}});
    let pods = |field: &str, value: Value| json!({"template": {"spec": {field: value}}});
    let max = "updateStrategy.rollingUpdate.maxUnavailable";
    let percent = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
                   regex used for validation is '[0-9]+%')";
    let two = r#"supported values: "Retain", "Delete""#;
    [
        (json!({"selector": null}), "selector", "Required value", ""),
        (
            json!({"selector": {"matchLabels": null}}),
            "selector",
            "Invalid value",
            "empty selector is invalid for statefulset",
        ),
        (
            json!({"template": {"metadata": {"labels": {"app": "other"}}}}),
            "template.metadata.labels",
            "Invalid value",
            "`selector` does not match template `labels`",
        ),
        (
            pods("restartPolicy", json!("Never")),
            "template.spec.restartPolicy",
            "Invalid value",
            r#"supported values: "Always""#,
        ),
        (
            pods("activeDeadlineSeconds", json!(5)),
            "template.spec.activeDeadlineSeconds",
            "Forbidden",
            "activeDeadlineSeconds in StatefulSet is not Supported",
        ),
        (
            json!({"podManagementPolicy": "Random"}),
            "podManagementPolicy",
            "Invalid value",
            "must be 'OrderedReady' or 'Parallel'",
        ),
        (
            strategy(json!({"type": "Random"})),
            "updateStrategy",
            "Invalid value",
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
        (
            strategy(json!({"type": "OnDelete", "rollingUpdate": {}})),
            "updateStrategy.rollingUpdate",
            "Invalid value",
            "only allowed for updateStrategy 'RollingUpdate'",
        ),
        (rolling("partition", json!(-1)), "updateStrategy.rollingUpdate.partition", "Invalid value", NOT_NEGATIVE),
        (json!({"replicas": -1}), "replicas", "Invalid value", NOT_NEGATIVE),
        (json!({"minReadySeconds": -1}), "minReadySeconds", "Invalid value", NOT_NEGATIVE),
        (json!({"ordinals": {"start": -1}}), "ordinals.start", "Invalid value", NOT_NEGATIVE),
        (rolling("maxUnavailable", json!(-1)), max, "Invalid value", NOT_NEGATIVE),
        (rolling("maxUnavailable", json!(0)), max, "Invalid value", "cannot be 0"),
        (rolling("maxUnavailable", json!("0%")), max, "Invalid value", "cannot be 0"),
        (rolling("maxUnavailable", json!("101%")), max, "Invalid value", "must not be greater than 100%"),
        (rolling("maxUnavailable", json!("some")), max, "Invalid value", percent),
        (retention("whenDeleted"), "persistentVolumeClaimRetentionPolicy.whenDeleted", "Invalid value", two),
        (retention("whenScaled"), "persistentVolumeClaimRetentionPolicy.whenScaled", "Invalid value", two),
    ]
    .map(|(spec, field, kind, detail)| (json!({"spec": spec}), format!("spec.{field}: {kind}|{detail}")))
    .into()
}

/// Fields that never change, after [`set`] was applied.
fn changes() -> Vec<(Value, String)> {
    [
        ("selector", json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]})),
        ("serviceName", json!("other")),
        ("podManagementPolicy", json!("Parallel")),
        ("volumeClaimTemplates", json!([])),
    ]
    .map(|(field, value)| {
        let unmounted = json!({"spec": {"containers": [{"name": "main", "image": "nginx"}]}});
        (json!({"spec": {field: value, "template": unmounted}}), format!("spec.{field}: Invalid value|{IMMUTABLE}"))
    })
    .into()
}

/// Whether one line of what was told has the field with its kind of error, and ends with the detail.
fn tells(told: &str, row: &str) -> bool {
    let (field, detail) = row.split_once('|').unwrap_or((row, ""));
    told.lines().any(|line| line.contains(field) && line.trim_end().ends_with(detail))
}

async fn apply(ns: &ordinal_tests::Namespace, patch: Value) -> Result<ordinal_tests::kubectl::Output> {
    ns.kubectl().try_apply(&set(patch).to_string()).await
}

#[tokio::test]
async fn s_1_10_each_refusal_has_the_built_ins_words() -> Outcome {
    let ns = namespace().await?;
    for (patch, row) in rows() {
        let output = apply(&ns, patch.clone()).await?;
        assert!(
            output.code != 0 && tells(&output.stderr, &row),
            "{patch} must be refused with {row}: {}",
            output.stderr
        );
    }
    apply(&ns, json!({})).await?;
    for (patch, row) in changes() {
        let output = apply(&ns, patch.clone()).await?;
        assert!(
            output.code != 0 && tells(&output.stderr, &row),
            "{patch} must be refused with {row}: {}",
            output.stderr
        );
    }
    let unlimited = json!({"spec": {"revisionHistoryLimit": -1}});
    let output = apply(&ns, unlimited).await?;
    assert!(output.code == 0, "only a warning natively, and a schema has none: {}", output.stderr);
    assert_eq!(ns.set(NAME).await?["spec"]["revisionHistoryLimit"], -1);
    Ok(())
}

#[tokio::test]
async fn s_1_10_all_violations_are_reported_together() -> Outcome {
    let ns = namespace().await?;
    let output = apply(
        &ns,
        json!({"spec": {
            "replicas": -1,
            "minReadySeconds": -1,
            "podManagementPolicy": "Random",
            "updateStrategy": {"type": "OnDelete", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {"metadata": {"labels": {"app": "other"}}, "spec": {"restartPolicy": "Never"}},
        }}),
    )
    .await?;
    for row in [
        format!("spec.replicas: Invalid value|{NOT_NEGATIVE}"),
        format!("spec.minReadySeconds: Invalid value|{NOT_NEGATIVE}"),
        "spec.podManagementPolicy: Invalid value|must be 'OrderedReady' or 'Parallel'".to_owned(),
        "spec.updateStrategy.rollingUpdate: Invalid value|only allowed for updateStrategy 'RollingUpdate'".to_owned(),
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value|cannot be 0".to_owned(),
        "spec.template.metadata.labels: Invalid value|`selector` does not match template `labels`".to_owned(),
        r#"spec.template.spec.restartPolicy: Invalid value|supported values: "Always""#.to_owned(),
    ] {
        assert!(tells(&output.stderr, &row), "{row} is missing: {}", output.stderr);
    }
    Ok(())
}
