//! Spec and status of an `OrdinalSet`. Names, types and defaults are those of the `apps/v1` StatefulSet (S-1.4, S-1.5,
//! S-1.7); what a StatefulSet does not have says so.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{LabelSelector, Time},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::CustomResource;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Label with a pod's own name, so that a Service can select one pod (S-2.3).
pub const LABEL_POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Label with a pod's ordinal, absolute and decimal (S-2.3).
pub const LABEL_POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// Label with the *name* of the ControllerRevision a pod was made from (S-2.3).
pub const LABEL_REVISION: &str = "controller-revision-hash";
/// Label of a ControllerRevision with its hash (S-3.3).
pub const LABEL_REVISION_HASH: &str = "controller.kubernetes.io/hash";

/// The longest set name whose pods fit their labels (S-12.7): 63, less a dash and a hash of ten.
pub const MAX_NAME_LENGTH: usize = 52;

/// Before the version in the schema's description: by it, an operator knows a kind that is older or newer than itself.
pub const SCHEMA_OF: &str = "Schema of Ordinal ";

/// What an `OrdinalSet` shall look like. A StatefulSet's spec is a valid one, and means the same.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "schema"), kube(schema = "disabled"))]
#[kube(
    group = "apps.ordinal.dev",
    version = "v1",
    kind = "OrdinalSet",
    plural = "ordinalsets",
    singular = "ordinalset",
    shortname = "ords",
    category = "all",
    namespaced,
    status = "OrdinalSetStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    doc = "OrdinalSet manages pods with a stable name, a stable place in an order and claims of their own."
)]
#[serde(rename_all = "camelCase")]
pub struct OrdinalSetSpec {
    /// How many pods there shall be.
    #[serde(default = "defaults::replicas")]
    pub replicas: i32,

    /// Which pods belong to the set: it must match the template's labels, and never changes.
    pub selector: LabelSelector,

    /// What each pod is made from. Carried as it was stored, not interpreted (O-2).
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::schema::pod_template"))]
    pub template: Value,

    /// Claims that each pod gets for its own: one per entry and pod, kept when the pod goes. Never changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::schema::claim_templates"))]
    pub volume_claim_templates: Vec<Value>,

    /// Name of the headless Service that gives the pods their DNS names. Never changes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_name: String,

    /// Whether pods start and stop one after the other or all at once. Never changes.
    #[serde(default)]
    pub pod_management_policy: PodManagementPolicy,

    /// How pods follow a changed template.
    #[serde(default)]
    pub update_strategy: UpdateStrategy,

    /// How many revisions that no pod uses are kept for going back; negative: all.
    #[serde(default = "defaults::revision_history_limit")]
    pub revision_history_limit: i32,

    /// Seconds that a pod must have been ready before it counts as available.
    #[serde(default)]
    pub min_ready_seconds: i32,

    /// What becomes of the claims when the set is deleted or scaled down.
    #[serde(default)]
    pub persistent_volume_claim_retention_policy: RetentionPolicy,

    /// Where the ordinals begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinals: Option<Ordinals>,

    /// A running StatefulSet of the same name whose pods are to be taken over as they run. Until that is done the set does
    /// nothing else; then the operator takes the field away. Not in a StatefulSet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt_from: Option<AdoptFrom>,
}

/// `spec.adoptFrom`
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AdoptFrom {
    /// `apps/v1`
    pub api_version: String,
    /// `StatefulSet`
    pub kind: String,
    /// Its `metadata.uid`: exactly this one is taken over, and no namesake.
    pub uid: String,
    /// What would be refused otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
}

/// One entry of `spec.adoptFrom.accept`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub enum Accept {
    /// The StatefulSet is amid a roll-out that its partition holds.
    PartialRollout,
    /// The templates differ: pods are replaced once they have been taken over.
    TemplateChange,
}

/// `spec.podManagementPolicy`
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub enum PodManagementPolicy {
    /// One after the other, each available before the next.
    #[default]
    #[serde(alias = "")]
    OrderedReady,
    /// All at once.
    Parallel,
}

