//! A member of etcd loses its node while somebody writes. The other two go on; the third comes back elsewhere once a
//! person says that the node is off, and has whatever was acknowledged.

use anyhow::Result;

use crate::{
    place::Need,
    scene::{Scene, node_of},
};

use super::{Story, etcd_writer::Writer, lost};

pub const STORY: Story = Story {
    name: "etcd-node-lost",
    tells: "a member of etcd loses its node, the others go on, and no acknowledged write is lost",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    let writer = Writer::start(scene).await?;

    let before = scene.pod("etcd-2").await?;
    scene.place().own_nodes()?.node(node_of(&before)?)?.power_off()?;
    scene.blocked("etcd", "etcd-2", "NodeLost").await?;
    writer.goes_on(scene).await?;
    lost::force(scene, "etcd-2").await?;
    scene.replaced(&before).await?;
    scene.at_rest("etcd", 3).await?;
    writer.goes_on(scene).await?;
    writer.has_lost_nothing(scene).await
}
