//! In which order pods were told to go.

use std::{
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
use ordinal_tests::Namespace;
use tokio::task::JoinHandle;

/// UID and name of each.
type Seen = Vec<(String, String)>;

/// A watch of a namespace's pods.
pub struct Goings {
    seen: Arc<Mutex<Seen>>,
    watch: JoinHandle<()>,
}

impl Goings {
    /// Begins to watch.
    pub fn of(ns: &Namespace) -> Self {
        let seen = Arc::new(Mutex::new(Seen::new()));
        let (all, pods) = (seen.clone(), ns.pods());
        let watch = tokio::spawn(async move {
            let mut events = pin!(watcher(pods, watcher::Config::default()).default_backoff());
            while let Some(event) = events.next().await {
                let going = match event {
                    Ok(Event::Apply(pod)) if pod.metadata.deletion_timestamp.is_some() => pod,
                    Ok(Event::Delete(pod)) => pod,
                    _ => continue,
                };
                note(&mut all.lock().unwrap_or_else(PoisonError::into_inner), &going);
            }
        });
        Self { seen, watch }
    }

    /// Their names, in that order.
    pub fn names(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(_, name)| name.clone()).collect()
    }
}

impl Drop for Goings {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn note(seen: &mut Seen, pod: &Pod) {
    let uid = pod.uid().unwrap_or_default();
    if seen.iter().all(|(known, _)| *known != uid) {
        seen.push((uid, pod.name_any()));
    }
}
