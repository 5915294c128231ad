//! The operator that leads is killed without a chance to say so. Its kubelet starts it again, the Lease runs out, one
//! of the two takes it, and what was asked for meanwhile is done.

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use ordinal_tests::Witness;
use serde_json::json;

use crate::{
    place::Need,
    scene::{Scene, node_of},
};

use super::Story;

pub const STORY: Story = Story {
    name: "operator-killed",
    tells: "the leading operator's container is killed: the set is looked after again, and no pod is touched",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(1))]).await?;
    scene.at_rest("kubia", 1).await?;
    let (place, witness) = (scene.place(), Witness::of(scene));
    let release = place.release();
    let (leader, restarts) = (release.leader("").await?, release.restarts().await?);

    let containers = leader.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let id = containers.and_then(|all| all.first()?.container_id.as_deref()?.strip_prefix("containerd://"));
    let id = id.with_context(|| format!("{} has no container", leader.name_any()))?;
    place.own_nodes()?.node(node_of(&leader)?)?.kill_container(id)?;
    // At this moment nobody leads.
    scene.scale("kubia", 2).await?;
    scene.at_rest("kubia", 2).await?;

    release.rolled_out().await?;
    let again = release.restarts().await?;
    ensure!(again == restarts + 1, "one container was killed, and {} were started again", again - restarts);
    let lives = witness.lives();
    ensure!(lives.values().all(|count| *count == 1), "a pod was replaced: {lives:?}");
    Ok(())
}
