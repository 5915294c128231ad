//! O-3: refusals of the selector and the pod template.

use super::manifest::{all_accepted, all_refused, container, pod_spec, refused, with_container};
use ordinal_tests::Outcome;
use serde_json::{Value, json};

const LABELS: &str = "spec.template.metadata.labels";
const NO_MATCH: &str = "`selector` does not match template `labels`";

/// A set that is selected by this expression alone; its template has the label `app: web`.
fn expression(expression: Value) -> Value {
    json!({"spec": {"selector": {"matchLabels": null, "matchExpressions": [expression]}}})
}

fn labels(labels: Value) -> Value {
    json!({"spec": {"template": {"metadata": {"labels": labels}}}})
}

#[tokio::test]
async fn o_3_selector_is_required() -> Outcome {
    refused(json!({"spec": {"selector": null}}), "spec.selector", "Required value").await
}

#[tokio::test]
async fn o_3_selector_is_not_empty() -> Outcome {
    // As patches of a selector with one label: nothing is left of it, or an empty map, or an empty list.
    let empty = [
        json!({"matchLabels": null}),
        json!({"matchLabels": {"app": null}}),
        json!({"matchLabels": null, "matchExpressions": []}),
    ];
    let empty = empty.map(|selector| json!({"spec": {"selector": selector}}));
    all_refused(empty, "spec.selector", "empty selector is invalid for statefulset").await
}

#[tokio::test]
async fn o_3_selector_matches_the_template() -> Outcome {
    refused(labels(json!({"app": "other"})), LABELS, NO_MATCH).await?;
    refused(labels(json!({"app": null, "other": "web"})), LABELS, NO_MATCH).await?;
    refused(json!({"spec": {"template": {"metadata": null}}}), LABELS, NO_MATCH).await
}

#[tokio::test]
async fn o_3_selector_expressions_match_the_template() -> Outcome {
    let others = [
        json!({"key": "app", "operator": "In", "values": ["db", "cache"]}),
        json!({"key": "tier", "operator": "In", "values": ["web"]}),
        json!({"key": "app", "operator": "NotIn", "values": ["db", "web"]}),
        json!({"key": "tier", "operator": "Exists"}),
        json!({"key": "app", "operator": "DoesNotExist"}),
    ];
    all_refused(others.map(expression), LABELS, NO_MATCH).await?;
    let matching = [
        json!({"key": "app", "operator": "In", "values": ["db", "web"]}),
        json!({"key": "app", "operator": "NotIn", "values": ["db"]}),
        json!({"key": "tier", "operator": "NotIn", "values": ["web"]}),
        json!({"key": "app", "operator": "Exists"}),
        json!({"key": "app", "operator": "Exists", "values": []}),
        json!({"key": "tier", "operator": "DoesNotExist"}),
    ];
    all_accepted(matching.map(expression)).await
}

/// Without labels, a selector that excludes is all that matches.
#[tokio::test]
async fn o_3_selector_may_match_no_labels() -> Outcome {
    let mut set = expression(json!({"key": "tier", "operator": "DoesNotExist"}));
    set["spec"]["template"] = json!({"metadata": null});
    all_accepted([set]).await
}

#[tokio::test]
async fn o_3_selector_operator_is_known() -> Outcome {
    let field = "spec.selector.matchExpressions[0].operator";
    refused(expression(json!({"key": "app", "operator": "Gt"})), field, "not a valid selector operator").await
}

