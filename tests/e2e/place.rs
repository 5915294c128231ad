//! Where the stories play: a cluster of our own, or one that is given. The operator comes by helm, as its users install
//! it, and goes in the end.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, ResourceExt, api::ListParams};
use ordinal_tests::{
    Kubectl, binaries,
    control_plane::client_of,
    install,
    scratch::{Scratch, keep_all, kept_note},
};

use crate::{
    own::{self, OwnCluster},
    release::Release,
};

/// The label of all namespaces and volumes that the stories make, and of nodes that they treat.
pub const MADE_HERE: &str = "test.ordinal.dev/e2e";

/// The taint by which a story evicts pods, and the one by which a person tells that a node is certainly off.
pub const EVICT: &str = "test.ordinal.dev/evict";
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The folder of volumes that stories make by hand, on whatever node they are used.
pub const VOLUMES: &str = "/var/ordinal-e2e/volumes";

/// What images are called where the stories bring them: see images.sh.
const BROUGHT: &str = "ordinal.test";

const IMAGES: [&str; 4] = ["busybox", "etcd", "kubia", "ordinal"];

/// A pod per node, and one that goes from one to another.
const NODES: usize = 3;

/// What a story cannot do without.
#[derive(Clone, Copy)]
pub enum Need {
    /// Nodes that can be switched off.
    OwnNodes,
    /// Volumes that are the same on whatever node they are used.
    SharedDisk,
    /// So many nodes.
    Nodes(usize),
}

/// A cluster with the operator in it.
pub struct Place {
    kubeconfig: PathBuf,
    kubectl: Kubectl,
    client: Client,
    images: String,
    nodes: Vec<String>,
    release: Release,
    // After all that talks to it.
    own: Option<OwnCluster>,
    /// Of kubectl's cache.
    _scratch: Scratch,
}

impl Place {
    /// Makes a cluster of three nodes.
    pub async fn own() -> Result<Self> {
        let missing = own::missing();
        ensure!(missing.is_empty(), "{}", missing.join("\n"));
        let archives = binaries::build("tests/e2e/images.sh", &IMAGES).await?;
        let cluster = OwnCluster::start(NODES).await?;
        let furnished = async {
            for image in IMAGES {
                cluster.load(&archives.join(format!("{image}.tar")))?;
            }
            let kubectl = binaries::folder().await?.join("kubectl");
            let (kubeconfig, scratch) = (cluster.kubeconfig(), Scratch::new()?);
            install::storage_class(&Kubectl::new(kubectl.clone(), kubeconfig.clone(), scratch.path())).await?;
            Self::furnish(kubectl, kubeconfig, BROUGHT.to_owned(), scratch).await
        };
        // As long as the cluster is there, its logs can be kept.
        let place = furnished.await.map_err(|error| error.context(kept_note()))?;
        Ok(Self { own: Some(cluster), ..place })
    }

    /// Takes a cluster that has, or finds, our images under names that begin with `images`.
    pub async fn given(kubeconfig: PathBuf, images: Option<String>) -> Result<Self> {
        let images = images.unwrap_or_else(|| BROUGHT.to_owned());
        Self::furnish(binaries::kubectl().await?, kubeconfig, images, Scratch::new()?).await
    }

    async fn furnish(kubectl: PathBuf, kubeconfig: PathBuf, images: String, scratch: Scratch) -> Result<Self> {
        let client = client_of(&kubeconfig).await?;
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await;
        let nodes = nodes.context("the cluster does not answer")?.items;
        let takes_pods = |node: &Node| {
            // A cordon is a taint, too.
            let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
            taints.iter().all(|taint| taint.effect == "PreferNoSchedule")
        };
        let nodes = nodes.iter().filter(|node| takes_pods(node)).map(ResourceExt::name_any).collect();
        let kubectl = Kubectl::new(kubectl, kubeconfig.clone(), scratch.path());
        let release = Release::install(&kubeconfig, &kubectl, &images).await?;
        Ok(Self { kubeconfig, kubectl, client, images, nodes, release, own: None, _scratch: scratch })
    }

