//! A cluster of real kubelets on this machine, made for one run and gone with it. The control plane runs on the machine
//! itself; each node has a network and places for its files of its own, so that whatever its programs write into
//! tables, mount or forget to remove is gone with them. A bridge joins the nodes.

mod cgroup;
mod leftovers;
mod node;
mod plane;
mod requirements;
mod tunables;

use std::{
    fs::DirBuilder,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::{Api, Client, ResourceExt, api::ListParams};
use ordinal_tests::{Look, binaries, control_plane::client_of, eventually, node::is_ready, scratch};

pub use leftovers::clean;
pub use node::Node;
use plane::Plane;
pub use requirements::{missing, packages};

/// Where all of it is, keys too, so nobody else may put anything there before us. One cluster at a time: bridge and addresses are
/// the machine's.
pub const WORK: &str = "/var/ordinal-e2e";

/// The bridge that joins the nodes, and the machine's address on it: that of the API server and the DNS server.
const BRIDGE: &str = "ordinal0";
const HOST: &str = "10.77.0.1";

/// Taken while a cluster is there.
const TURN: u16 = 26_442;

/// From the start of all processes to ready nodes: some six seconds on two idle cores.
const START: Duration = Duration::from_secs(180);

/// A running cluster. Dropping it takes it down.
pub struct OwnCluster {
    nodes: Vec<Node>,
    plane: Plane,
    logs: scratch::Scratch,
    _turn: TcpListener,
}

impl OwnCluster {
    /// Starts one with so many nodes. A failure keeps the logs and says where they are.
    pub async fn start(nodes: usize) -> Result<Self> {
        let turn = take_turn()?;
        let plane = Plane::new(binaries::folder().await?, binaries::nodes().await?);
        clean().context("cannot remove what an earlier run left")?;
        let mut cluster = Self { nodes: Vec::new(), plane, logs: scratch::Scratch::new()?, _turn: turn };
        match cluster.build(nodes).await {
            Ok(()) => Ok(cluster),
            Err(error) => Err(error.context(format!("the cluster does not start; {}", scratch::kept_note()))),
        }
    }

    async fn build(&mut self, nodes: usize) -> Result<()> {
        DirBuilder::new().mode(0o700).create(WORK).with_context(|| format!("cannot make {WORK}"))?;
        tunables::remember()?;
        node::make_bridge()?;
        self.plane.start(nodes, self.logs.path()).await?;
        for number in 1..=nodes {
            self.nodes.push(Node::start(number, &self.plane, self.logs.path())?);
        }
        self.ready().await
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        plane::kubeconfig("admin")
    }

    /// Where the logs of all programs are; gone with the cluster, unless something failed.
    pub fn logs(&self) -> &Path {
        self.logs.path()
    }

    /// Brings an image to every node.
    pub fn load(&self, archive: &Path) -> Result<()> {
        self.nodes.iter().try_for_each(|node| node.load(archive))
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.iter().find(|node| node.name() == name).with_context(|| format!("there is no node {name}"))
    }

    /// All nodes run and are reached again, whatever was done to them.
    pub async fn mend(&self) -> Result<()> {
        self.nodes.iter().try_for_each(Node::mend)?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        let client: Client = client_of(&self.kubeconfig()).await?;
        let nodes: Api<NodeObject> = Api::all(client);
        eventually(START, "all nodes are ready", async || {
            let listed = nodes.list(&ListParams::default()).await?;
            // The taint that a node begins with is taken away a little later.
            let tainted = |node: &NodeObject| node.spec.as_ref().is_some_and(|spec| spec.taints.is_some());
            let fit = listed.items.iter().filter(|node| is_ready(node) && !tainted(node));
            let ready: Vec<String> = fit.map(ResourceExt::name_any).collect();
            Ok(Look::when(ready.len() == self.nodes.len(), || format!("ready: {ready:?}")))
        })
        .await
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        self.nodes.clear();
        self.plane.stop();
        if let Err(error) = clean() {
            eprintln!("something is left of the cluster: {error:#}; make e2e-clean removes it");
        }
    }
}

/// Two runs would take each other's nodes for leftovers. A port that nobody is served on is a lock that goes with its
/// owner.
pub fn take_turn() -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, TURN))
        .with_context(|| format!("another make e2e is at work on this machine, or port {TURN} is taken"))
}
