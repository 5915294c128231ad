//! Data that goes where its name goes: a pod that comes back on another node has its volume there.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    place::Need,
    scene::{Scene, node_of},
};

use super::Story;

pub const STORY: Story = Story {
    name: "moved",
    tells: "a pod whose node takes no more pods comes back on another one, and its data with it",
    needs: &[Need::Nodes(2), Need::SharedDisk],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(1))]).await?;
    scene.at_rest("kubia", 1).await?;
    scene.tell("kubia-0", "to be taken along").await?;

    let before = scene.pod("kubia-0").await?;
    scene.place().treat_node(node_of(&before)?, &["cordon"], &[]).await?;
    scene.delete_pod("kubia-0").await?;
    let after = scene.replaced(&before).await?;
    ensure!(node_of(&after)? != node_of(&before)?, "kubia-0 is on a node that takes no pods");
    ensure!(scene.ask("kubia-0", "/data").await? == "to be taken along", "kubia-0 has lost its data");
    scene.no_volume_had_two_writers(&["kubia-0"]).await
}
