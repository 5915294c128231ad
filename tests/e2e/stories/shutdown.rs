//! A machine is shut down, and its kubelet is told in time. It ends its pods, which then say Failed, takes no more, and
//! the set makes them anew on the nodes that are left.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    place::Need,
    scene::{LATER, Scene, node_of},
};
use kube::ResourceExt;
use ordinal_tests::{Look, namespace::is_ready};

use super::Story;

pub const STORY: Story = Story {
    name: "shutdown",
    tells: "a node that is shut down in good order ends its pods, and they come back elsewhere with their data",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    scene.tell("kubia-1", "to be moved").await?;
    let before = scene.pod("kubia-1").await?;
    let node = scene.place().own_nodes()?.node(node_of(&before)?)?;

    node.announce_shutdown()?;
    // Before the node's taint is there, one or another new pod may be sent to it, which it refuses.
    scene
        .eventually(LATER, "kubia-1 is ready on another node", async || {
            let Some(pod) = scene.pods().get_opt("kubia-1").await? else {
                return Ok(Look::NotYet("there is none".to_owned()));
            };
            let there = pod.uid() != before.uid() && is_ready(&pod) && node_of(&pod)? != node.name();
            Ok(Look::when(there, || ordinal_tests::namespace::describe(&pod)))
        })
        .await?;
    node.power_off()?;
    scene.at_rest("kubia", 2).await?;
    ensure!(scene.ask("kubia-1", "/data").await? == "to be moved", "kubia-1 has lost its data");
    scene.no_volume_had_two_writers(&["kubia-0", "kubia-1"]).await
}
