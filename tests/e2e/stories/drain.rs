//! A node is emptied for its maintenance. A disruption budget, which reads the set's scale, lets go one pod at a time;
//! each comes back elsewhere with its data, and a client notices nothing.

use anyhow::{Result, ensure};
use kube::api::EvictParams;
use serde_json::json;

use crate::{
    customer::Customer,
    place::Need,
    scene::{Scene, node_of},
};

use super::Story;

pub const STORY: Story = Story {
    name: "drain",
    tells: "a node is drained under a PodDisruptionBudget: its pods move with their data, and a client notices nothing",
    needs: &[Need::SharedDisk, Need::Nodes(2)],
    play: |scene| Box::pin(play(scene)),
};

const THREE: [&str; 3] = ["kubia-0", "kubia-1", "kubia-2"];

async fn play(scene: &Scene) -> Result<()> {
    let selector = json!({"matchLabels": {"app": "kubia"}});
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "kubia"},
        "spec": {"maxUnavailable": 1, "selector": selector},
    });
    scene.kubectl().apply(&budget.to_string()).await?;
    scene.kubia(&[("replicas", json!(3))]).await?;
    scene.at_rest("kubia", 3).await?;
    scene.tell("kubia-2", "to be moved").await?;
    let before = scene.pod("kubia-2").await?;
    let node = node_of(&before)?;
    let customer = Customer::of(scene).await?;

    // While one is away, the budget lets no other go.
    let other = scene.pod("kubia-1").await?;
    scene.pods().evict("kubia-1", &EvictParams::default()).await?;
    let refused = scene.pods().evict("kubia-0", &EvictParams::default()).await;
    let in_vain = matches!(&refused, Err(kube::Error::Api(status)) if status.code == 429);
    ensure!(in_vain, "kubia-0 may go while kubia-1 is away: {refused:?}");
    scene.replaced(&other).await?;
    scene.at_rest("kubia", 3).await?;

    // The set's pods alone: the customer may be on this node too, and nobody would make it again.
    scene.place().treat_node(node, &["drain"], &["--pod-selector=app=kubia", "--timeout=180s"]).await?;
    let after = scene.replaced(&before).await?;
    ensure!(node_of(&after)? != node, "kubia-2 is on {node} again");
    scene.at_rest("kubia", 3).await?;
    customer.was_always_answered(&["kubia-1", "kubia-2"]).await?;
    ensure!(scene.ask("kubia-2", "/data").await? == "to be moved", "kubia-2 has lost its data");
    scene.no_volume_had_two_writers(&THREE).await
}
