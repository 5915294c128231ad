//! The release is upgraded while a set rolls: another operator ends what this one has begun, and each pod is replaced
//! once.

use anyhow::{Result, ensure};
use kube::ResourceExt;
use ordinal_tests::{Look, Witness};
use serde_json::json;

use crate::scene::{LATER, Scene};

use super::Story;

pub const STORY: Story = Story {
    name: "operator-upgraded",
    tells: "the release is upgraded amid a roll-out, which goes on where it was: each pod is replaced once",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(3))]).await?;
    scene.at_rest("kubia", 3).await?;
    let (release, witness) = (scene.place().release(), Witness::of(scene));

    // The roll-out is to take longer than the upgrade's first half.
    scene.patch_set("kubia", json!({"spec": {"minReadySeconds": 20}})).await?;
    scene.new_edition("kubia", "2").await?;
    scene
        .eventually(LATER, "the first pod is replaced", async || {
            let updated = scene.set("kubia").await?["status"]["updatedReplicas"].clone();
            Ok(Look::when(updated == 1, || format!("{updated} are updated")))
        })
        .await?;
    let before = release.leader("").await?;
    release.upgrade("podAnnotations.edition=second").await?;
    release.leader(&before.name_any()).await?;
    let updated = scene.set("kubia").await?["status"]["updatedReplicas"].clone();
    ensure!(updated != 3, "the roll-out was over before another operator led");
    release.rolled_out().await?;
    scene.at_rest("kubia", 3).await?;
    let lives = witness.lives();
    ensure!(lives.values().all(|count| *count == 2), "not each was replaced once: {lives:?}");
    Ok(())
}
