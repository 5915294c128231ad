//! The operator that leads is killed without a chance to say so. Its kubelet starts it again, the Lease runs out, one
//! of the two takes it, and what was asked for meanwhile is done.

use anyhow::{Result, ensure};
use ordinal_tests::Witness;
use serde_json::json;

use crate::{
    place::Need,
    scene::{Scene, container_of, node_of},
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
    let leader = release.leader("").await?;
    let restarts = release.restarts(&leader).await?;

    place.own_nodes()?.node(node_of(&leader)?)?.kill_container(container_of(&leader)?)?;
    // At this moment nobody leads.
    scene.scale("kubia", 2).await?;
    scene.at_rest("kubia", 2).await?;

    release.rolled_out().await?;
    let again = release.restarts(&leader).await?;
    ensure!(again == restarts + 1, "one container was killed, and {} were started again", again - restarts);
    let lives = witness.lives();
    ensure!(lives.values().all(|count| *count == 1), "a pod was replaced: {lives:?}");
    Ok(())
}
