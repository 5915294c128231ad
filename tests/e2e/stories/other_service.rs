//! A serviceName that matches nothing. A StatefulSet says nothing about it, and only much later somebody finds that the
//! pods have no names. Ordinal says so, and then makes the Service.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Service;
use ordinal_tests::Look;
use serde_json::json;

use crate::scene::{SOON, Scene, address_of};

use super::Story;

pub const STORY: Story = Story {
    name: "other-service",
    tells: "a Service that is named and not there is told, made after a while, and gone with its set",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.tools().await?;
    scene.kubia(&[("serviceName", json!("pets")), ("replicas", json!(1))]).await?;
    let told = scene.says("kubia", "ServiceReady", "Missing").await?;
    ensure!(told.contains("Service pets does not exist"), "it says: {told}");
    // It runs all the same, and nobody can call it by its name.
    scene.pod_ready("kubia-0", SOON).await?;
    let nobody = scene.lookup("A", "kubia-0.pets").await?;
    // On a slow machine the Service may be there by now.
    let made = scene.api::<Service>().get_opt("pets").await?.is_some();
    ensure!(made || nobody.contains("NXDOMAIN"), "kubia-0 has a name:\n{nobody}");

    scene.says("kubia", "ServiceReady", "Found").await?;
    let address = address_of(&scene.pod("kubia-0").await?)?.to_owned();
    scene
        .eventually(SOON, "kubia-0 has a name in DNS", async || {
            let said = scene.lookup("A", "kubia-0.pets").await?;
            Ok(Look::when(said.contains(&address), || said))
        })
        .await?;

    scene.delete_set("kubia").await?;
    scene
        .eventually(SOON, "the Service that was made goes with the set, and no other", async || {
            let services = scene.api::<Service>();
            let made = services.get_opt("pets").await?.is_some();
            services.get("kubia").await?;
            Ok(Look::when(!made, || "it is there".to_owned()))
        })
        .await
}
