//! O-3: refusals of the set's own fields.

use super::manifest::{all_accepted, all_refused, refused};
use ordinal_tests::{Outcome, binaries::kubernetes_minor};
use serde_json::{Value, json};

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const NOT_A_DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'";
const MAX_UNAVAILABLE: &str = "spec.updateStrategy.rollingUpdate.maxUnavailable";

fn max_unavailable(value: Value) -> Value {
    json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": value}}}})
}

fn retention(field: &str, value: &str) -> Value {
    json!({"spec": {"persistentVolumeClaimRetentionPolicy": {field: value}}})
}

#[tokio::test]
async fn o_3_replicas_are_not_negative() -> Outcome {
    refused(json!({"spec": {"replicas": -1}}), "spec.replicas", NOT_NEGATIVE).await
}

#[tokio::test]
async fn o_3_min_ready_seconds_are_not_negative() -> Outcome {
    refused(json!({"spec": {"minReadySeconds": -1}}), "spec.minReadySeconds", NOT_NEGATIVE).await
}

#[tokio::test]
async fn o_3_start_is_not_negative() -> Outcome {
    refused(json!({"spec": {"ordinals": {"start": -1}}}), "spec.ordinals.start", NOT_NEGATIVE).await
}

#[tokio::test]
async fn o_3_partition_is_not_negative() -> Outcome {
    let partition = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": -1}}}});
    refused(partition, "spec.updateStrategy.rollingUpdate.partition", NOT_NEGATIVE).await
}

#[tokio::test]
async fn o_3_start_and_replicas_are_an_int32() -> Outcome {
    let highest = json!({"spec": {"replicas": 2, "ordinals": {"start": 2147483646}}});
    refused(highest, "spec.ordinals.start", "must not be greater than 2147483647 together with replicas").await
}

/// An accepted number always fits the operator's types.
#[tokio::test]
async fn o_3_numbers_are_int32() -> Outcome {
    let too_large = json!(3_000_000_000_u64);
    // The API server's own words have changed.
    let no_int32 = async |spec: Value, field: &str| match kubernetes_minor() {
        ..37 => {
            refused(json!({"spec": spec}), &format!("spec.{field}"), "should be less than or equal to 2147483647").await
        }
        _ => refused(json!({"spec": spec}), "Invalid value", &format!("with format int32 in spec.{field}")).await,
    };
    for field in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        no_int32(json!({field: too_large}), field).await?;
    }
    no_int32(json!({"ordinals": {"start": too_large}}), "ordinals.start").await?;
    let partition = json!({"updateStrategy": {"rollingUpdate": {"partition": too_large}}});
    no_int32(partition, "updateStrategy.rollingUpdate.partition").await?;
    refused(max_unavailable(too_large), MAX_UNAVAILABLE, "should be less than or equal to 2147483647").await
}

#[tokio::test]
async fn o_3_max_unavailable_is_not_negative() -> Outcome {
    refused(max_unavailable(json!(-1)), MAX_UNAVAILABLE, NOT_NEGATIVE).await
}

#[tokio::test]
async fn o_3_max_unavailable_is_not_zero() -> Outcome {
    all_refused([json!(0), json!("0%"), json!("00%")].map(max_unavailable), MAX_UNAVAILABLE, "cannot be 0").await
}

#[tokio::test]
async fn o_3_max_unavailable_is_at_most_all() -> Outcome {
    let above = [json!("101%"), json!("1000%")].map(max_unavailable);
    all_refused(above, MAX_UNAVAILABLE, "must not be greater than 100%").await
}

#[tokio::test]
async fn o_3_max_unavailable_is_a_number_or_a_percentage() -> Outcome {
    let others = ["abc", "5", "%", "-5%", "+5%", "1.5%", ""].map(|text| max_unavailable(json!(text)));
    all_refused(others, MAX_UNAVAILABLE, "a valid percent string must be a numeric string").await
}

#[tokio::test]
async fn o_3_max_unavailable_may_exceed_replicas() -> Outcome {
    all_accepted([json!(1), json!(1000), json!("1%"), json!("100%"), json!("0100%")].map(max_unavailable)).await
}

#[tokio::test]
async fn o_3_pod_management_policy_is_known() -> Outcome {
    let policy = json!({"spec": {"podManagementPolicy": "Random"}});
    refused(policy, "spec.podManagementPolicy", "must be 'OrderedReady' or 'Parallel'").await
}

#[tokio::test]
async fn o_3_update_strategy_is_known() -> Outcome {
    let strategies = ["Recreate", "Random"].map(|name| json!({"spec": {"updateStrategy": {"type": name}}}));
    all_refused(strategies, "spec.updateStrategy", "must be 'RollingUpdate' or 'OnDelete'").await
}

#[tokio::test]
async fn o_3_rolling_update_only_with_its_type() -> Outcome {
    let strategy = json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}}});
    refused(strategy, "spec.updateStrategy.rollingUpdate", "only allowed for updateStrategy 'RollingUpdate'").await
}

#[tokio::test]
async fn o_3_retention_when_deleted_is_known() -> Outcome {
    let field = "spec.persistentVolumeClaimRetentionPolicy.whenDeleted";
    refused(retention("whenDeleted", "Keep"), field, r#"supported values: "Retain", "Delete""#).await
}

#[tokio::test]
async fn o_3_retention_when_scaled_is_known() -> Outcome {
    let field = "spec.persistentVolumeClaimRetentionPolicy.whenScaled";
    refused(retention("whenScaled", "Keep"), field, r#"supported values: "Retain", "Delete""#).await
}

#[tokio::test]
async fn o_3_name_has_at_most_52_characters() -> Outcome {
    refused(json!({"metadata": {"name": "a".repeat(53)}}), "metadata.name", "must be no more than 52 characters").await
}

#[tokio::test]
async fn o_3_name_is_a_dns_label() -> Outcome {
    refused(json!({"metadata": {"name": "web.example"}}), "metadata.name", NOT_A_DNS_LABEL).await
}

#[tokio::test]
async fn o_3_service_name_is_a_dns_label() -> Outcome {
    let names = ["web.example", "Web", "-web"].map(|name| json!({"spec": {"serviceName": name}}));
    all_refused(names, "spec.serviceName", NOT_A_DNS_LABEL).await?;
    refused(json!({"spec": {"serviceName": "a".repeat(64)}}), "spec.serviceName", "may not be more than 63").await
}

/// As natively, where only a warning says so.
#[tokio::test]
async fn o_3_negative_revision_history_limit_is_accepted() -> Outcome {
    all_accepted([json!({"spec": {"revisionHistoryLimit": -1}})]).await
}

#[tokio::test]
async fn o_3_an_empty_string_is_the_default() -> Outcome {
    all_accepted([
        json!({"spec": {"podManagementPolicy": ""}}),
        json!({"spec": {"serviceName": ""}}),
        json!({"spec": {"updateStrategy": {"type": ""}}}),
        json!({"spec": {"updateStrategy": {"type": "", "rollingUpdate": {"partition": 1}}}}),
        retention("whenDeleted", ""),
        retention("whenScaled", ""),
        json!({"spec": {"template": {"spec": {"restartPolicy": ""}}}}),
    ])
    .await
}
