//! What stories of lost nodes share.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use ordinal_tests::Witness;

use crate::scene::Scene;

/// Many times what the operator takes to replace a pod that is gone.
const A_WHILE: Duration = Duration::from_secs(10);

/// The kubia set comes to tell of a pod whose node is lost.
pub async fn is_told(scene: &Scene, pod: &str) -> Result<()> {
    let why = scene.blocked("kubia", pod, "NodeLost").await?;
    ensure!(!why.is_empty(), "it does not say why");
    let told = scene.says("kubia", "Progressing", "WaitingForPod").await?;
    ensure!(told.contains(pod), "it says: {told}");
    Ok(())
}

/// The name of a lost pod is given to no other: the pod stays, marked for deletion, and is the only one that there ever was.
pub async fn keeps_its_name(scene: &Scene, pod: &Pod, witness: &Witness) -> Result<()> {
    tokio::time::sleep(A_WHILE).await;
    let (name, now) = (pod.name_any(), scene.pod(&pod.name_any()).await?);
    ensure!(now.uid() == pod.uid(), "{name} is another pod");
    ensure!(now.metadata.deletion_timestamp.is_some(), "{name} is not Terminating");
    ensure!(witness.lives().get(&name) == Some(&1), "{name} was given away: {:?}", witness.lives());
    Ok(())
}

/// Deletes a pod without asking its node, as a person does who takes the responsibility.
pub async fn force(scene: &Scene, pod: &str) -> Result<()> {
    scene.kubectl().ok(["delete", "pod", pod, "--force", "--grace-period=0", "--timeout=180s"]).await.map(drop)
}
