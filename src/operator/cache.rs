//! An indexed cache of one kind, fed by its watch. It holds what plans look at and nothing else.
//!
//! Not kube's `reflector::Store`: that one has no index, so finding a set's pods is a scan of every pod, and a relist
//! drops vanished objects without telling anyone.

use kube::{Resource, core::NamespaceResourceScope, runtime::watcher::Event};
use ordinal_plan::freshness::Horizon;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// Namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

impl Key {
    /// The key of an object as the API server sends it.
    pub fn of<K: Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
    }
}

/// What objects are found by, beside their names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Those controlled by the owner in this namespace with this UID, which stands for its name.
    Owner(Key),
    /// Those of a namespace whose names are this, a dash and an ordinal or a hash.
    Family(Key),
    /// Those of a namespace without a controller.
    Orphans(String),
}

/// An object in the cache.
pub trait Cached: Send + Sync + Sized + 'static {
    /// The form in which it is watched.
    type Wire: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static;

    /// What is kept of it; `None` when no set can ever ask for it.
    fn keep(wire: Self::Wire) -> Option<Self>;

    /// What it is found by.
    fn groups(&self, key: &Key) -> Vec<Group>;

    /// Takes what is equal from another object of one of its groups, in place of its own.
    fn share(&mut self, _with: &Self) {}

    /// Whether plans would see no difference to what was kept before.
    fn same(&self, _before: &Self) -> bool {
        false
    }
}

/// A cache of one kind. Readers and the one writer share it.
#[derive(Debug)]
pub struct Cache<V> {
    inner: RwLock<Inner<V>>,
    /// How far it has come.
    pub horizon: Horizon,
}

#[derive(Debug)]
struct Inner<V> {
    objects: HashMap<Key, Arc<V>>,
    groups: HashMap<Group, BTreeMap<String, Arc<V>>>,
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        let inner = Inner { objects: HashMap::new(), groups: HashMap::new() };
        Self { inner: RwLock::new(inner), horizon: Horizon::default() }
    }
}

impl<V: Cached> Cache<V> {
    /// The object of that name.
    pub fn get(&self, key: &Key) -> Option<Arc<V>> {
        self.read().objects.get(key).cloned()
    }

    /// The objects of several groups, each once, by name.
    pub fn union(&self, groups: &[Group]) -> Vec<Arc<V>> {
        let inner = self.read();
        let mut members = groups.iter().filter_map(|group| inner.groups.get(group));
        let first: Vec<_> = members.next().into_iter().flatten().collect();
        let all = members.fold(first, |all, more| merge(all, more));
        all.into_iter().map(|(_, object)| object.clone()).collect()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.read().objects.len()
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner<V>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two groups in one, each by name. A set's pods are in the same two groups, nearly always: so most names are never looked at.
fn merge<'a, V>(
    one: Vec<(&'a String, &'a Arc<V>)>,
    other: &'a BTreeMap<String, Arc<V>>,
) -> Vec<(&'a String, &'a Arc<V>)> {
    let mut all = Vec::with_capacity(one.len().max(other.len()));
    let mut other = other.iter().peekable();
    for object in one {
        while let Some(before) = other.next_if(|o| !Arc::ptr_eq(o.1, object.1) && o.0 < object.0) {
            all.push(before);
        }
        other.next_if(|o| Arc::ptr_eq(o.1, object.1));
        all.push(object);
    }
    all.extend(other);
    all
}

/// The one writer of a cache.
pub struct Writer<V> {
    cache: Arc<Cache<V>>,
    /// What a list under way has brought.
    listed: Option<BTreeSet<Key>>,
}

/// An object that changed: what it was, and what it is.
pub struct Change<V> {
    /// Where.
    pub key: Key,
    /// Absent when it is new.
    pub before: Option<Arc<V>>,
    /// Absent when it is gone.
    pub after: Option<Arc<V>>,
}

impl<V: Cached> Change<V> {
    /// Whether plans can see it.
    pub fn is_seen(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => !after.same(before),
            _ => true,
        }
    }
}

impl<V: Cached> Writer<V> {
    /// The writer of a cache; there must be one only.
    pub fn new(cache: Arc<Cache<V>>) -> Self {
        Self { cache, listed: None }
    }

    /// Takes over what the watch brought, and tells what changed: after a list also what vanished meanwhile.
    pub fn apply(&mut self, event: Event<V::Wire>) -> Vec<Change<V>> {
        match event {
            Event::Init => {
                self.listed = Some(BTreeSet::new());
                self.cache.horizon.list_begins();
                Vec::new()
            }
            Event::InitApply(wire) => {
                let key = Key::of(&wire);
                if let Some(listed) = &mut self.listed {
                    listed.insert(key.clone());
                }
                // A list comes in the order of names: what it brings says nothing of what is still to come.
                self.cache.horizon.lists(wire.meta().resource_version.as_deref());
                vec![self.put(key, V::keep(wire))]
            }
            Event::Apply(wire) => {
                let (key, seen) = (Key::of(&wire), wire.meta().resource_version.clone());
                let change = self.put(key, V::keep(wire));
                self.cache.horizon.saw(seen.as_deref());
                vec![change]
            }
            Event::Delete(wire) => {
                let change = self.put(Key::of(&wire), None);
                self.cache.horizon.saw(wire.meta().resource_version.as_deref());
                vec![change]
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let gone: Vec<Key> =
                    self.cache.read().objects.keys().filter(|key| !listed.contains(*key)).cloned().collect();
                let changes = gone.into_iter().map(|key| self.put(key, None)).collect();
                self.cache.horizon.list_ends();
                changes
            }
        }
    }

