//! A person tells the cluster that a node is certainly off, by the taint out-of-service. Then its pods are deleted by
//! force, by Kubernetes itself, and the set makes them anew on other nodes.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    place::{Need, OUT_OF_SERVICE},
    scene::{LATER, Scene, node_of},
};

use super::{Story, lost};

pub const STORY: Story = Story {
    name: "out-of-service",
    tells: "with the taint out-of-service a lost node's pods come back elsewhere without anybody's force",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    scene.tell("kubia-1", "not to be lost").await?;
    let before = scene.pod("kubia-1").await?;
    let node = scene.place().own_nodes()?.node(node_of(&before)?)?;
    node.power_off()?;
    lost::is_told(scene, "kubia-1").await?;

    let taint = format!("{OUT_OF_SERVICE}=nodeshutdown:NoExecute");
    scene.place().treat_node(&node.name(), &["taint", "node"], &[&taint]).await?;
    // The collector of pods looks every 20 s.
    let after = scene.replaced_within(LATER, &before).await?;
    ensure!(node_of(&after)? != node.name(), "kubia-1 is on the node that is off");
    ensure!(scene.ask("kubia-1", "/data").await? == "not to be lost", "kubia-1 has lost its data");
    scene.no_volume_had_two_writers(&["kubia-0", "kubia-1"]).await
}
