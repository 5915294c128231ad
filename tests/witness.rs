//! Sees every pod that ever lived in a namespace, also one that came and went between two looks of a test.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
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

/// UIDs by the pods' names, oldest first.
type Lives = BTreeMap<String, Vec<String>>;

/// A watch of a namespace's pods from its beginning to the witness's end.
#[derive(Debug)]
pub struct Witness {
    lives: Arc<Mutex<Lives>>,
    watch: JoinHandle<()>,
}

impl Witness {
    /// Begins to watch.
    pub fn of(ns: &Namespace) -> Self {
        let lives = Arc::new(Mutex::new(Lives::new()));
        let (seen, pods) = (lives.clone(), ns.pods());
        let watch = tokio::spawn(async move {
            let mut events = pin!(watcher(pods, watcher::Config::default()).default_backoff());
            while let Some(event) = events.next().await {
                if let Ok(Event::InitApply(pod) | Event::Apply(pod)) = event {
                    note(&mut seen.lock().unwrap_or_else(PoisonError::into_inner), &pod);
                }
            }
        });
        Self { lives, watch }
    }

    /// How many pods of each name there have been.
    pub fn lives(&self) -> BTreeMap<String, usize> {
        let lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.iter().map(|(name, uids)| (name.clone(), uids.len())).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn note(lives: &mut Lives, pod: &Pod) {
    let (uids, uid) = (lives.entry(pod.name_any()).or_default(), pod.uid().unwrap_or_default());
    if !uids.contains(&uid) {
        uids.push(uid);
    }
}
