//! Input of a plan: one set, what belongs to it, the time, and what the operator remembers of earlier passes.
//!
//! Everything here was true when the caches were read; the world may have moved since. That is why every destructive
//! action carries the UID of the object that was judged (O-5, N-3).

pub use crate::memory::{Failure, Failures, Memory, Refusal, Trial, Verdict};
use crate::{
    condition::Trouble,
    labels::Labels,
    meaning::Meaning,
    mounts::Mounts,
    name::{self, Parsed},
    native::Native,
    share::share,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference},
    jiff::Timestamp,
};
use kube::core::{ObjectMeta, Selector, SelectorExt};
use ordinal_api::{
    LABEL_POD_INDEX, LABEL_POD_NAME, OrdinalSet, OrdinalSetSpec, OrdinalSetStatus, PodManagementPolicy, lite,
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// All that one plan is made from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The pass's only clock.
    pub now: Timestamp,
    /// The set to decide about.
    pub set: Arc<Set>,
    /// Pods of the set's namespace that are controlled by the set or carry a name of its slots.
    pub pods: Vec<Arc<Pod>>,
    /// Claims of the set's namespace whose names fit one of its claim templates.
    pub claims: Vec<Arc<Claim>>,
    /// Revisions of the set's namespace that are controlled by the set, match its selector, or carry a name it may use.
    pub revisions: Vec<Arc<Revision>>,
    /// The Service named by `spec.serviceName`, if it exists.
    pub service: Option<Arc<Service>>,
    /// The StatefulSet of the set's name, as far as known.
    pub native: Native,
    /// What earlier passes left.
    pub memory: Memory,
}

/// A set, with what is derived from it once per version.
#[derive(Clone, Debug)]
pub struct Set {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// `metadata.generation`
    pub generation: i64,
    /// `metadata.annotations`; revisions get a copy (S-3.3).
    pub annotations: BTreeMap<String, String>,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
    /// As stored, less the template.
    pub spec: OrdinalSetSpec,
    /// `spec.template` as stored.
    pub template: Arc<Value>,
    /// As stored.
    pub status: OrdinalSetStatus,
    /// `spec.selector`, ready to match.
    pub selector: Selector,
    /// Whether it asks for a label that each pod has for itself.
    selects_by_name: bool,
    /// What the template means (O-13).
    pub meaning: Meaning,
}

/// Why an object cannot be planned for (O-15).
#[derive(Clone, Debug, PartialEq)]
pub struct InvalidSet(String);

impl fmt::Display for InvalidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidSet {}

impl Set {
    /// Reads a set as it is stored.
    ///
    /// # Errors
    /// When it is no set, or as [`Set::new`].
    pub fn read(mut stored: Value) -> Result<Self, InvalidSet> {
        // A status that somebody filled with something else is no reason to leave the pods alone: it is made anew.
        let bad_status = stored.get("status").is_some_and(|s| OrdinalSetStatus::deserialize(s).is_err());
        if bad_status {
            stored["status"].take();
        }
        Self::new(serde_json::from_value(stored).map_err(|e| InvalidSet(e.to_string()))?)
    }

    /// Derives what plans need of a stored set.
    ///
    /// # Errors
    /// When the selector cannot be evaluated or is empty, or the template is no object: such a set is reported (O-15).
    pub fn new(set: OrdinalSet) -> Result<Self, InvalidSet> {
        let OrdinalSet { metadata, mut spec, status } = set;
        let selector = Selector::try_from(spec.selector.clone())
            .map_err(|e| InvalidSet(format!("spec.selector cannot be evaluated: {e}")))?;
        if selector.selects_all() {
            return Err(InvalidSet("spec.selector: empty selector is invalid for statefulset".into()));
        }
        if !spec.template.is_object() {
            return Err(InvalidSet("spec.template is not an object".into()));
        }
        Ok(Self {
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
            selects_by_name: selects_by_name(&spec.selector),
            meaning: Meaning::of(&spec.template),
            template: Arc::new(std::mem::take(&mut spec.template)),
            status: status.unwrap_or_default(),
            selector,
            spec,
        })
    }

