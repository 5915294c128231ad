//! The node of the operator that leads is drained. Its disruption budget keeps the other one, to which the Lease is
//! handed over at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kube::ResourceExt;
use ordinal_tests::Witness;
use serde_json::json;

use crate::{
    place::Need,
    scene::{Scene, node_of},
};

use super::Story;

pub const STORY: Story = Story {
    name: "operator-drained",
    tells: "the leading operator's node is drained: the other one takes over, and no pod is touched",
    needs: &[Need::Nodes(2)],
    play: |scene| Box::pin(play(scene)),
};

/// Less than the 15 s after which a Lease that nobody renews may be taken.
const HANDED_OVER: Duration = Duration::from_secs(10);

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(1))]).await?;
    scene.at_rest("kubia", 1).await?;
    let (release, witness) = (scene.place().release(), Witness::of(scene));
    let leader = release.leader("").await?;

    let operators = "--pod-selector=app.kubernetes.io/name=ordinal";
    scene.place().treat_node(node_of(&leader)?, &["drain"], &[operators, "--timeout=180s"]).await?;
    let gone = Instant::now();
    release.leader(&leader.name_any()).await?;
    ensure!(gone.elapsed() < HANDED_OVER, "the Lease was not handed over: it took {:?}", gone.elapsed());
    scene.scale("kubia", 2).await?;
    scene.at_rest("kubia", 2).await?;

    release.rolled_out().await?;
    let lives = witness.lives();
    ensure!(lives.values().all(|count| *count == 1), "a pod was replaced: {lives:?}");
    Ok(())
}
