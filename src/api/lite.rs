//! What the operator reads of other kinds' objects, and nothing else: watched through the same API paths, so that the
//! rest is dropped while it is decoded.

use k8s_openapi::{
    api::{apps::v1 as apps, core::v1 as core},
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
};
use kube::{Resource, core::ObjectMeta};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// `managedFields` alone is larger than all that is looked at.
fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Metadata {
        namespace: Option<String>,
        name: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        labels: Option<BTreeMap<String, String>>,
        owner_references: Option<Vec<OwnerReference>>,
        creation_timestamp: Option<Time>,
        deletion_timestamp: Option<Time>,
    }
    let seen = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        namespace: seen.namespace,
        name: seen.name,
        uid: seen.uid,
        resource_version: seen.resource_version,
        labels: seen.labels,
        owner_references: seen.owner_references,
        creation_timestamp: seen.creation_timestamp,
        deletion_timestamp: seen.deletion_timestamp,
        ..ObjectMeta::default()
    })
}

/// A Pod.
#[derive(Resource, Deserialize, Clone, Debug, Default)]
#[resource(inherit = "core::Pod")]
#[serde(default)]
pub struct Pod {
    /// As usual, less what nobody here looks at.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// Its volumes.
    pub spec: PodSpec,
    /// Where it stands.
    pub status: PodStatus,
}

/// The part of a pod's spec that is looked at.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
pub struct PodSpec {
    /// To find the claims among them (S-2.8).
    pub volumes: Vec<Volume>,
}

/// A volume, if it is a claim.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    /// Name within the pod.
    pub name: String,
    /// Absent for volumes of other kinds.
    pub persistent_volume_claim: Option<ClaimSource>,
}

/// The claim of a volume.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSource {
    /// Name of the PersistentVolumeClaim.
    pub claim_name: String,
}

/// The part of a pod's status that is looked at.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Empty only in objects that no API server has seen.
    pub phase: String,
    /// Set by kubelet and node controllers: `Evicted`, `NodeLost`, …
    pub reason: String,
    /// `Ready`, `PodScheduled`, `DisruptionTarget` are looked at.
    pub conditions: Vec<PodCondition>,
    /// To find what a container waits for (O-10).
    pub init_container_statuses: Vec<ContainerStatus>,
    /// To find what a container waits for (O-10).
    pub container_statuses: Vec<ContainerStatus>,
}

/// One of a pod's conditions.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct PodCondition {
    /// Which.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// Since when; a time that cannot be one counts as unknown.
    #[serde(deserialize_with = "crate::types::time_or_none")]
    pub last_transition_time: Option<Time>,
}

/// A container's status, as far as it waits.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
pub struct ContainerStatus {
    /// Its state.
    pub state: ContainerState,
}

/// A container's state, as far as it waits.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
pub struct ContainerState {
    /// Absent when it runs or has ended.
    pub waiting: Option<Waiting>,
}

/// What a container waits for.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
pub struct Waiting {
    /// `ImagePullBackOff`, `CrashLoopBackOff`, …
    pub reason: String,
    /// In the kubelet's words.
    pub message: String,
}

/// A PersistentVolumeClaim.
#[derive(Resource, Deserialize, Clone, Debug, Default)]
#[resource(inherit = "core::PersistentVolumeClaim")]
#[serde(default)]
pub struct Claim {
    /// As usual, less what nobody here looks at.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// Whether it is bound.
    pub status: ClaimStatus,
}

/// The part of a claim's status that is looked at.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
pub struct ClaimStatus {
    /// `Pending`, `Bound` or `Lost`.
    pub phase: String,
}

/// A ControllerRevision. Its data is kept as it is.
#[derive(Resource, Deserialize, Clone, Debug, Default)]
#[resource(inherit = "apps::ControllerRevision")]
#[serde(default)]
pub struct Revision {
    /// As usual, less what nobody here looks at.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// What it records (S-3.1).
    pub data: Value,
    /// Its place in the history (S-3.6).
    pub revision: i64,
}

/// A Service.
#[derive(Resource, Deserialize, Clone, Debug, Default)]
#[resource(inherit = "core::Service")]
#[serde(default)]
pub struct Service {
    /// As usual, less what nobody here looks at.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// What O-9 judges.
    pub spec: ServiceSpec,
}

/// The part of a Service's spec that is looked at.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `None` for a headless one.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: String,
    /// Which pods it stands for.
    pub selector: BTreeMap<String, String>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Whether pods that are not ready have DNS names too (S-11.4).
    pub publish_not_ready_addresses: bool,
}

/// A Service's port.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Name, empty if it has none.
    pub name: String,
    /// Number.
    pub port: i64,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}