    /// `spec.replicas`; what no API server admits counts as 0.
    pub fn replicas(&self) -> i32 {
        self.spec.replicas.max(0)
    }

    /// The first ordinal.
    pub fn start(&self) -> i32 {
        self.spec.ordinals.map_or(0, |o| o.start.max(0))
    }

    /// `spec.updateStrategy.rollingUpdate.partition`
    pub fn partition(&self) -> i32 {
        self.spec.update_strategy.rolling_update.as_ref().map_or(0, |r| r.partition)
    }

    /// Whether an ordinal is at or above the partition, which counts slots from the start (S-12.10).
    pub fn is_in_update_range(&self, ordinal: i32) -> bool {
        i64::from(ordinal) >= i64::from(self.start()) + i64::from(self.partition().max(0))
    }

    /// Whether the selector asks for a label that each pod has for itself.
    pub(crate) fn selects_by_name(&self) -> bool {
        self.selects_by_name
    }

    /// Whether the selector matches a pod (S-2.5).
    pub fn selects(&self, pod: &Pod) -> bool {
        if self.selects_by_name {
            self.selector.matches(&pod.labels.all(&pod.name, pod.parsed))
        } else {
            self.selector.matches(pod.labels.others())
        }
    }

    /// Whether pods start and stop all at once.
    pub fn parallel(&self) -> bool {
        self.spec.pod_management_policy == PodManagementPolicy::Parallel
    }

    /// Claim templates by name, in the order written. Of two with one name the last counts (S-1.4).
    pub fn claim_templates(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = &self.spec.volume_claim_templates;
        let name = |t: &'_ Value| t["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        all.iter()
            .enumerate()
            .filter(move |(i, t)| !all[i + 1..].iter().any(|later| name(later) == name(t)))
            .map(|(_, t)| (t["metadata"]["name"].as_str().unwrap_or_default(), t))
    }

