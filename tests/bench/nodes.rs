//! Nodes that cost next to nothing: a pod is ready at once after its creation and gone at once after its deletion, by one
//! call each. kwok takes three, and more CPU than either contestant; on a small machine it would be what is measured.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::{api::core::v1 as core, jiff::Timestamp};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    runtime::{WatchStreamExt, watcher},
};
use ordinal_api::lite::Pod;
use ordinal_tests::HandPlayedNode;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinHandle};

/// Calls at a time; each has a connection.
const AT_A_TIME: usize = 32;

/// The node. Dropping it leaves its pods alone.
pub struct Nodes {
    name: String,
    player: JoinHandle<()>,
}

impl Nodes {
    /// Makes the node and plays it.
    pub async fn play(client: Client) -> Result<Self> {
        let name = HandPlayedNode::create(client.clone(), "bench").await?.name().to_owned();
        let player = tokio::spawn(play(client, name.clone()));
        Ok(Self { name, player })
    }

    /// Fields for a pod's spec that put it there, without a scheduler.
    pub fn placement(&self) -> Value {
        json!({"nodeName": self.name})
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.player.abort();
    }
}

/// What has been done for a pod: each only once, whatever else changes in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    Started,
    Stopped,
}

async fn play(client: Client, node: String) {
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let mut events = std::pin::pin!(watcher(Api::<Pod>::all(client.clone()), config).default_backoff());
    let slots = Arc::new(Semaphore::new(AT_A_TIME));
    let mut done: HashMap<String, Done> = HashMap::new();
    while let Some(event) = events.next().await {
        let pod = match event {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => pod,
            Ok(watcher::Event::Delete(pod)) => {
                done.remove(&pod.metadata.uid.unwrap_or_default());
                continue;
            }
            Ok(_) => continue,
            Err(error) => {
                eprintln!("the nodes' watch failed, trying again: {error}");
                continue;
            }
        };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let next = if pod.metadata.deletion_timestamp.is_some() { Done::Stopped } else { Done::Started };
        if done.get(&uid).is_some_and(|before| *before >= next) {
            continue;
        }
        done.insert(uid.clone(), next);
        let (client, slots) = (client.clone(), slots.clone());
        tokio::spawn(async move {
            let _slot = slots.acquire_owned().await;
            if let Err(error) = act(client, &pod, uid, next).await {
                eprintln!("{error:#}");
            }
        });
    }
}

async fn act(client: Client, pod: &Pod, uid: String, what: Done) -> Result<()> {
    let (namespace, name) = (pod.metadata.namespace.as_deref(), pod.metadata.name.as_deref());
    let (namespace, name) = namespace.zip(name).context("a pod without a name")?;
    let pods: Api<core::Pod> = Api::namespaced(client, namespace);
    let answer = match what {
        Done::Started => {
            let params = PatchParams::default();
            pods.patch_status(name, &params, &Patch::Merge(running(&uid))).await.map(drop)
        }
        Done::Stopped => {
            let exactly = Preconditions { uid: Some(uid), resource_version: None };
            pods.delete(name, &DeleteParams::default().grace_period(0).preconditions(exactly)).await.map(drop)
        }
    };
    match answer {
        // It was deleted, and let go, before it could start.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        answer => answer.with_context(|| format!("cannot play pod {namespace}/{name}")),
    }
}

fn running(uid: &str) -> Value {
    let now = Timestamp::now();
    let condition = |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": now});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({
        "metadata": {"uid": uid},
        "status": {"phase": "Running", "startTime": now, "conditions": conditions},
    })
}
