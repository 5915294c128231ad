//! O-3: refusals of the claim templates.

use super::manifest::{all_accepted, all_refused, claim, refused, with_claim};
use ordinal_tests::Outcome;
use serde_json::{Value, json};

/// A patch whose claim template is not mounted, so that its name does not matter to the container.
fn named(name: Value) -> Value {
    let mut patch = with_claim(json!({"metadata": {"name": name}}));
    patch["spec"]["template"] = json!({"spec": {"containers": [{"name": "main", "image": "nginx"}]}});
    patch
}

fn storage(quantity: Value) -> Value {
    with_claim(json!({"spec": {"resources": {"requests": {"storage": quantity}}}}))
}

#[tokio::test]
async fn o_3_claim_template_names_are_unique() -> Outcome {
    let twice = json!({"spec": {"volumeClaimTemplates": [claim(json!({})), claim(json!({}))]}});
    refused(twice, "spec.volumeClaimTemplates", "names of claim templates must be unique").await
}

#[tokio::test]
async fn o_3_claim_template_name_is_required() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].metadata.name";
    refused(named(Value::Null), field, "Required value").await?;
    refused(with_claim(json!({"metadata": null})), "spec.volumeClaimTemplates[0].metadata", "Required value").await
}

#[tokio::test]
async fn o_3_claim_template_name_is_a_volume_name() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].metadata.name";
    let names = ["", "data.x", "Data", "data-"].map(|name| named(json!(name)));
    all_refused(names, field, "a lowercase RFC 1123 label must consist of").await?;
    refused(named(json!("a".repeat(64))), field, "may not be more than 63").await?;
    all_accepted([named(json!("a".repeat(63))), named(json!("1a"))]).await
}

#[tokio::test]
async fn o_3_claim_template_has_access_modes() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].spec.accessModes";
    let without = [Value::Null, json!([])].map(|modes| with_claim(json!({"spec": {"accessModes": modes}})));
    all_refused(without, field, "at least 1 access mode is required").await
}

#[tokio::test]
async fn o_3_claim_template_access_modes_are_known() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].spec.accessModes";
    let modes = |modes: Value| with_claim(json!({"spec": {"accessModes": modes}}));
    let unknown = r#"supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod""#;
    refused(modes(json!(["Read"])), &format!("{field}[0]"), unknown).await?;
    let both = modes(json!(["ReadWriteOncePod", "ReadWriteOnce"]));
    refused(both, field, "may not use ReadWriteOncePod with other access modes").await
}

#[tokio::test]
async fn o_3_claim_template_requests_storage() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].spec.resources";
    let without = [json!({"resources": null}), json!({"resources": {"requests": null}})];
    all_refused(without.map(|spec| with_claim(json!({"spec": spec}))), field, "storage must be requested").await
}

#[tokio::test]
async fn o_3_claim_template_storage_is_a_quantity_above_zero() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].spec.resources.requests.storage";
    all_refused([json!("1GB"), json!("-1Gi"), json!("0")].map(storage), field, "should match").await?;
    refused(storage(json!(0)), field, "should be greater than or equal to 1").await?;
    all_accepted([json!(1_073_741_824), json!("1.5Gi"), json!("1e9"), json!("100m"), json!("0.5Gi")].map(storage)).await
}

#[tokio::test]
async fn o_3_claim_template_volume_mode_is_known() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].spec.volumeMode";
    let mode = with_claim(json!({"spec": {"volumeMode": "Tape"}}));
    refused(mode, field, r#"supported values: "Block", "Filesystem""#).await
}

#[tokio::test]
async fn o_3_claim_template_storage_class_is_a_name() -> Outcome {
    let field = "spec.volumeClaimTemplates[0].spec.storageClassName";
    refused(with_claim(json!({"spec": {"storageClassName": "A b"}})), field, "should match").await?;
    all_accepted(["", "fast.example"].map(|class| with_claim(json!({"spec": {"storageClassName": class}})))).await
}

/// What the built-in does not look at does not matter here either.
#[tokio::test]
async fn o_3_claim_template_kind_and_status_are_optional() -> Outcome {
    all_accepted([
        with_claim(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim"})),
        with_claim(json!({"status": {"phase": "Pending"}})),
        with_claim(json!({"status": {}})),
    ])
    .await
}
