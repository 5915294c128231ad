//! Nodes: most are played by kwok, some by the test itself.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::{
    api::core::v1::{Node, Pod},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::wait::{Look, eventually};

/// The label of a node that says who plays its kubelet.
pub const KUBELET_LABEL: &str = "test.ordinal.dev/kubelet";
/// Its value when kwok does.
pub const PLAYED_BY_KWOK: &str = "kwok";
const PLAYED_BY_TEST: &str = "test";

/// Creates nodes for kwok.
pub(crate) async fn create(client: &Client, count: usize) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    try_join_all((1..=count).map(|i| {
        let nodes = nodes.clone();
        async move {
            let node = object(&format!("node-{i}"), PLAYED_BY_KWOK, json!({}))?;
            nodes.create(&PostParams::default(), &node).await.with_context(|| format!("cannot create node-{i}"))
        }
    }))
    .await?;
    Ok(())
}

/// Waits until kwok has made them ready.
pub(crate) async fn all_ready(client: &Client, count: usize, within: Duration) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    eventually(within, "all nodes are ready", async || {
        let list = nodes.list(&ListParams::default()).await?;
        let ready = list.items.iter().filter(|node| is_ready(node)).count();
        Ok(Look::when(ready >= count, || format!("{ready} of {count} nodes are ready")))
    })
    .await
}

/// Whether a node says that it is ready.
pub fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A node whose kubelet the test plays, for moments that must be exact: nothing happens to its pods but what the test does.
/// Only pods that ask for it are scheduled there ([`HandPlayedNode::placement`]).
#[derive(Clone)]
pub struct HandPlayedNode {
    name: String,
    client: Client,
}

impl HandPlayedNode {
    /// Creates it. Names are for the whole control plane, so a test takes its namespace's.
    pub async fn create(client: Client, name: &str) -> Result<Self> {
        let nodes: Api<Node> = Api::all(client.clone());
        let taint = json!({"taints": [{"key": KUBELET_LABEL, "value": PLAYED_BY_TEST, "effect": "NoSchedule"}]});
        nodes
            .create(&PostParams::default(), &object(name, PLAYED_BY_TEST, taint)?)
            .await
            .with_context(|| format!("cannot create node {name}"))?;
        let room = json!({"cpu": "1000", "memory": "4Ti", "pods": "10000"});
        let status = json!({"status": {
            "capacity": room,
            "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }});
        nodes
            .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
            .await
            .with_context(|| format!("cannot make node {name} ready"))?;
        Ok(Self { name: name.to_owned(), client })
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fields for a pod's spec that bring it to this node, and no others there.
    pub fn placement(&self) -> Value {
        json!({
            "nodeSelector": {"kubernetes.io/hostname": self.name},
            "tolerations": [{"key": KUBELET_LABEL, "operator": "Exists"}],
        })
    }

    /// The pod runs and is ready.
    pub async fn ready(&self, namespace: &str, pod: &str) -> Result<()> {
        self.report(namespace, pod, "Running", true).await
    }

    /// The pod runs and is not ready.
    pub async fn running(&self, namespace: &str, pod: &str) -> Result<()> {
        self.report(namespace, pod, "Running", false).await
    }

    /// The pod has failed.
    pub async fn fail(&self, namespace: &str, pod: &str) -> Result<()> {
        self.report(namespace, pod, "Failed", false).await
    }

    /// The containers have ended, as a kubelet says before it lets a deleted pod go.
    pub async fn end(&self, namespace: &str, pod: &str) -> Result<()> {
        self.report(namespace, pod, "Succeeded", false).await
    }

    /// Lets a deleted pod go.
    pub async fn let_go(&self, namespace: &str, pod: &str) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        pods.delete(pod, &DeleteParams::default().grace_period(0))
            .await
            .with_context(|| format!("cannot let pod {namespace}/{pod} go"))?;
        Ok(())
    }

    async fn report(&self, namespace: &str, pod: &str, phase: &str, ready: bool) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let status = if ready { "True" } else { "False" };
        let now = Timestamp::now().to_string();
        let patch = json!({"status": {
            "phase": phase,
            "startTime": now,
            "conditions": [
                {"type": "Initialized", "status": "True", "lastTransitionTime": now},
                {"type": "ContainersReady", "status": status, "lastTransitionTime": now},
                {"type": "Ready", "status": status, "lastTransitionTime": now},
            ],
        }});
        pods.patch_status(pod, &PatchParams::default(), &Patch::Strategic(patch))
            .await
            .with_context(|| format!("cannot report {phase} for pod {namespace}/{pod}"))?;
        Ok(())
    }
}

fn object(name: &str, kubelet: &str, spec: Value) -> Result<Node> {
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {KUBELET_LABEL: kubelet, "kubernetes.io/hostname": name}},
        "spec": spec,
    });
    serde_json::from_value(node).context("cannot make a Node")
}
