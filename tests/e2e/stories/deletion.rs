//! A set is deleted: its pods go, its claims and volumes stay, and a set of the same name finds all data again.

use anyhow::{Result, ensure};
use kube::api::ListParams;
use ordinal_tests::Look;
use serde_json::json;

use crate::scene::{SOON, Scene};

use super::Story;

pub const STORY: Story = Story {
    name: "deletion",
    tells: "the pods go with their set, the claims stay, and the next set of the name has the data",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    scene.tell("kubia-1", "to be continued").await?;

    scene.kubectl().ok(["delete", "ordinalset", "kubia", "--timeout=180s"]).await?;
    scene
        .eventually(SOON, "its pods are gone", async || {
            let left = scene.pods().list(&ListParams::default()).await?.items.len();
            Ok(Look::when(left == 0, || format!("{left} are left")))
        })
        .await?;
    for ordinal in 0..2 {
        let claim = scene.claims().get(&format!("data-kubia-{ordinal}")).await?;
        let phase = claim.status.and_then(|status| status.phase);
        ensure!(phase.as_deref() == Some("Bound"), "data-kubia-{ordinal} is {phase:?}");
    }

    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    let kept = scene.ask("kubia-1", "/data").await?;
    ensure!(kept == "to be continued", "kubia-1 keeps {kept:?}");
    scene.no_volume_had_two_writers(&["kubia-0", "kubia-1"]).await
}
