//! Volumes that a person has made. With Retain, a volume whose claim is deleted keeps its data and is given to nobody
//! until a person says so; with Recycle it is wiped and given to the next who asks.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use ordinal_tests::Look;
use serde_json::{Value, json};

use crate::{
    place::{MADE_HERE, Need, VOLUMES},
    scene::{LATER, SOON, Scene},
};

use super::Story;

pub const STORY: Story = Story {
    name: "static-volumes",
    tells: "a volume made by hand is kept with its data (Retain), or wiped and used again (Recycle)",
    needs: &[Need::SharedDisk],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    retained(scene).await?;
    recycled(scene).await
}

async fn retained(scene: &Scene) -> Result<()> {
    let volume = volume(scene, "Retain").await?;
    begin(scene, "Retain").await?;
    scene.tell("kubia-0", "not to be lost").await?;
    end(scene).await?;
    phase_of(scene, &volume, "Released").await?;

    // The next one asks for a volume as well, and does not get this one.
    apply(scene, "Retain").await?;
    scene.blocked("kubia", "kubia-0", "ClaimPending").await?;
    let volumes: Api<PersistentVolume> = Api::all(scene.client());
    // Nobody's again: a person has looked at the data.
    let free = json!({"spec": {"claimRef": null}});
    volumes.patch(&volume, &PatchParams::default(), &Patch::Merge(free)).await?;
    scene.at_rest("kubia", 1).await?;
    let kept = scene.ask("kubia-0", "/data").await?;
    ensure!(kept == "not to be lost", "kubia-0 keeps {kept:?}");
    end(scene).await
}

async fn recycled(scene: &Scene) -> Result<()> {
    let volume = volume(scene, "Recycle").await?;
    begin(scene, "Recycle").await?;
    scene.tell("kubia-0", "not to be kept").await?;
    end(scene).await?;
    phase_of(scene, &volume, "Available").await?;

    begin(scene, "Recycle").await?;
    let kept = scene.ask("kubia-0", "/data").await?;
    ensure!(kept == "No data posted yet\n", "kubia-0 keeps {kept:?}");
    Ok(())
}

/// Makes a volume, and returns its name. No claim but this scene's asks for its class, and there is no other volume of
/// that: whoever has volumes without a class in this cluster must not find our data on them.
async fn volume(scene: &Scene, policy: &str) -> Result<String> {
    let class = class(scene, policy);
    let object = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": class, "labels": {MADE_HERE: "scene"}},
        "spec": {
            "capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "persistentVolumeReclaimPolicy": policy,
            "hostPath": {"path": format!("{VOLUMES}/{class}"), "type": "DirectoryOrCreate"},
        },
    });
    scene.kubectl().apply(&object.to_string()).await?;
    Ok(class)
}

fn class(scene: &Scene, policy: &str) -> String {
    format!("{}-{}", scene.name(), policy.to_lowercase())
}

async fn apply(scene: &Scene, policy: &str) -> Result<()> {
    let class: Value = class(scene, policy).into();
    scene.kubia(&[("replicas", json!(1)), ("claim.spec.storageClassName", class)]).await
}

async fn begin(scene: &Scene, policy: &str) -> Result<()> {
    apply(scene, policy).await?;
    scene.at_rest("kubia", 1).await
}

/// Deletes the set, and its claim too.
async fn end(scene: &Scene) -> Result<()> {
    for object in ["ordinalset/kubia", "persistentvolumeclaim/data-kubia-0"] {
        scene.kubectl().ok(["delete", object, "--timeout=180s"]).await?;
    }
    scene
        .eventually(SOON, "the pod is gone", async || {
            let pod = scene.pods().get_opt("kubia-0").await?;
            Ok(Look::when(pod.is_none(), || "it is there".to_owned()))
        })
        .await
}

async fn phase_of(scene: &Scene, volume: &str, phase: &str) -> Result<()> {
    let volumes: Api<PersistentVolume> = Api::all(scene.client());
    scene
        .eventually(LATER, &format!("volume {volume} is {phase}"), async || {
            let status = volumes.get(volume).await?.status.unwrap_or_default();
            let now = status.phase.as_deref().unwrap_or_default();
            Ok(Look::when(now == phase, || format!("it is {now}: {}", status.message.as_deref().unwrap_or_default())))
        })
        .await
}
