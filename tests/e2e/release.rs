//! The operator in the cluster: a release of the chart.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, Client, ResourceExt, api::PostParams};
use ordinal_tests::{
    Kubectl, Look,
    control_plane::client_of,
    eventually,
    helm::{CHART, Helm},
};
use serde_json::json;

use crate::place::MADE_HERE;

/// Not the usual one: that may be somebody's.
const NAMESPACE: &str = "ordinal-e2e";
const CRD: &str = "ordinalsets.apps.ordinal.dev";

/// A Lease that is not renewed is taken over after its 15 s.
pub const TAKE_OVER: Duration = Duration::from_secs(60);

/// A kubelet knows its pods by then.
const LOG: Duration = Duration::from_secs(60);

pub struct Release {
    helm: Helm,
    kubectl: Kubectl,
    client: Client,
}

impl Release {
    /// A release that is there, or not.
    pub async fn find(kubeconfig: &Path, kubectl: &Kubectl) -> Result<Self> {
        let (helm, client) = (Helm::of(kubeconfig).await?, client_of(kubeconfig).await?);
        Ok(Self { helm, kubectl: kubectl.in_namespace(NAMESPACE), client })
    }

    /// Installs it into a namespace whose Pod Security is "restricted", and waits until both operators are ready.
    pub async fn install(kubeconfig: &Path, kubectl: &Kubectl, images: &str) -> Result<Self> {
        let release = Self::find(kubeconfig, kubectl).await?;
        let there = kubectl.ok(["get", "crd", CRD, "--ignore-not-found", "-o", "name"]).await?;
        ensure!(
            there.is_empty(),
            "this cluster has Ordinal already, and the stories bring their own; if it is an earlier run's, make e2e-clean removes it"
        );
        let labels = json!({MADE_HERE: "operator", "pod-security.kubernetes.io/enforce": "restricted"});
        let namespace = json!({"metadata": {"name": NAMESPACE, "labels": labels}});
        let namespace: Namespace = serde_json::from_value(namespace)?;
        let namespaces: Api<Namespace> = Api::all(release.client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.context("cannot make the operator's namespace")?;
        // Without keep, the kind goes with the release: nothing of this shall stay.
        let values = format!("--set=image.repository={images}/ordinal,crds.keep=false");
        let installed = match release.helm(&["install", "ordinal", CHART, &values, "--set-string=image.tag=1"]).await {
            Ok(()) => release.rolled_out().await,
            Err(error) => Err(error),
        };
        match installed {
            Ok(()) => Ok(release),
            Err(error) => {
                let told = release.kubectl.run(["describe", "pods"]).await?.stdout;
                let left = release.uninstall().await.err().map(|left| format!("\nand it does not go: {left:#}"));
                Err(error.context(format!("the operator does not start:\n{told}{}", left.unwrap_or_default())))
            }
        }
    }

    /// Changes values of the release.
    pub async fn upgrade(&self, values: &str) -> Result<()> {
        let values = format!("--set={values}");
        self.helm(&["upgrade", "ordinal", CHART, "--reuse-values", &values]).await
    }

    /// Waits until all operators are those that are declared, and ready, and one of them leads.
    pub async fn rolled_out(&self) -> Result<()> {
        self.kubectl.ok(["rollout", "status", "deployment/ordinal", "--timeout=180s"]).await?;
        self.leader("").await.map(drop)
    }

    /// Removes it with its namespace and the kind, if the namespace is ours.
    pub async fn uninstall(&self) -> Result<()> {
        let made_here = format!("--selector={MADE_HERE}=operator");
        let ours = self.kubectl.ok(["get", "namespaces", &made_here, "-o", "name"]).await?;
        if ours.trim() != format!("namespace/{NAMESPACE}") {
            return Ok(());
        }
        self.helm(&["uninstall", "ordinal", "--ignore-not-found", "--wait"]).await?;
        self.kubectl.ok(["delete", "namespace", NAMESPACE, "--timeout=180s"]).await.map(drop)
    }

    /// The pod that holds the Lease, other than one that did.
    pub async fn leader(&self, other_than: &str) -> Result<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        eventually(TAKE_OVER, "an operator leads", async || {
            let holder = self.kubectl.ok(["get", "lease", "ordinal", "-o", "jsonpath={.spec.holderIdentity}"]).await?;
            let name = holder.split('_').next().unwrap_or_default();
            let pod = if name.is_empty() { None } else { pods.get_opt(name).await? };
            Ok(match pod {
                Some(pod) if name != other_than => Look::Done(pod),
                _ => Look::NotYet(format!("the Lease is held by {holder:?}")),
            })
        })
        .await
    }

    /// How often an operator's container has been started again.
    pub async fn restarts(&self, operator: &Pod) -> Result<i32> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let pod = pods.get(&operator.name_any()).await.context("the operator's pod is gone")?;
        let containers = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
        Ok(containers.iter().map(|container| container.restart_count).sum())
    }

    /// What the operators that run have logged; of a container that was started again, since then.
    pub async fn log(&self) -> Result<String> {
        let (ours, running) = ("--selector=app.kubernetes.io/name=ordinal", "--field-selector=status.phase=Running");
        // A kubelet that has just started does not know its pods yet.
        eventually(LOG, "the operators' logs can be read", async || {
            let pods = self.kubectl.ok(["get", "pods", ours, running, "-o", "name"]).await?;
            let mut all = String::new();
            for pod in pods.lines() {
                all += &self.kubectl.ok(["logs", pod, "--prefix"]).await?;
            }
            Ok(Look::Done(all))
        })
        .await
    }

    /// The rights that the chart grants were enough.
    pub async fn was_refused_nothing(&self) -> Result<()> {
        let log = self.log().await?;
        ensure!(log.contains("starting"), "the operators' logs are not all there: {log:?}");
        // Others are forbidden something too: a namespace that is being deleted takes no new pods.
        let refused = |line: &&str| line.contains("cannot") && line.contains("in API group");
        match log.lines().find(refused) {
            Some(line) => bail!("the operator has not the right to all that it does: {line}"),
            None => Ok(()),
        }
    }

    async fn helm(&self, args: &[&str]) -> Result<()> {
        let namespace = format!("--namespace={NAMESPACE}");
        self.helm.run(&[args, &[namespace.as_str()]].concat()).await.map(drop)
    }
}
