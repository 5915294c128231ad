//! What stories of lost nodes share.

use anyhow::{Result, ensure};

use crate::scene::Scene;

/// The kubia set comes to tell of a pod whose node is lost.
pub async fn is_told(scene: &Scene, pod: &str) -> Result<()> {
    let why = scene.blocked("kubia", pod, "NodeLost").await?;
    ensure!(!why.is_empty(), "it does not say why");
    let told = scene.says("kubia", "Progressing", "WaitingForPod").await?;
    ensure!(told.contains(pod), "it says: {told}");
    Ok(())
}

/// Deletes a pod without asking its node, as a person does who takes the responsibility.
pub async fn force(scene: &Scene, pod: &str) -> Result<()> {
    scene.kubectl().ok(["delete", "pod", pod, "--force", "--grace-period=0", "--timeout=60s"]).await.map(drop)
}
