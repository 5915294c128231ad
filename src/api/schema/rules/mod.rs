//! The refusals of O-3 as CEL rules, in the words of the built-in's validation (S-1.10).
//!
//! Fields are reached by `has(…)` and paths alone: past an optional (`.?field.orValue(…)`) the API server knows no
//! bounds, and takes the rule for too costly.

mod change;
mod claims;
mod labels;
mod pods;
mod set;
mod status;

use kube::core::Rule;
use serde_json::{Value, json};

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const NOT_A_DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
    must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// Puts every rule at its place in the schema.
pub(super) fn add(root: &mut Value) {
    for (place, rules) in all() {
        let path = place.split('.').filter(|step| !step.is_empty());
        let schema = path.fold(&mut *root, |schema, step| match step {
            "[]" => &mut schema["items"],
            "{}" => &mut schema["additionalProperties"],
            field => &mut schema["properties"][field],
        });
        assert!(schema.is_object(), "the schema has nothing at {place}");
        schema["x-kubernetes-validations"] = json!(rules);
    }
}

/// Each place with its rules: `[]` steps into the items of a list, `{}` into the values of a map.
fn all() -> Vec<(&'static str, Vec<Rule>)> {
    vec![
        ("", [set::name(), vec![status::collision_count()]].concat()),
        ("spec", [change::rules(), labels::selector(), set::ordinals(), claims::names(), pods::mounts()].concat()),
        ("spec.selector", change::selector()),
        ("spec.selector.matchLabels", vec![labels::keys()]),
        ("spec.selector.matchLabels.{}", vec![labels::value()]),
        ("spec.selector.matchExpressions.[]", labels::expression()),
        ("spec.selector.matchExpressions.[].key", vec![labels::key()]),
        ("spec.selector.matchExpressions.[].values.[]", vec![labels::value()]),
        ("spec.replicas", vec![not_negative()]),
        ("spec.minReadySeconds", vec![not_negative()]),
        ("spec.ordinals.start", vec![not_negative()]),
        ("spec.revisionHistoryLimit", vec![set::integer()]),
        ("spec.serviceName", vec![set::service_name()]),
        ("spec.podManagementPolicy", vec![set::pod_management_policy()]),
        ("spec.updateStrategy", set::update_strategy()),
        ("spec.updateStrategy.rollingUpdate.partition", vec![not_negative()]),
        ("spec.updateStrategy.rollingUpdate.maxUnavailable", set::max_unavailable()),
        ("spec.persistentVolumeClaimRetentionPolicy.whenDeleted", vec![set::retention()]),
        ("spec.persistentVolumeClaimRetentionPolicy.whenScaled", vec![set::retention()]),
        ("spec.template.metadata.labels", vec![labels::keys()]),
        ("spec.template.metadata.labels.{}", vec![labels::value()]),
        ("spec.template.metadata.annotations", vec![labels::annotation_keys()]),
        ("spec.template.spec", pods::spec()),
        ("spec.volumeClaimTemplates", change::claims()),
        ("spec.volumeClaimTemplates.[].metadata.name", vec![dns_label("self")]),
        ("spec.volumeClaimTemplates.[].spec", claims::spec()),
        ("spec.volumeClaimTemplates.[].spec.selector.matchLabels", vec![labels::keys()]),
        ("status", status::counters()),
        ("status.observedGeneration", vec![not_negative()]),
        ("status.replicas", vec![not_negative()]),
        ("status.readyReplicas", vec![not_negative()]),
        ("status.availableReplicas", vec![not_negative()]),
        ("status.currentReplicas", vec![not_negative()]),
        ("status.updatedReplicas", vec![not_negative()]),
        ("status.collisionCount", vec![not_negative()]),
    ]
}

fn rule(expression: impl Into<String>, message: &str) -> Rule {
    Rule::new(expression).message(message)
}

fn not_negative() -> Rule {
    rule("self >= 0", NOT_NEGATIVE)
}

fn dns_label(value: &str) -> Rule {
    rule(format!("{value}.matches('{}')", super::embedded::DNS_LABEL), NOT_A_DNS_LABEL)
}
