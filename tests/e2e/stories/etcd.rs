//! A store that people trust with their data, as an OrdinalSet: while somebody writes to it all the time, it is rolled,
//! loses a member's pod, and is scaled down and up. Whatever etcd has acknowledged is there in the end, on each member.

use anyhow::Result;

use crate::scene::Scene;

use super::{Story, etcd_writer::Writer};

pub const STORY: Story = Story {
    name: "etcd",
    tells: "three members of etcd are rolled, deleted and scaled, and no acknowledged write is lost",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    let writer = Writer::start(scene).await?;

    scene.new_edition("etcd", "2").await?;
    scene.at_rest("etcd", 3).await?;
    writer.goes_on(scene).await?;

    let before = scene.pod("etcd-1").await?;
    scene.delete_pod("etcd-1").await?;
    scene.replaced(&before).await?;
    writer.goes_on(scene).await?;

    // With two of three members it works on, and the third finds its place again.
    for replicas in [2, 3] {
        scene.scale("etcd", replicas).await?;
        scene.at_rest("etcd", replicas).await?;
        writer.goes_on(scene).await?;
    }
    writer.has_lost_nothing(scene).await
}
