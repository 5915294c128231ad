//! Sees every pod that ever lived in a namespace, also one that came and went between two looks of a test.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::task::JoinHandle;

use crate::namespace::Namespace;

/// What was seen of the pods, by their UIDs.
#[derive(Debug, Default)]
struct Seen {
    /// By the pods' names, oldest first.
    lives: BTreeMap<String, Vec<String>>,
    /// Name and UID of those that were told to go, or have gone, in that order.
    gone: Vec<(String, String)>,
    /// Those that were Failed or Succeeded at some time, though nobody had told them to go.
    ended: BTreeSet<String>,
}

/// A watch of a namespace's pods from its beginning to the witness's end.
#[derive(Debug)]
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    watch: JoinHandle<()>,
}

impl Witness {
    /// Begins to watch.
    pub fn of(ns: &Namespace) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (all, pods) = (seen.clone(), ns.pods());
        let watch = tokio::spawn(async move {
            let mut events = pin!(watcher(pods, watcher::Config::default()).default_backoff());
            while let Some(event) = events.next().await {
                let Ok(event) = event else { continue };
                all.lock().unwrap_or_else(PoisonError::into_inner).note(&event);
            }
        });
        Self { seen, watch }
    }

    /// How many pods of each name there have been.
    pub fn lives(&self) -> BTreeMap<String, usize> {
        self.seen().lives.iter().map(|(name, uids)| (name.clone(), uids.len())).collect()
    }

    /// The names of those that were told to go, in that order.
    pub fn gone(&self) -> Vec<String> {
        self.seen().gone.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Whether a pod was Failed or Succeeded at some time, though nobody had told it to go.
    pub fn has_ended(&self, pod: &Pod) -> bool {
        self.seen().ended.contains(&pod.uid().unwrap_or_default())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Seen {
    fn note(&mut self, event: &Event<Pod>) {
        let (Event::InitApply(pod) | Event::Apply(pod) | Event::Delete(pod)) = event else { return };
        let (name, uid) = (pod.name_any(), pod.uid().unwrap_or_default());
        let lives = self.lives.entry(name.clone()).or_default();
        if !lives.contains(&uid) {
            lives.push(uid.clone());
        }
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Failed" | "Succeeded")) && pod.metadata.deletion_timestamp.is_none() {
            self.ended.insert(uid.clone());
        }
        let goes = pod.metadata.deletion_timestamp.is_some() || matches!(event, Event::Delete(_));
        if goes && self.gone.iter().all(|(_, known)| *known != uid) {
            self.gone.push((name, uid));
        }
    }
}
