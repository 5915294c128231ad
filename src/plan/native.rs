//! The built-in's own set, as far as one of its name concerns ours: it is in our way, or is to be taken over.

use crate::snapshot::Set;
use k8s_openapi::{api::apps::v1 as apps, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::core::ObjectMeta;
use ordinal_api::{OrdinalSetSpec, Retention};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::sync::Arc;

/// What is known of the StatefulSet that has the set's name.
#[derive(Clone, Debug, Default)]
pub enum Native {
    /// Nothing: the operator may not see StatefulSets.
    #[default]
    Unwatched,
    /// There is none.
    Absent,
    /// There is one.
    There(Arc<StatefulSet>),
}

/// A StatefulSet, on the wire and in the cache. Its spec and status are those of a set.
#[derive(kube::Resource, Clone, Debug)]
#[resource(inherit = "apps::StatefulSet")]
pub struct StatefulSet {
    /// As usual, less what only others need.
    pub metadata: ObjectMeta,
    /// What it would be as an OrdinalSet, or why it cannot be one.
    pub set: Result<Arc<Set>, String>,
}

impl<'de> Deserialize<'de> for StatefulSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
            metadata.remove("annotations");
        }
        let metadata = ObjectMeta::deserialize(&value["metadata"]).map_err(serde::de::Error::custom)?;
        let set = Set::read(value).map(Arc::new).map_err(|e| e.to_string());
        Ok(Self { metadata, set })
    }
}

impl StatefulSet {
    /// `metadata.uid`
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// `metadata.resourceVersion`
    pub fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }

    /// Whether it is being deleted: with orphans, it stays until its pods have been let go.
    pub fn deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }
}

/// Whether claims go with a set, or with its pods.
pub fn collects_claims(spec: &OrdinalSetSpec) -> bool {
    let policy = spec.persistent_volume_claim_retention_policy;
    [policy.when_deleted, policy.when_scaled].contains(&Retention::Delete)
}

/// Whether an owner is a StatefulSet of this name.
pub(crate) fn is_namesake(owner: &OwnerReference, set: &Set) -> bool {
    owner.kind == "StatefulSet" && owner.api_version.starts_with("apps/") && owner.name == set.name
}