/// `spec.updateStrategy`
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// `RollingUpdate` replaces outdated pods, `OnDelete` leaves that to whoever deletes them.
    #[serde(default, rename = "type")]
    pub type_: UpdateStrategyType,
    /// Only with type `RollingUpdate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling_update: Option<RollingUpdate>,
}

/// `spec.updateStrategy.type`
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub enum UpdateStrategyType {
    /// Outdated pods are replaced, highest ordinal first.
    #[default]
    #[serde(alias = "")]
    RollingUpdate,
    /// A pod is replaced only when somebody deletes it.
    OnDelete,
}

/// `spec.updateStrategy.rollingUpdate`
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RollingUpdate {
    /// This many pods, counted from the first ordinal, stay at the current revision.
    #[serde(default)]
    pub partition: i32,
    /// How many pods may be unavailable during a roll-out, a number or a percentage rounded down; 1 if absent (O-8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
}

/// `spec.persistentVolumeClaimRetentionPolicy`
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RetentionPolicy {
    /// For all claims, when the set is deleted.
    #[serde(default)]
    pub when_deleted: Retention,
    /// For the claims of a pod that is scaled away.
    #[serde(default)]
    pub when_scaled: Retention,
}

/// What becomes of a claim.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub enum Retention {
    /// It stays.
    #[default]
    #[serde(alias = "")]
    Retain,
    /// It is collected, once no pod uses it.
    Delete,
}

/// `spec.ordinals`
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Ordinals {
    /// The first ordinal.
    #[serde(default)]
    pub start: i32,
}

/// What was last seen of an `OrdinalSet`. Counters are always written, 0 included (O-1).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct OrdinalSetStatus {
    /// The generation that this status describes.
    pub observed_generation: i64,
    /// Pods that exist, terminating ones included.
    pub replicas: i32,
    /// Pods that run and are ready.
    pub ready_replicas: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: i32,
    /// Pods at `currentRevision`.
    pub current_replicas: i32,
    /// Pods at `updateRevision`.
    pub updated_replicas: i32,
    /// Name of the ControllerRevision of the last completed roll-out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub current_revision: String,
    /// Name of the ControllerRevision that pods are brought to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub update_revision: String,
    /// How often a revision's name was taken by another (S-3.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    /// The selector as a string, for the scale subresource. Not in a StatefulSet.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub selector: String,
    /// `Available`, `Progressing`, `Stalled`, `Reconciling`, `ServiceReady` (O-10), and those of others.
    pub conditions: Vec<Condition>,
    /// Up to ten pods that keep the set from its goal, and why (O-10). Not in a StatefulSet.
    pub blocked_pods: Vec<BlockedPod>,
    /// How far the taking over of a StatefulSet has come. Not in a StatefulSet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption: Option<AdoptionStatus>,
}

/// `status.adoption`. What is in the way, if anything is, says the condition `Adopted`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AdoptionStatus {
    /// UID of the StatefulSet.
    pub uid: String,
    /// What is being done.
    pub phase: AdoptionPhase,
}

/// `status.adoption.phase`, in the order in which they come.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub enum AdoptionPhase {
    /// Both sets are compared; nothing has been written but this status.
    Verifying,
    /// Claims are secured, and pods and revisions get the set as a second owner.
    Staging,
    /// The StatefulSet is deleted, and leaves its pods.
    Releasing,
    /// Revisions and pods become the set's own.
    Claiming,
    /// Nothing would be changed: `spec.adoptFrom` is taken away.
    Finishing,
    /// The pods are the set's.
    Adopted,
    /// `spec.adoptFrom` was taken away by somebody else before the end.
    Abandoned,
}

/// One entry of `status.conditions`, in the standard form. Only `type` and `status` are required of others (O-1).
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is judged.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, as one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Since when the status is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_or_none")]
    pub last_transition_time: Option<Time>,
}

/// One entry of `status.blockedPods` (O-10).
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BlockedPod {
    /// The pod's name.
    pub name: String,
    /// Why, as one word: `Unschedulable`, `ImagePullBackOff`, `NameTaken`, …
    pub reason: String,
    /// Why, in the words of whoever refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_or_none")]
    pub since: Option<Time>,
}

