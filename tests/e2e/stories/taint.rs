//! A taint that evicts: the pods of a node end in good order, and come back where they are borne.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    place::{EVICT, Need},
    scene::{Scene, node_of},
};

use super::Story;

pub const STORY: Story = Story {
    name: "taint",
    tells: "pods that a taint evicts end in good order and come back on another node with their data",
    needs: &[Need::SharedDisk, Need::Nodes(2)],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    scene.tell("kubia-0", "to be moved").await?;
    let before = scene.pod("kubia-0").await?;
    let node = node_of(&before)?;

    scene.place().treat_node(node, &["taint", "node"], &[&format!("{EVICT}=now:NoExecute")]).await?;
    let after = scene.replaced(&before).await?;
    ensure!(node_of(&after)? != node, "kubia-0 is on {node} again");
    scene.at_rest("kubia", 2).await?;
    let told = scene.testimony("kubia-0").await?;
    ensure!(told.last_but_one_has_ended(), "the evicted kubia-0 was cut off: {told:#?}");
    ensure!(scene.ask("kubia-0", "/data").await? == "to be moved", "kubia-0 has lost its data");
    scene.no_volume_had_two_writers(&["kubia-0", "kubia-1"]).await
}
