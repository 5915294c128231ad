//! A claim that nobody serves: the set says which claim its pod waits for, in the scheduler's own words, and goes on by
//! itself once there is a volume.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    place::{MADE_HERE, Need, VOLUMES},
    scene::Scene,
};

use super::Story;

pub const STORY: Story = Story {
    name: "pending-claim",
    tells: "a claim without class stays pending: the set tells the scheduler's reason, and goes on with a volume",
    needs: &[Need::SharedDisk],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    // No class, not even the default one.
    scene.kubia(&[("replicas", json!(1)), ("claim.spec.storageClassName", json!(""))]).await?;
    let told = scene.blocked("kubia", "kubia-0", "ClaimPending").await?;
    ensure!(
        told.contains("data-kubia-0 is not bound") && told.contains("unbound immediate PersistentVolumeClaims"),
        "it says: {told}"
    );

    // For this claim alone: others without a class may wait in this cluster too.
    let claim = json!({"namespace": scene.name(), "name": "data-kubia-0"});
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": scene.name(), "labels": {MADE_HERE: "scene"}},
        "spec": {
            "capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "claimRef": claim,
            "hostPath": {"path": format!("{VOLUMES}/{}", scene.name()), "type": "DirectoryOrCreate"},
        },
    });
    scene.kubectl().apply(&volume.to_string()).await?;
    scene.at_rest("kubia", 1).await
}
