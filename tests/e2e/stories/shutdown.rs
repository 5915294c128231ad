//! A machine is shut down, and its kubelet is told in time. It ends its pods, takes no more, and
//! the set makes them anew on the nodes that are left.

use anyhow::{Result, ensure};
use serde_json::json;

use ordinal_tests::{Look, Witness};

use crate::{
    place::Need,
    scene::{LATER, SOON, Scene, node_of},
};

use super::Story;

pub const STORY: Story = Story {
    name: "shutdown",
    tells: "a node that is shut down in good order ends its pods, and they come back elsewhere with their data",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    // As long as elsewhere: the control plane here is so hasty that it would delete them before their kubelet is done.
    let tolerate = |taint: &str| {
        json!({"key": format!("node.kubernetes.io/{taint}"), "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 300})
    };
    let tolerations = json!([tolerate("not-ready"), tolerate("unreachable")]);
    scene.kubia(&[("replicas", json!(2)), ("pod.tolerations", tolerations)]).await?;
    scene.at_rest("kubia", 2).await?;
    scene.tell("kubia-1", "to be moved").await?;
    let before = scene.pod("kubia-1").await?;
    let node = scene.place().own_nodes()?.node(node_of(&before)?)?;
    let witness = Witness::of(scene);

    node.announce_shutdown()?;
    scene
        .eventually(SOON, "kubia-1 is ended by its kubelet", async || {
            Ok(Look::when(witness.has_ended(&before), || "it has not ended".to_owned()))
        })
        .await?;
    // Before the node's taint is there, one or another new pod may be sent to it, which it refuses.
    let after = scene.replaced_within(LATER, &before).await?;
    ensure!(node_of(&after)? != node.name(), "kubia-1 is on the node that is shut down");
    node.power_off()?;
    scene.at_rest("kubia", 2).await?;
    let told = scene.testimony("kubia-1").await?;
    ensure!(told.last_but_one_has_ended(), "kubia-1 was cut off: {told:#?}");
    ensure!(scene.ask("kubia-1", "/data").await? == "to be moved", "kubia-1 has lost its data");
    scene.no_volume_had_two_writers(&["kubia-0", "kubia-1"]).await
}
