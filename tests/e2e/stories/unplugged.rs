//! A node is cut off. Its containers know nothing of that: kubia-1 goes on writing to its volume, while the control
//! plane takes its node for lost. A second kubia-1 would write there too, which this program would notice. There is
//! none, until a person forces it.

use std::time::Duration;

use anyhow::{Result, ensure};
use ordinal_tests::{Look, Witness};
use serde_json::json;

use crate::{
    own::Node,
    place::Need,
    scene::{SOON, Scene, Testimony, address_of, container_of, node_of},
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
    works_on(node, address).await?;
    lost::keeps_its_name(scene, &before, &witness).await?;
    works_on(node, address).await?;
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
    works_on(node, address).await?;
    scene
        .eventually(SOON, "the two writers are seen", async || {
            let told = scene.testimony("kubia-1").await?;
            Ok(Look::when(!told.conflicts.is_empty(), || format!("{told:?}")))
        })
        .await?;
    // A kubelet that is back ends what it has no pod for.
    node.plug()?;
    let container = container_of(&after)?;
    scene
        .eventually(SOON, "the old container has ended", async || {
            let running = node.inside("ctr", &["--namespace=k8s.io", "tasks", "list", "--quiet"])?;
            Ok(Look::when(!running.lines().any(|id| id == container), || "it runs".to_owned()))
        })
        .await
}

/// A pod's program answers whoever sits at its node, and goes on writing to its volume.
async fn works_on(node: &Node, address: &str) -> Result<()> {
    let url = format!("http://{address}:8080/witness");
    let ask = || Testimony::of(&node.inside("busybox", &["timeout", "5", "busybox", "wget", "-q", "-O", "-", &url])?);
    let before = ask()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = ask()?;
    ensure!(after.marks > before.marks, "the old container writes no more: {before:#?}\n{after:#?}");
    Ok(())
}
