//! What a cluster holds before a test begins: our CRD, our permissions, a default StorageClass.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    binaries::repository,
    kubectl::Kubectl,
    wait::{Look, eventually},
};

/// Within milliseconds, unless the machine is busy.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// Installs crds/ as a user would.
pub async fn crds(kubectl: &Kubectl) -> Result<()> {
    crds_from(repository(), kubectl).await
}

/// Installs the crds/ of a checkout.
pub async fn crds_from(checkout: &Path, kubectl: &Kubectl) -> Result<()> {
    let folder = checkout.join("crds").display().to_string();
    kubectl.ok(["apply", "-f", &folder]).await.context("cannot install the CRDs")?;
    // kubectl wait fails at once on a CRD so fresh that it has no condition at all.
    eventually(ESTABLISHED, "the CRDs are established", async || {
        kubectl.ok(["wait", "--for=condition=Established", "--timeout=10s", "-f", &folder]).await?;
        // An API server serves a new kind only when it has a cache of it.
        kubectl.ok(["get", "ordinalsets", "--all-namespaces"]).await.map(|_| Look::Done(()))
    })
    .await
}

/// Installs deploy/manifests but for the Deployment: the operator runs as a process of the test, with the same permissions.
pub async fn operator_permissions(kubectl: &Kubectl) -> Result<()> {
    permissions_from(&repository().join("deploy/manifests"), kubectl).await
}

/// Installs deploy/adoption.yaml: what else the operator needs to take StatefulSets over.
pub async fn adoption_permissions(kubectl: &Kubectl) -> Result<()> {
    permissions(&repository().join("deploy/adoption.yaml"), kubectl).await
}

/// The same of other manifests.
pub async fn permissions_from(manifests: &Path, kubectl: &Kubectl) -> Result<()> {
    permissions(&manifests.join("ordinal.yaml"), kubectl).await
}

async fn permissions(path: &Path, kubectl: &Kubectl) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&text).with_context(|| format!("cannot parse {}", path.display()))?;
    let objects: Vec<Value> = objects.into_iter().filter(|object| object["kind"] != "Deployment").collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    kubectl.apply(&list.to_string()).await.context("cannot install the operator's permissions")?;
    Ok(())
}

/// A default StorageClass, so that claims without a class are bound by kube-controller-manager itself. Its provisioner makes
/// an empty folder per volume in /tmp/hostpath_pv and removes it with the volume.
pub async fn storage_class(kubectl: &Kubectl) -> Result<()> {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/host-path",
        "volumeBindingMode": "Immediate",
        "reclaimPolicy": "Delete",
    });
    kubectl.apply(&class.to_string()).await.context("cannot make the default StorageClass")?;
    Ok(())
}
