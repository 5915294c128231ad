//! The power of a node fails. Nobody can know that from outside: the node might as well be cut off and at work. So the
//! pod's identity is not given away. The status says why; a person who knows deletes the pod by force, or the node
//! comes back and ends it.

use anyhow::{Result, ensure};
use ordinal_tests::Witness;
use serde_json::json;

use crate::{
    place::Need,
    scene::{Scene, node_of},
};

use super::{Story, lost};

pub const STORY: Story = Story {
    name: "powered-off",
    tells: "the pod of a node without power is not replaced until a person forces it, or the node is back",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    scene.tell("kubia-1", "not to be lost").await?;
    let witness = Witness::of(scene);
    let nodes = scene.place().own_nodes()?;

    let before = scene.pod("kubia-1").await?;
    let node = nodes.node(node_of(&before)?)?;
    node.power_off()?;
    lost::is_told(scene, "kubia-1").await?;
    lost::keeps_its_name(scene, &before, &witness).await?;

    // A person has seen that the machine is off.
    lost::force(scene, "kubia-1").await?;
    let after = scene.replaced(&before).await?;
    ensure!(node_of(&after)? != node.name(), "kubia-1 is on the node that is off");
    ensure!(scene.ask("kubia-1", "/data").await? == "not to be lost", "kubia-1 has lost its data");
    let told = scene.testimony("kubia-1").await?;
    ensure!(!told.last_but_one_has_ended(), "the power did not fail: {told:#?}");
    node.power_on()?;
    scene.place().mend().await?;

    // The same again, and this time nobody does anything but to repair the machine.
    let node = nodes.node(node_of(&after)?)?;
    node.power_off()?;
    lost::is_told(scene, "kubia-1").await?;
    node.power_on()?;
    scene.replaced(&after).await?;
    scene.at_rest("kubia", 2).await?;
    ensure!(scene.ask("kubia-1", "/data").await? == "not to be lost", "kubia-1 has lost its data");
    scene.no_volume_had_two_writers(&["kubia-0", "kubia-1"]).await
}
