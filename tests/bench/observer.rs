//! A watch of sets, of either kind: what they say of themselves.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use futures::StreamExt;
use kube::{
    Api, ResourceExt,
    core::Object,
    runtime::{WatchStreamExt, watcher},
};
use ordinal_tests::{Namespace, twins::Kind};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinHandle};

/// The part of a set that is looked at.
pub type Set = Object<Spec, Status>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spec {
    #[serde(default)]
    replicas: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    observed_generation: i64,
    replicas: i64,
    ready_replicas: i64,
    available_replicas: i64,
    updated_replicas: i64,
    current_revision: String,
    update_revision: String,
}

/// What is known of a set.
pub struct Seen(Set);

impl Seen {
    /// Whether this version of its spec or a later one is fulfilled, as `kubectl rollout status` would have it.
    pub fn is_done(&self, generation: i64, replicas: i64) -> bool {
        let Some(status) = &self.0.status else { return false };
        let pods = [status.replicas, status.ready_replicas, status.available_replicas, status.updated_replicas];
        self.0.spec.replicas == replicas
            && self.0.metadata.generation >= Some(generation)
            && Some(status.observed_generation) == self.0.metadata.generation
            && pods.iter().all(|count| *count == replicas)
            && status.current_revision == status.update_revision
    }
}

/// The watch.
pub struct Observer {
    sets: watch::Receiver<BTreeMap<String, Seen>>,
    task: JoinHandle<()>,
}

impl Observer {
    /// Watches the sets of a namespace whose names begin so.
    pub fn of(kind: Kind, namespace: &Namespace, prefix: &'static str) -> Self {
        let api: Api<Set> = Api::namespaced_with(namespace.client(), namespace.name(), &kind.resource());
        let (sender, sets) = watch::channel(BTreeMap::new());
        let task = tokio::spawn(async move {
            let mut events =
                std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
            while let Some(event) = events.next().await {
                match event {
                    Ok(set) if set.name_any().starts_with(prefix) => {
                        sender.send_modify(|sets| drop(sets.insert(set.name_any(), Seen(set))));
                    }
                    Ok(_) => {}
                    Err(error) => eprintln!("the watch of sets failed, trying again: {error}"),
                }
            }
        });
        Self { sets, task }
    }

    /// Waits until there are so many sets, and all of them are so.
    pub async fn wait(&self, count: usize, are: impl Fn(&Seen) -> bool) -> Result<()> {
        let mut sets = self.sets.clone();
        sets.wait_for(|sets| sets.len() == count && sets.values().all(&are))
            .await
            .context("the watch of sets ended")?;
        Ok(())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
