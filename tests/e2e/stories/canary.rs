//! A canary: with a partition only the pods from there on get the new template, also when one below it is replaced
//! meanwhile; without it the others follow.

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use ordinal_tests::Look;
use serde_json::json;

use crate::scene::{LATER, Scene};

use super::Story;

pub const STORY: Story = Story {
    name: "canary",
    tells: "with a partition kubia-2 alone is updated; when it is taken away, the others are",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    let partition = |from: i32| json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": from}}}});
    scene.kubia(&[("replicas", json!(3)), ("strategy.type", json!("RollingUpdate"))]).await?;
    scene.patch_set("kubia", partition(2)).await?;
    scene.at_rest("kubia", 3).await?;
    let old = revision(scene, "kubia-0").await?;

    scene.new_edition("kubia", "2").await?;
    scene
        .eventually(LATER, "kubia-2 alone is updated", async || {
            let status = scene.set("kubia").await?["status"].clone();
            let done = status["updatedReplicas"] == 1 && status["availableReplicas"] == 3;
            Ok(Look::when(done, || format!("{status:#}")))
        })
        .await?;
    let new = revision(scene, "kubia-2").await?;
    ensure!(new != old, "kubia-2 is as it was");
    // Who is replaced below the partition comes back as it was.
    let before = scene.pod("kubia-0").await?;
    scene.delete_pod("kubia-0").await?;
    scene.replaced(&before).await?;
    for name in ["kubia-0", "kubia-1"] {
        ensure!(revision(scene, name).await? == old, "{name} is updated too");
    }

    scene.patch_set("kubia", partition(0)).await?;
    scene.at_rest("kubia", 3).await?;
    for name in ["kubia-0", "kubia-1", "kubia-2"] {
        ensure!(revision(scene, name).await? == new, "{name} is not updated");
    }
    Ok(())
}

async fn revision(scene: &Scene, pod: &str) -> Result<String> {
    let pod = scene.pod(pod).await?;
    pod.labels().get("controller-revision-hash").cloned().context("a pod of a set has a revision")
}