    /// The owner reference that makes an object the set's own (S-2.4).
    pub fn controller_ref(&self) -> OwnerReference {
        OwnerReference {
            api_version: SET_API_VERSION.into(),
            kind: SET_KIND.into(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// `apiVersion` in references to a set.
pub const SET_API_VERSION: &str = "apps.ordinal.dev/v1";
/// `kind` in references to a set.
pub const SET_KIND: &str = "OrdinalSet";

/// A pod, as far as plans look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// `metadata.name`
    pub name: String,
    /// What the name says (S-2.1).
    pub parsed: Parsed,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.labels`
    pub labels: Labels,
    /// The owner reference with `controller: true`; pods of one set share it.
    pub controller: Option<Arc<OwnerReference>>,
    /// UID of an OrdinalSet that owns it beside its controller: it is about to be taken over.
    pub promised: Option<Arc<str>>,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// `metadata.deletionTimestamp`: the end of its grace period.
    pub deleting: Option<Timestamp>,
    /// `status.phase`
    pub phase: Phase,
    /// Whether the condition Ready is True.
    pub ready: bool,
    /// When the condition Ready last changed.
    pub ready_since: Option<Timestamp>,
    /// Volumes that are claims; pods of one set share them.
    pub mounts: Mounts,
    /// What keeps it from running, as far as its status tells (O-10).
    pub trouble: Option<Box<Trouble>>,
}

/// `status.phase`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Never seen by an API server.
    None,
    /// Accepted, but not all containers have been started.
    Pending,
    /// Bound to a node, containers started.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, one of them badly; or it was rejected or evicted.
    Failed,
    /// Its state could not be obtained, or is a word that we do not know.
    Unknown,
}

impl From<lite::Pod> for Pod {
    fn from(pod: lite::Pod) -> Self {
        let trouble = Trouble::of(&pod).map(Box::new);
        let meta = pod.metadata;
        let name = meta.name.unwrap_or_default();
        let ready = pod.status.conditions.iter().find(|c| c.type_ == "Ready");
        let parsed = name::parse(&name);
        let promised = promised(meta.owner_references.as_deref());
        let mut owners = meta.owner_references.into_iter().flatten();
        let volumes = pod.spec.volumes.into_iter();
        Self {
            labels: Labels::new(meta.labels.unwrap_or_default(), &name, parsed),
            mounts: Mounts::new(volumes.filter_map(|v| Some((v.name, v.persistent_volume_claim?.claim_name))), &name),
            parsed,
            name,
            uid: meta.uid.unwrap_or_default(),
            controller: owners.find(|o| o.controller == Some(true)).map(Arc::new),
            promised,
            created: meta.creation_timestamp.map(|t| t.0),
            deleting: meta.deletion_timestamp.map(|t| t.0),
            phase: match pod.status.phase.as_str() {
                "" => Phase::None,
                "Pending" => Phase::Pending,
                "Running" => Phase::Running,
                "Succeeded" => Phase::Succeeded,
                "Failed" => Phase::Failed,
                _ => Phase::Unknown,
            },
            ready: ready.is_some_and(|c| c.status == "True"),
            ready_since: ready.and_then(|c| c.last_transition_time.as_ref()).map(|t| t.0),
            trouble,
        }
    }
}

impl Pod {
    /// Takes what is equal from a pod of the same set, in place of its own.
    pub fn share(&mut self, with: &Self) {
        self.labels.share(&with.labels);
        share(&mut self.mounts, &with.mounts);
        share(&mut self.controller, &with.controller);
    }
}

fn selects_by_name(selector: &LabelSelector) -> bool {
    let labels = selector.match_labels.iter().flatten().map(|(label, _)| label);
    let mut all = labels.chain(selector.match_expressions.iter().flatten().map(|e| &e.key));
    all.any(|label| label == LABEL_POD_NAME || label == LABEL_POD_INDEX)
}

/// A claim, as far as plans look at it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// `metadata.ownerReferences`, those of others too; claims of one set share them.
    pub owners: Arc<[OwnerReference]>,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
    /// Whether it is still to be bound.
    pub pending: bool,
}

impl From<lite::Claim> for Claim {
    fn from(claim: lite::Claim) -> Self {
        let meta = claim.metadata;
        Self {
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            resource_version: meta.resource_version.unwrap_or_default(),
            owners: meta.owner_references.unwrap_or_default().into(),
            deleting: meta.deletion_timestamp.is_some(),
            pending: claim.status.phase == "Pending",
        }
    }
}

impl Claim {
    /// Takes what is equal from a claim of the same set, in place of its own.
    pub fn share(&mut self, with: &Self) {
        share(&mut self.owners, &with.owners);
    }
}

/// A ControllerRevision.
#[derive(Clone, Debug)]
pub struct Revision {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// The owner reference with `controller: true`.
    pub controller: Option<OwnerReference>,
    /// UID of an OrdinalSet that owns it beside its controller: it is about to be taken over.
    pub promised: Option<Arc<str>>,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// `revision`: its place in the history.
    pub number: i64,
    /// The template it records; absent when its data is not of our form (S-3.1).
    pub template: Option<Arc<Value>>,
    /// What that template means (O-13).
    pub meaning: Option<Meaning>,
}

impl From<lite::Revision> for Revision {
    fn from(revision: lite::Revision) -> Self {
        let meta = revision.metadata;
        let template = crate::revision::restore(revision.data);
        Self {
            controller: controller_of(&meta).cloned(),
            promised: promised(meta.owner_references.as_deref()),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            labels: meta.labels.unwrap_or_default(),
            created: meta.creation_timestamp.map(|t| t.0),
            number: revision.revision,
            meaning: template.as_ref().map(Meaning::of),
            template: template.map(Arc::new),
        }
    }
}

/// A Service, as far as O-9 looks at it.
#[derive(Clone, Debug)]
pub struct Service {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
    /// UID of the controller that owns it.
    pub controller: Option<String>,
    /// The part of its spec that matters.
    pub spec: lite::ServiceSpec,
}

impl From<lite::Service> for Service {
    fn from(service: lite::Service) -> Self {
        Self {
            controller: controller_of(&service.metadata).map(|o| o.uid.clone()),
            name: service.metadata.name.unwrap_or_default(),
            uid: service.metadata.uid.unwrap_or_default(),
            spec: service.spec,
        }
    }
}

/// The OrdinalSet among owners that is no controller.
fn promised(owners: Option<&[OwnerReference]>) -> Option<Arc<str>> {
    let ours = |o: &&OwnerReference| o.kind == SET_KIND && o.controller != Some(true);
    owners?.iter().find(ours).map(|o| o.uid.as_str().into())
}

/// The owner reference with `controller: true`.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|o| o.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, owner: &str) -> Pod {
        let labels = json!({"app": "web", LABEL_POD_NAME: name, LABEL_POD_INDEX: "0"});
        let owner = json!({"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": owner, "controller": true});
        let object = json!({"metadata": {"name": name, "labels": labels, "ownerReferences": [owner]}});
        let wire: lite::Pod = serde_json::from_value(object).expect("a pod");
        wire.into()
    }

    fn set(selector: serde_json::Value) -> Set {
        let object = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": "web"},
            "spec": {"selector": selector, "template": {}},
        });
        Set::read(object).expect("a set")
    }

    #[test]
    fn o_14_pods_of_a_set_share_what_is_equal_and_nothing_else() {
        let first = pod("web-0", "a");
        let mut second = pod("web-1", "a");
        second.share(&first);
        let same = |one: &Pod, other: &Pod| match (&one.controller, &other.controller) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        assert!(same(&first, &second));
        let mut other = pod("web-2", "b");
        other.share(&first);
        assert_eq!(other.controller.map(|owner| owner.uid.clone()).as_deref(), Some("b"));
    }

    #[test]
    fn o_14_claims_of_a_set_share_equal_owners_and_no_others() {
        let claim = |owner: &str| {
            let owner = json!({"apiVersion": "apps.ordinal.dev/v1", "kind": SET_KIND, "name": "web", "uid": owner});
            let object = json!({"metadata": {"name": "data-web-0", "ownerReferences": [owner]}});
            let wire: lite::Claim = serde_json::from_value(object).expect("a claim");
            Claim::from(wire)
        };
        let first = claim("a");
        let mut second = claim("a");
        second.share(&first);
        assert!(Arc::ptr_eq(&first.owners, &second.owners));
        let mut other = claim("b");
        other.share(&first);
        assert_eq!(other.owners[0].uid, "b");
    }

    #[test]
    fn s_2_5_a_selector_may_ask_for_a_pods_name_or_ordinal() {
        let named = |label: &str, value: &str| set(json!({"matchLabels": {"app": "web", label: value}}));
        assert!(named(LABEL_POD_NAME, "web-0").selects(&pod("web-0", "a")));
        assert!(!named(LABEL_POD_NAME, "web-0").selects(&pod("web-1", "a")));
        assert!(named(LABEL_POD_INDEX, "0").selects(&pod("web-0", "a")));
        assert!(!named(LABEL_POD_INDEX, "1").selects(&pod("web-0", "a")));
        let exists = |label: &str| set(json!({"matchExpressions": [{"key": label, "operator": "Exists"}]}));
        for label in ["app", LABEL_POD_NAME, LABEL_POD_INDEX] {
            assert!(exists(label).selects(&pod("web-0", "a")), "{label}");
        }
        assert!(!exists("other").selects(&pod("web-0", "a")));
    }

    #[test]
    fn o_14_the_labels_of_names_are_put_together_only_for_selectors_that_ask_for_them() {
        assert!(!set(json!({"matchLabels": {"app": "web"}})).selects_by_name);
        assert!(set(json!({"matchLabels": {"app": "web", LABEL_POD_INDEX: "0"}})).selects_by_name);
    }
}