    fn put(&self, key: Key, value: Option<V>) -> Change<V> {
        let mut inner = self.cache.inner.write().unwrap_or_else(PoisonError::into_inner);
        let groups = value.as_ref().map(|value| value.groups(&key)).unwrap_or_default();
        let after = value.map(|mut value| {
            for members in groups.iter().filter_map(|group| inner.groups.get(group)) {
                // Roll-outs begin at one end.
                let ends = [members.values().next(), members.values().next_back()];
                ends.into_iter().flatten().for_each(|end| value.share(end));
            }
            Arc::new(value)
        });
        let before = inner.objects.remove(&key);
        if let Some(before) = &before {
            for group in before.groups(&key) {
                if let Some(members) = inner.groups.get_mut(&group) {
                    members.remove(&key.name);
                    if members.is_empty() {
                        inner.groups.remove(&group);
                    }
                }
            }
        }
        if let Some(after) = &after {
            for group in groups {
                inner.groups.entry(group).or_default().insert(key.name.clone(), after.clone());
            }
            inner.objects.insert(key.clone(), after.clone());
        }
        Change { key, before, after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordinal_api::lite;
    use ordinal_plan::snapshot::Pod;
    use serde_json::json;

    fn pod(name: &str, version: &str, owner: Option<&str>) -> lite::Pod {
        let owners = owner.map(
            |uid| json!([{"apiVersion": "v1", "kind": "OrdinalSet", "name": "n", "uid": uid, "controller": true}]),
        );
        serde_json::from_value(json!({"metadata": {
            "namespace": "ns", "name": name, "uid": name, "resourceVersion": version, "ownerReferences": owners,
        }}))
        .expect("a pod")
    }

    fn filled() -> (Arc<Cache<Pod>>, Writer<Pod>) {
        let cache = Arc::new(Cache::default());
        let mut writer = Writer::new(cache.clone());
        for event in [
            Event::Init,
            Event::InitApply(pod("web-1", "5", Some("u"))),
            Event::InitApply(pod("web-0", "4", None)),
            Event::InitApply(pod("db-0", "6", Some("u"))),
            Event::InitDone,
        ] {
            writer.apply(event);
        }
        (cache, writer)
    }

    fn owned(uid: &str) -> Group {
        Group::Owner(Key { namespace: "ns".into(), name: uid.into() })
    }

    fn names(cache: &Cache<Pod>, groups: &[Group]) -> Vec<String> {
        cache.union(groups).iter().map(|p| p.name.clone()).collect()
    }

    #[test]
    fn s_2_5_pods_are_found_by_owner_and_by_name() {
        let (cache, _) = filled();
        let family = Group::Family(Key { namespace: "ns".into(), name: "web".into() });
        assert_eq!(names(&cache, &[owned("u")]), ["db-0", "web-1"]);
        assert_eq!(names(&cache, std::slice::from_ref(&family)), ["web-0", "web-1"]);
        assert_eq!(names(&cache, &[owned("u"), family]), ["db-0", "web-0", "web-1"]);
    }

    #[test]
    fn pods_that_no_set_can_ask_for_are_not_kept() {
        let (cache, mut writer) = filled();
        let mut stranger = pod("web-6b7d75b45b-x2x4z", "10", Some("replicaset"));
        stranger.metadata.owner_references.iter_mut().flatten().for_each(|o| o.kind = "ReplicaSet".into());
        writer.apply(Event::Apply(stranger));
        assert!(cache.get(&Key { namespace: "ns".into(), name: "web-6b7d75b45b-x2x4z".into() }).is_none());
        assert!(cache.horizon.has(&cache.horizon.mark("10")), "it tells how far the watch has come all the same");
    }

    #[test]
    fn n_13_a_relist_tells_what_vanished_unseen() {
        let (cache, mut writer) = filled();
        writer.apply(Event::Init);
        writer.apply(Event::InitApply(pod("web-1", "5", Some("u"))));
        let mut gone: Vec<String> = writer.apply(Event::InitDone).into_iter().map(|c| c.key.name).collect();
        gone.sort();
        assert_eq!(gone, ["db-0", "web-0"]);
        assert_eq!(names(&cache, &[owned("u")]), ["web-1"]);
    }

    #[test]
    fn what_plans_cannot_see_is_no_change() {
        let (_, mut writer) = filled();
        let again = writer.apply(Event::Apply(pod("web-1", "11", Some("u")))).remove(0);
        assert!(!again.is_seen(), "only its version is another");
        let mut failed = pod("web-1", "12", Some("u"));
        failed.status.phase = "Failed".into();
        assert!(writer.apply(Event::Apply(failed)).remove(0).is_seen());
        assert!(writer.apply(Event::Delete(pod("web-1", "13", Some("u")))).remove(0).is_seen());
    }

    #[test]
    fn s_8_3_a_changed_owner_is_told_with_the_old_one() {
        let (cache, mut writer) = filled();
        let change = writer.apply(Event::Apply(pod("web-1", "9", Some("v")))).remove(0);
        let uid = |p: Option<Arc<Pod>>| p.and_then(|p| p.controller.as_ref().map(|c| c.uid.clone()));
        assert_eq!((uid(change.before), uid(change.after)), (Some("u".into()), Some("v".into())));
        assert_eq!(names(&cache, &[owned("u")]), ["db-0"]);
    }
}
