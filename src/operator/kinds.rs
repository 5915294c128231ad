//! What is kept of each kind, and what it is found by.

use crate::cache::{Cached, Group, Key};
use kube::core::ObjectMeta;
use ordinal_api::{OrdinalSet, lite};
use ordinal_plan::{
    native::StatefulSet,
    snapshot::{Claim, Pod, Revision, SET_KIND, Service, Set, controller_of},
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::sync::Arc;

/// A set as the watch brings it: one that cannot be planned for does not stop the watch, but is known as such (O-15).
#[derive(kube::Resource, Clone, Debug)]
#[resource(inherit = "OrdinalSet")]
pub struct Observed {
    /// As usual, less what only others need.
    pub metadata: ObjectMeta,
    /// The set, or why it cannot be planned for.
    pub set: Result<Arc<Set>, String>,
}

impl<'de> Deserialize<'de> for Observed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let meta = &value["metadata"];
        let text = |field: &str| meta[field].as_str().map(str::to_owned);
        let metadata = ObjectMeta {
            namespace: text("namespace"),
            name: text("name"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            generation: meta["generation"].as_i64(),
            ..ObjectMeta::default()
        };
        let set = Set::read(value).map(Arc::new).map_err(|e| e.to_string());
        Ok(Self { metadata, set })
    }
}

impl Cached for Pod {
    type Wire = lite::Pod;

    /// Pods of sets, and those whose names could be a set's.
    fn keep(wire: lite::Pod) -> Option<Self> {
        let pod = Self::from(wire);
        let owned = pod.controller.as_ref().is_some_and(|o| o.kind == SET_KIND);
        (owned || pod.parsed.ordinal.is_some()).then_some(pod)
    }

    fn groups(&self, key: &Key) -> Vec<Group> {
        let owner = self.controller.as_ref().map(|o| owned(key, &o.uid));
        let parent = self.parsed.parent(&self.name);
        let family = (!parent.is_empty()).then(|| family(key, parent));
        owner.into_iter().chain(family).collect()
    }

    fn share(&mut self, with: &Self) {
        Self::share(self, with);
    }

    fn same(&self, before: &Self) -> bool {
        self == before
    }
}

impl Cached for Claim {
    type Wire = lite::Claim;

    /// Claims whose names could be a set's.
    fn keep(wire: lite::Claim) -> Option<Self> {
        claim_family(&Key::of(&wire)).map(|_| Self::from(wire))
    }

    fn groups(&self, key: &Key) -> Vec<Group> {
        claim_family(key).map(Group::Family).into_iter().collect()
    }

    fn share(&mut self, with: &Self) {
        Self::share(self, with);
    }

    fn same(&self, before: &Self) -> bool {
        let Self { name, uid, resource_version: _, owners, deleting, pending } = self;
        (name, uid, owners) == (&before.name, &before.uid, &before.owners)
            && (*deleting, *pending) == (before.deleting, before.pending)
    }
}

impl Cached for Revision {
    type Wire = lite::Revision;

    /// Of revisions of other kinds the name alone, which may be one that a set would use (S-3.4).
    fn keep(mut wire: lite::Revision) -> Option<Self> {
        if controller_of(&wire.metadata).is_some_and(|owner| owner.kind != SET_KIND) {
            wire.data = Value::Null;
            wire.metadata.labels = None;
        }
        Some(Self::from(wire))
    }

    fn groups(&self, key: &Key) -> Vec<Group> {
        let owner = match &self.controller {
            Some(owner) => owned(key, &owner.uid),
            None => Group::Orphans(key.namespace.clone()),
        };
        // Whoever owns it, it may have a name that a set would use (S-3.4).
        let family = key.name.rsplit_once('-').map(|(prefix, _)| family(key, prefix));
        [owner].into_iter().chain(family).collect()
    }
}

impl Cached for Service {
    type Wire = lite::Service;

    fn keep(wire: lite::Service) -> Option<Self> {
        Some(Self::from(wire))
    }

    fn groups(&self, _: &Key) -> Vec<Group> {
        Vec::new()
    }
}

impl Cached for StatefulSet {
    type Wire = Self;

    fn keep(wire: Self) -> Option<Self> {
        Some(wire)
    }

    fn groups(&self, _: &Key) -> Vec<Group> {
        Vec::new()
    }
}

/// What a claim's name is made from, less the ordinal: `<template>-<set>`.
pub fn claim_family(key: &Key) -> Option<Key> {
    let parsed = ordinal_plan::name::parse(&key.name);
    parsed.ordinal.map(|_| Key { namespace: key.namespace.clone(), name: parsed.parent(&key.name).to_owned() })
}

/// What an owner in the object's namespace controls; one elsewhere cannot.
fn owned(key: &Key, uid: &str) -> Group {
    Group::Owner(Key { namespace: key.namespace.clone(), name: uid.to_owned() })
}

fn family(key: &Key, prefix: &str) -> Group {
    Group::Family(Key { namespace: key.namespace.clone(), name: prefix.to_owned() })
}