/// The API server stores times that Rust cannot hold (the last day of the year 9999): better none than no set at all.
pub(crate) fn time_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

mod defaults {
    //! The set-level defaults of S-1.4; the schema states the same ones.

    pub(super) fn replicas() -> i32 {
        1
    }

    pub(super) fn revision_history_limit() -> i32 {
        10
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(fields: Value) -> OrdinalSetSpec {
        let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": {}});
        for (name, value) in fields.as_object().expect("fields are an object") {
            spec[name] = value.clone();
        }
        serde_json::from_value(spec).expect("the spec parses")
    }

    #[test]
    fn s_1_4_defaults() {
        let spec = spec(json!({}));
        assert_eq!(spec.replicas, 1);
        assert_eq!(spec.volume_claim_templates, Vec::<Value>::new());
        assert_eq!(spec.service_name, "");
        assert_eq!(spec.pod_management_policy, PodManagementPolicy::OrderedReady);
        assert_eq!(spec.update_strategy.type_, UpdateStrategyType::RollingUpdate);
        assert_eq!(spec.revision_history_limit, 10);
        assert_eq!(spec.min_ready_seconds, 0);
        assert_eq!(spec.persistent_volume_claim_retention_policy.when_deleted, Retention::Retain);
        assert_eq!(spec.persistent_volume_claim_retention_policy.when_scaled, Retention::Retain);
        assert_eq!(spec.ordinals, None);
    }

    #[test]
    fn s_1_5_partition_defaults_within_rolling_update() {
        let strategy = spec(json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": "20%"}}})).update_strategy;
        let rolling = strategy.rolling_update.expect("it was given");
        assert_eq!(rolling.partition, 0);
        assert_eq!(rolling.max_unavailable, Some(IntOrString::String("20%".into())));
    }

    #[test]
    fn s_1_5_explicit_type_leaves_rolling_update_absent() {
        let strategy = spec(json!({"updateStrategy": {"type": "RollingUpdate"}})).update_strategy;
        assert_eq!(strategy.rolling_update, None);
    }

    #[test]
    fn s_1_5_each_retention_defaults_by_itself() {
        let policy = spec(json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}))
            .persistent_volume_claim_retention_policy;
        assert_eq!(policy, RetentionPolicy { when_deleted: Retention::Retain, when_scaled: Retention::Delete });
    }

    #[test]
    fn s_1_5_an_empty_string_is_the_default() {
        let spec = spec(json!({
            "podManagementPolicy": "",
            "updateStrategy": {"type": ""},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "", "whenScaled": ""},
        }));
        assert_eq!(spec.pod_management_policy, PodManagementPolicy::OrderedReady);
        assert_eq!(spec.update_strategy.type_, UpdateStrategyType::RollingUpdate);
        assert_eq!(spec.persistent_volume_claim_retention_policy, RetentionPolicy::default());
    }

    #[test]
    fn o_1_counters_are_written_when_zero() {
        let status = serde_json::to_value(OrdinalSetStatus::default()).expect("a status is JSON");
        for counter in ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"] {
            assert_eq!(status[counter], json!(0), "{counter}");
        }
        assert_eq!(status.get("collisionCount"), None);
        assert_eq!(status.get("currentRevision"), None);
    }

    #[test]
    fn o_1_conditions_of_others_parse() {
        let condition: Condition =
            serde_json::from_value(json!({"type": "Ready", "status": "True"})).expect("it parses");
        assert_eq!((condition.type_.as_str(), condition.status.as_str()), ("Ready", "True"));
    }

    #[test]
    fn o_15_a_time_that_does_not_fit_harms_nothing() {
        let condition = json!({"type": "A", "status": "True", "lastTransitionTime": "9999-12-31T23:59:59Z"});
        let condition: Condition = serde_json::from_value(condition).expect("it parses");
        assert_eq!(condition.last_transition_time, None);
        let blocked = json!({"name": "web-0", "reason": "NameTaken", "since": "2026-01-01T00:00:00Z"});
        let blocked: BlockedPod = serde_json::from_value(blocked).expect("it parses");
        assert!(blocked.since.is_some());
    }
}
