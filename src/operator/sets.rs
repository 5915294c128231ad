//! The cache of sets, and which of them an object of another kind concerns.

use crate::{cache::Key, kinds::Observed};
use kube::runtime::{
    reflector::{ObjectRef, Store, store, store::Writer},
    watcher::Event,
};
use ordinal_plan::{freshness::Horizon, snapshot::Set};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{PoisonError, RwLock},
};

/// All sets, found by name, by the names of their claims and by that of their Service.
pub struct Sets {
    /// By name; shared with the controller's queue.
    pub store: Store<Observed>,
    /// How far it has come.
    pub horizon: Horizon,
    index: RwLock<Index>,
}

#[derive(Default)]
struct Index {
    /// What each set is found by, to take it back when the set changes.
    of_set: HashMap<Key, Vec<Concern>>,
    sets: HashMap<Concern, BTreeSet<Key>>,
}

/// What a set is found by, beside its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Concern {
    /// Namespace and `<template>-<set>`.
    Claims(Key),
    /// Namespace and name of its Service.
    Service(Key),
}

impl Sets {
    /// An empty cache and its one writer.
    pub fn new() -> (Self, Writer<Observed>) {
        let (store, writer) = store();
        (Self { store, horizon: Horizon::default(), index: RwLock::default() }, writer)
    }

    /// Whether there is a set of this name.
    pub fn contains(&self, key: &Key) -> bool {
        self.store.get(&object_ref(key)).is_some()
    }

    /// Whether the set of this name is the one with this UID, and no namesake.
    pub fn has_uid(&self, key: &Key, uid: &str) -> bool {
        self.store.get(&object_ref(key)).is_some_and(|set| set.metadata.uid.as_deref() == Some(uid))
    }

    /// Whether the set of this name is being deleted.
    pub fn is_deleting(&self, key: &Key) -> bool {
        self.store.get(&object_ref(key)).is_some_and(|observed| observed.set.as_ref().is_ok_and(|set| set.deleting))
    }

    /// The sets that an object concerns.
    pub fn concerned(&self, concern: &Concern) -> Vec<Key> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.sets.get(concern).into_iter().flatten().cloned().collect()
    }

    /// Follows the watch of sets. Call it after the store has the event.
    pub fn follow(&self, event: &Event<Observed>) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => self.horizon.list_begins(),
            Event::InitApply(set) => {
                index.put(Key::of(set), set.set.as_deref().map(concerns).unwrap_or_default());
                self.horizon.lists(set.metadata.resource_version.as_deref());
            }
            Event::Apply(set) => {
                index.put(Key::of(set), set.set.as_deref().map(concerns).unwrap_or_default());
                self.horizon.saw(set.metadata.resource_version.as_deref());
            }
            Event::Delete(set) => {
                index.put(Key::of(set), Vec::new());
                self.horizon.saw(set.metadata.resource_version.as_deref());
            }
            Event::InitDone => {
                let gone: Vec<Key> = index.of_set.keys().filter(|key| !self.contains(key)).cloned().collect();
                gone.into_iter().for_each(|key| index.put(key, Vec::new()));
                self.horizon.list_ends();
            }
        }
    }
}

impl Index {
    fn put(&mut self, set: Key, concerns: Vec<Concern>) {
        for old in self.of_set.remove(&set).unwrap_or_default() {
            if let Some(sets) = self.sets.get_mut(&old) {
                sets.remove(&set);
                if sets.is_empty() {
                    self.sets.remove(&old);
                }
            }
        }
        for concern in &concerns {
            self.sets.entry(concern.clone()).or_default().insert(set.clone());
        }
        if !concerns.is_empty() {
            self.of_set.insert(set, concerns);
        }
    }
}

fn concerns(set: &Set) -> Vec<Concern> {
    let key = |name: String| Key { namespace: set.namespace.clone(), name };
    let claims = set.claim_templates().map(|(template, _)| Concern::Claims(key(format!("{template}-{}", set.name))));
    let service = Some(&set.spec.service_name).filter(|name| !name.is_empty());
    claims.chain(service.map(|name| Concern::Service(key(name.clone())))).collect()
}

/// How the queue calls a set.
pub fn object_ref(key: &Key) -> ObjectRef<Observed> {
    ObjectRef::new(&key.name).within(&key.namespace)
}
