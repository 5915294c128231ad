//! A node is cut off. Its containers know nothing of that: kubia-1 goes on writing to its volume, while the control
//! plane takes its node for lost. A second kubia-1 would write there too, which this program would notice. There is
//! none, until a person forces it.

use anyhow::{Result, ensure};
use ordinal_tests::{Look, Witness};
use serde_json::json;

use crate::{
    own::Node,
    place::Need,
    scene::{SOON, Scene, address_of, node_of},
};

use super::{Story, lost};

pub const STORY: Story = Story {
    name: "unplugged",
    tells: "a node is cut off: its pod works on and gets no twin; two writers, made by force, would be seen",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    let witness = Witness::of(scene);
    let nodes = scene.place().own_nodes()?;

    let before = scene.pod("kubia-1").await?;
    let (node, address) = (nodes.node(node_of(&before)?)?, address_of(&before)?);
    node.unplug()?;
    lost::is_told(scene, "kubia-1").await?;
    ensure!(asked_on(node, address, "host")? == "kubia-1\n", "the old container does not work on");
    ensure!(witness.lives().get("kubia-1") == Some(&1), "kubia-1 was given away: {:?}", witness.lives());
    // Its kubelet hears what was asked of it meanwhile.
    node.plug()?;
    let after = scene.replaced(&before).await?;
    scene.at_rest("kubia", 2).await?;
    scene.no_volume_had_two_writers(&["kubia-0", "kubia-1"]).await?;

    // Somebody forces it without looking: the operator is asked for a new kubia-1, and the old one is at work.
    let (node, address) = (nodes.node(node_of(&after)?)?, address_of(&after)?);
    node.unplug()?;
    lost::is_told(scene, "kubia-1").await?;
    lost::force(scene, "kubia-1").await?;
    let twin = scene.replaced(&after).await?;
    ensure!(node_of(&twin)? != node.name(), "the twin is on the node that is cut off");
    ensure!(asked_on(node, address, "host")? == "kubia-1\n", "the old container does not work on");
    scene
        .eventually(SOON, "the two writers are seen", async || {
            let witness = scene.ask("kubia-1", "/witness").await?;
            Ok(Look::when(!witness.ends_with("conflicts:\n"), || witness.clone()))
        })
        .await?;
    // A kubelet that is back ends what it has no pod for.
    node.plug()?;
    scene
        .eventually(SOON, "the old container has ended", async || {
            let answer = asked_on(node, address, "host");
            Ok(Look::when(answer.is_err(), || format!("it says {answer:?}")))
        })
        .await
}

/// What a pod's program answers to who sits at its node.
fn asked_on(node: &Node, address: &str, path: &str) -> Result<String> {
    let url = format!("http://{address}:8080/{path}");
    node.inside("busybox", &["timeout", "5", "busybox", "wget", "-q", "-O", "-", &url])
}
