//! A rolling update that nobody notices: the pods are replaced from the last to the first, and a client who asks the
//! Service through all of it gets an answer each time.

use anyhow::{Result, ensure};
use ordinal_tests::Witness;
use serde_json::json;

use crate::{customer::Customer, scene::Scene};

use super::Story;

pub const STORY: Story = Story {
    name: "rolling-update",
    tells: "pods are replaced in the order 2, 1, 0, once each, and a client notices nothing",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

const THREE: [&str; 3] = ["kubia-0", "kubia-1", "kubia-2"];

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(3))]).await?;
    scene.at_rest("kubia", 3).await?;
    scene.tell("kubia-1", "what was there before").await?;
    let witness = Witness::of(scene);
    let customer = Customer::of(scene).await?;

    scene.new_edition("kubia", "2").await?;
    scene.at_rest("kubia", 3).await?;
    customer.was_always_answered(&THREE).await?;
    let gone = witness.gone();
    ensure!(gone == ["kubia-2", "kubia-1", "kubia-0"], "they were replaced in another order: {gone:?}");
    let lives = witness.lives();
    ensure!(THREE.iter().all(|name| lives.get(*name) == Some(&2)), "not each was replaced once: {lives:?}");
    ensure!(scene.ask("kubia-1", "/data").await? == "what was there before", "kubia-1 has lost its data");
    scene.no_volume_had_two_writers(&THREE).await
}
