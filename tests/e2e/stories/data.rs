//! Data that stays where its name is: over the deletion of a pod, over scaling down and up again.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::scene::Scene;

use super::Story;

pub const STORY: Story = Story {
    name: "data",
    tells: "each pod's data is there again after its deletion, and after scaling down and up",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

const THREE: [&str; 3] = ["kubia-0", "kubia-1", "kubia-2"];

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(3))]).await?;
    scene.at_rest("kubia", 3).await?;
    for name in THREE {
        let said = scene.tell(name, &words(name)).await?;
        ensure!(said == format!("Data stored on pod {name}\n"), "{name} says {said:?}");
    }

    let before = scene.pod("kubia-1").await?;
    scene.delete_pod("kubia-1").await?;
    scene.replaced(&before).await?;
    all_is_there(scene).await?;

    scene.scale("kubia", 1).await?;
    scene.at_rest("kubia", 1).await?;
    for name in THREE {
        // The claims stay, and so do the volumes.
        scene.claims().get(&format!("data-{name}")).await?;
    }
    scene.scale("kubia", 3).await?;
    scene.at_rest("kubia", 3).await?;
    all_is_there(scene).await?;
    scene.no_volume_had_two_writers(&THREE).await
}

fn words(pod: &str) -> String {
    format!("what {pod} was told")
}

async fn all_is_there(scene: &Scene) -> Result<()> {
    for name in THREE {
        let kept = scene.ask(name, "/data").await?;
        ensure!(kept == words(name), "{name} keeps {kept:?}");
    }
    Ok(())
}