#[tokio::test]
async fn o_3_selector_operator_has_its_values() -> Outcome {
    let field = "spec.selector.matchExpressions[0].values";
    let without = [json!({"key": "app", "operator": "In"}), json!({"key": "app", "operator": "NotIn", "values": []})];
    all_refused(without.map(expression), field, "must be specified when `operator` is 'In' or 'NotIn'").await?;
    let with = expression(json!({"key": "app", "operator": "Exists", "values": ["web"]}));
    refused(with, field, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'").await
}

#[tokio::test]
async fn o_3_selector_labels_are_valid() -> Outcome {
    let not_a_value = "a valid label must be an empty string or consist of alphanumeric characters";
    let value = json!({"spec": {"selector": {"matchLabels": {"app": "-web-"}}}});
    refused(value, "spec.selector.matchLabels[app]", not_a_value).await?;
    let value = expression(json!({"key": "app", "operator": "In", "values": ["web", "-"]}));
    refused(value, "spec.selector.matchExpressions[0].values[1]", not_a_value).await?;
    let key = json!({"spec": {"selector": {"matchLabels": {"a b": "web"}}}});
    refused(key, "spec.selector.matchLabels", "name part must consist of alphanumeric characters").await?;
    let key = expression(json!({"key": "a b", "operator": "DoesNotExist"}));
    refused(key, "spec.selector.matchExpressions[0].key", "name part must consist of alphanumeric characters").await
}

#[tokio::test]
async fn o_3_template_labels_are_valid() -> Outcome {
    refused(labels(json!({"tier": "a b"})), &format!("{LABELS}[tier]"), "a valid label must be an empty string")
        .await?;
    refused(labels(json!({"a b": "c"})), LABELS, "name part must consist of alphanumeric characters").await?;
    refused(labels(json!({"tier": "a".repeat(64)})), &format!("{LABELS}.tier"), "may not be more than 63").await?;
    all_accepted([labels(json!({"example.com/tier": "", "Tier_1.x": "A.b_c-1"}))]).await
}

#[tokio::test]
async fn o_3_template_annotations_are_valid() -> Outcome {
    let annotations = |annotations: Value| json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
    let field = "spec.template.metadata.annotations";
    refused(annotations(json!({"a b": "c"})), field, "name part must consist of alphanumeric characters").await?;
    all_accepted([annotations(json!({"Example.com/what": "anything at all"}))]).await
}

#[tokio::test]
async fn o_3_restart_policy_is_always() -> Outcome {
    let policies = ["Never", "OnFailure"].map(|policy| pod_spec(json!({"restartPolicy": policy})));
    all_refused(policies, "spec.template.spec.restartPolicy", r#"supported values: "Always""#).await?;
    all_accepted([pod_spec(json!({"restartPolicy": "Always"}))]).await
}

#[tokio::test]
async fn o_3_active_deadline_is_refused() -> Outcome {
    let field = "spec.template.spec.activeDeadlineSeconds";
    let reason = "activeDeadlineSeconds in StatefulSet is not Supported";
    refused(pod_spec(json!({"activeDeadlineSeconds": 5})), field, reason).await
}

#[tokio::test]
async fn o_3_ephemeral_containers_are_refused() -> Outcome {
    let field = "spec.template.spec.ephemeralContainers";
    let debug = pod_spec(json!({"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}));
    refused(debug, field, "ephemeral containers not allowed in pod template").await?;
    all_accepted([pod_spec(json!({"ephemeralContainers": []}))]).await
}

#[tokio::test]
async fn o_3_template_has_containers() -> Outcome {
    refused(json!({"spec": {"template": null}}), "spec.template", "Required value").await?;
    refused(json!({"spec": {"template": {"spec": null}}}), "spec.template.spec", "Required value").await?;
    let field = "spec.template.spec.containers";
    refused(pod_spec(json!({"containers": []})), field, "should have at least 1 items").await
}

#[tokio::test]
async fn o_3_containers_have_a_name_and_an_image() -> Outcome {
    let field = |name: &str| format!("spec.template.spec.containers[0].{name}");
    refused(with_container(json!({"name": null})), &field("name"), "Required value").await?;
    refused(with_container(json!({"name": "A_b"})), &field("name"), "should match").await?;
    refused(with_container(json!({"image": null})), &field("image"), "Required value").await?;
    refused(with_container(json!({"image": ""})), &field("image"), "should be at least 1 chars long").await
}

#[tokio::test]
async fn o_3_container_names_are_unique() -> Outcome {
    let twice = pod_spec(json!({"containers": [container(json!({})), container(json!({}))]}));
    refused(twice, "spec.template.spec.containers[1]", "Duplicate value").await
}

#[tokio::test]
async fn o_3_mounts_are_of_volumes_or_claims() -> Outcome {
    let reason = "Not found: a name is neither of volumes nor of volumeClaimTemplates";
    let mounts = json!({"volumeMounts": [{"name": "nowhere", "mountPath": "/data"}]});
    refused(with_container(mounts.clone()), "spec.template.spec.containers", reason).await?;
    let first = pod_spec(json!({"initContainers": [container(mounts.clone())]}));
    refused(first, "spec.template.spec.initContainers", reason).await?;
    let mut with_volume = with_container(mounts);
    with_volume["spec"]["template"]["spec"]["volumes"] = json!([{"name": "nowhere", "emptyDir": {}}]);
    all_accepted([with_volume]).await
}

#[tokio::test]
async fn o_3_quantities_are_quantities() -> Outcome {
    let memory = |value: Value| with_container(json!({"resources": {"requests": {"memory": value}}}));
    let field = "spec.template.spec.containers[0].resources.requests.memory";
    all_refused([json!("1GB"), json!("")].map(memory), field, "should match").await?;
    let quantities = [json!(0.5), json!(64), json!("0.1"), json!("1.5Gi"), json!("1e9"), json!("500m"), json!("1E")];
    all_accepted(quantities.map(memory)).await
}
