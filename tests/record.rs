//! What happens in every namespace, as the API server tells it: one watch per kind for all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt;
use kube::{
    Api, Client,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use ordinal_api::LABEL_REVISION;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::twins::Kind;

/// The kinds that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// StatefulSet or OrdinalSet.
    Set,
    /// Pod
    Pod,
    /// PersistentVolumeClaim
    Claim,
    /// ControllerRevision
    Revision,
}

/// A creation or deletion of a pod, in the order of the watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodEvent {
    /// Whether it was created, or its deletion has begun.
    pub created: bool,
    /// Its name.
    pub name: String,
    /// The name of its revision.
    pub revision: String,
}

/// What is known of one namespace.
#[derive(Clone, Debug)]
pub struct Room {
    changed: Instant,
    /// What there is now.
    pub objects: BTreeMap<(Watched, String), Value>,
    /// The UIDs that each name has had, oldest first.
    pub lives: BTreeMap<(Watched, String), Vec<String>>,
    /// Names of revisions in the order in which they came up.
    pub revisions: Vec<String>,
    /// All creations and deletions of pods.
    pub log: Vec<PodEvent>,
    leaving: BTreeSet<String>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            changed: Instant::now(),
            objects: BTreeMap::new(),
            lives: BTreeMap::new(),
            revisions: Vec::new(),
            log: Vec::new(),
            leaving: BTreeSet::new(),
        }
    }
}

impl Room {
    /// The object of this name that is there now.
    pub fn get(&self, kind: Watched, name: &str) -> Option<&Value> {
        self.objects.get(&(kind, name.to_owned()))
    }

    /// All objects of a kind, by name.
    pub fn all(&self, kind: Watched) -> impl Iterator<Item = (&str, &Value)> {
        self.objects.iter().filter(move |((k, _), _)| *k == kind).map(|((_, name), object)| (name.as_str(), object))
    }

    fn see(&mut self, kind: Watched, object: Value, gone: bool) {
        self.changed = Instant::now();
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, uid) = (text("/metadata/name"), text("/metadata/uid"));
        let lives = self.lives.entry((kind, name.clone())).or_default();
        let born = !lives.contains(&uid);
        if born {
            lives.push(uid.clone());
        }
        if kind == Watched::Revision && !self.revisions.contains(&name) {
            self.revisions.push(name.clone());
        }
        if kind == Watched::Pod {
            let revision = object["metadata"]["labels"][LABEL_REVISION].as_str().unwrap_or_default().to_owned();
            if born {
                self.log.push(PodEvent { created: true, name: name.clone(), revision: revision.clone() });
            }
            if (gone || object["metadata"]["deletionTimestamp"].is_string()) && self.leaving.insert(uid) {
                self.log.push(PodEvent { created: false, name: name.clone(), revision });
            }
        }
        if gone {
            self.objects.remove(&(kind, name));
        } else {
            self.objects.insert((kind, name), object);
        }
    }
}

/// One version of an object.
#[derive(Clone, Debug)]
pub struct Version {
    /// When it was seen.
    pub at: Instant,
    /// What it is of.
    pub kind: Watched,
    /// The object; as it was last, if it is gone.
    pub object: Value,
    /// Whether it is gone.
    pub gone: bool,
}

/// The watches. They end with it.
pub struct Record {
    known: Arc<Mutex<Known>>,
    watches: Vec<JoinHandle<()>>,
}

/// By namespace.
#[derive(Default)]
struct Known {
    rooms: BTreeMap<String, Room>,
    /// Kept where somebody asks for it.
    histories: Option<BTreeMap<String, Vec<Version>>>,
}

impl Known {
    fn see(&mut self, kind: Watched, namespace: String, object: Value, gone: bool) {
        if let Some(histories) = &mut self.histories {
            let version = Version { at: Instant::now(), kind, object: object.clone(), gone };
            histories.entry(namespace.clone()).or_default().push(version);
        }
        self.rooms.entry(namespace).or_default().see(kind, object, gone);
    }
}

impl Record {
    /// Begins to watch.
    pub fn begin(client: &Client) -> Self {
        Self::watch(client, Known::default())
    }

    /// Begins to watch, and keeps all that it sees until [`Self::history`] asks for it.
    pub fn begin_history(client: &Client) -> Self {
        Self::watch(client, Known { histories: Some(BTreeMap::new()), ..Known::default() })
    }

    fn watch(client: &Client, known: Known) -> Self {
        let known = Arc::new(Mutex::new(known));
        let core = |kind, plural| ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural);
        let revisions = GroupVersionKind::gvk("apps", "v1", "ControllerRevision");
        let watched = [
            (Watched::Set, Kind::Native.resource()),
            (Watched::Set, Kind::Ours.resource()),
            (Watched::Pod, core("Pod", "pods")),
            (Watched::Claim, core("PersistentVolumeClaim", "persistentvolumeclaims")),
            (Watched::Revision, ApiResource::from_gvk_with_plural(&revisions, "controllerrevisions")),
        ];
        let watches = watched.map(|(kind, resource)| {
            let (api, known) = (Api::<DynamicObject>::all_with(client.clone(), &resource), known.clone());
            tokio::spawn(async move {
                let mut events = pin!(watcher(api, watcher::Config::default()).default_backoff());
                while let Some(event) = events.next().await {
                    let (object, gone) = match event {
                        Ok(Event::Apply(object) | Event::InitApply(object)) => (object, false),
                        Ok(Event::Delete(object)) => (object, true),
                        _ => continue,
                    };
                    let namespace = object.metadata.namespace.clone().unwrap_or_default();
                    let Ok(object) = serde_json::to_value(object) else { continue };
                    lock(&known).see(kind, namespace, object, gone);
                }
            })
        });
        Self { known, watches: watches.into() }
    }

    /// All versions in a namespace that were seen so far, and are not kept any longer.
    pub fn history(&self, namespace: &str) -> Vec<Version> {
        lock(&self.known).histories.as_mut().and_then(|all| all.remove(namespace)).unwrap_or_default()
    }

    /// What is known of a namespace.
    pub fn room(&self, namespace: &str) -> Room {
        lock(&self.known).rooms.entry(namespace.to_owned()).or_default().clone()
    }

    /// For how long a namespace's objects have been as they are.
    pub fn still(&self, namespace: &str) -> Duration {
        lock(&self.known).rooms.get(namespace).map_or(Duration::ZERO, |room| room.changed.elapsed())
    }

    /// Notes that something is about to be changed, so that quiet begins anew.
    pub fn stir(&self, namespace: &str) {
        lock(&self.known).rooms.entry(namespace.to_owned()).or_default().changed = Instant::now();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