    /// Why a story cannot be played here.
    pub fn lacks(&self, need: Need) -> Option<String> {
        match need {
            Need::OwnNodes if self.own.is_none() => Some("its nodes are not ours to switch off".to_owned()),
            Need::SharedDisk if !self.has_shared_disk() => Some("volumes stay on their nodes here".to_owned()),
            Need::Nodes(wanted) if self.nodes.len() < wanted => {
                Some(format!("{} nodes take pods here, and {wanted} are needed", self.nodes.len()))
            }
            _ => None,
        }
    }

    /// Whether a volume is the same on every node.
    fn has_shared_disk(&self) -> bool {
        self.own.is_some() || self.nodes.len() == 1
    }

    /// A cluster of our own.
    pub fn own_nodes(&self) -> Result<&OwnCluster> {
        self.own.as_ref().context("the nodes are not ours")
    }

    /// The name of one of our images here.
    pub fn image(&self, name: &str) -> String {
        // Others have a registry with the usual tools.
        if name == "busybox" && self.own.is_none() {
            return "docker.io/library/busybox:1.37".to_owned();
        }
        format!("{}/{name}:1", self.images)
    }

    /// That of who has all rights.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl in no namespace.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// A client with the rights of kubectl.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The operator.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Whatever a story has done to nodes is undone, and both operators work again.
    pub async fn mend(&self) -> Result<()> {
        mend_nodes(&self.kubectl).await?;
        if let Some(own) = &self.own {
            own.mend().await?;
        }
        self.release.rolled_out().await
    }

    /// Cordons, drains or taints a node by kubectl, in a way that is undone after the story.
    pub async fn treat_node(&self, node: &str, order: &[&str], args: &[&str]) -> Result<()> {
        self.kubectl.ok(["label", "node", node, &format!("{MADE_HERE}=treated"), "--overwrite"]).await?;
        self.kubectl.ok([order, &[node], args].concat()).await.map(drop)
    }

    /// Says where the logs are that tell of a failure: those of a given cluster are its own.
    pub fn kept(&self) -> String {
        self.own.as_ref().map(|_| format!("; {}", kept_note())).unwrap_or_default()
    }

    /// Takes away what was brought to a cluster that stays; our own goes as a whole.
    pub async fn leave(&self, failed: bool) -> Result<()> {
        if failed && let Some(own) = &self.own {
            keep_all();
            std::fs::write(own.logs().join("operator.log"), self.release.log().await?)?;
        }
        if self.own.is_some() { Ok(()) } else { self.release.uninstall().await }
    }
}

/// Nodes that stories have treated take pods again. Whatever others have done to theirs stays.
async fn mend_nodes(kubectl: &Kubectl) -> Result<()> {
    let nodes = kubectl.ok(["get", "nodes", &format!("--selector={MADE_HERE}=treated"), "-o", "name"]).await?;
    for node in nodes.lines().filter_map(|node| node.strip_prefix("node/")) {
        kubectl.ok(["uncordon", node]).await?;
        for taint in [EVICT, OUT_OF_SERVICE] {
            let output = kubectl.run(["taint", "node", node, &format!("{taint}-")]).await?;
            // kubectl takes it for a failure that there is none.
            let done = output.code == 0 || output.stderr.contains("not found");
            ensure!(done, "the taint {taint} of {node} is not taken away: {}", output.stderr);
        }
        kubectl.ok(["label", "node", node, &format!("{MADE_HERE}-")]).await?;
    }
    Ok(())
}

/// Removes what an interrupted run has left in a given cluster.
pub async fn clean(kubeconfig: &Path) -> Result<()> {
    let scratch = Scratch::new()?;
    let kubectl = Kubectl::new(binaries::kubectl().await?, kubeconfig.to_owned(), scratch.path());
    mend_nodes(&kubectl).await?;
    for kinds in ["namespace", "persistentvolume"] {
        let scenes = format!("--selector={MADE_HERE}=scene");
        kubectl.ok(["delete", kinds, &scenes, "--timeout=180s"]).await?;
    }
    Release::find(kubeconfig, &kubectl).await?.uninstall().await
}
