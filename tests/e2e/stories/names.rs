//! Names that last. Pods come one after the other; each has the host name of its place, DNS names it for others as soon
//! as it is ready, and all of them find each other by the SRV records of the governing Service.

use anyhow::{Context, Result, ensure};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use ordinal_tests::{Look, Witness};
use serde_json::json;

use crate::scene::{SOON, Scene, address_of};

use super::Story;

pub const STORY: Story = Story {
    name: "names",
    tells: "pods come and go in order, have their names inside and in DNS, and find each other by SRV",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

const THREE: [&str; 3] = ["kubia-0", "kubia-1", "kubia-2"];

async fn play(scene: &Scene) -> Result<()> {
    scene.tools().await?;
    let witness = Witness::of(scene);
    let service = json!([{"name": "SERVICE", "value": "kubia"}]);
    scene.kubia(&[("replicas", json!(3)), ("main.env", service)]).await?;
    scene.at_rest("kubia", 3).await?;
    came_in_order(scene).await?;

    // S-11.2, S-11.3
    for name in THREE {
        ensure!(scene.ask(name, "/host").await? == format!("{name}\n"), "{name} has another host name inside");
        resolves(scene, name).await?;
    }
    let peers = scene.lookup("SRV", "kubia").await?;
    for name in THREE {
        ensure!(peers.contains(&scene.full_name(&format!("{name}.kubia"))), "no SRV record of {name}:\n{peers}");
    }
    find_each_other(scene).await?;

    // Another pod has the same name inside, and DNS comes to lead to it.
    let before = scene.pod("kubia-1").await?;
    scene.delete_pod("kubia-1").await?;
    scene.replaced(&before).await?;
    ensure!(scene.ask("kubia-1", "/host").await? == "kubia-1\n", "kubia-1 has another host name inside");
    resolves(scene, "kubia-1").await?;

    // A name that nobody has yet is not remembered as such for long (S-11.5).
    let nobody = scene.lookup("A", "kubia-3.kubia").await?;
    ensure!(nobody.contains("NXDOMAIN"), "kubia-3 is known before it is there:\n{nobody}");
    scene.scale("kubia", 4).await?;
    scene.at_rest("kubia", 4).await?;
    resolves(scene, "kubia-3").await?;

    scene.scale("kubia", 1).await?;
    scene.at_rest("kubia", 1).await?;
    let gone = witness.gone();
    ensure!(gone == ["kubia-1", "kubia-3", "kubia-2", "kubia-1"], "they went in another order: {gone:?}");
    Ok(())
}

/// Each was created when the one before it was ready.
async fn came_in_order(scene: &Scene) -> Result<()> {
    for pair in THREE.windows(2) {
        let (before, after) = (scene.pod(pair[0]).await?, scene.pod(pair[1]).await?);
        let ready = ready_since(&before).context("it does not say since when it is ready")?;
        let created = after.metadata.creation_timestamp.context("a pod has a time of creation")?;
        ensure!(ready.0 <= created.0, "{} came before {} was ready", pair[1], pair[0]);
    }
    Ok(())
}

fn ready_since(pod: &Pod) -> Option<Time> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "Ready")?.last_transition_time.clone()
}

/// DNS comes to lead to the pod of that name.
async fn resolves(scene: &Scene, pod: &str) -> Result<()> {
    let address = address_of(&scene.pod(pod).await?)?.to_owned();
    scene
        .eventually(SOON, &format!("{pod} has a name in DNS"), async || {
            let said = scene.lookup("A", &format!("{pod}.kubia")).await?;
            Ok(Look::when(said.split_whitespace().any(|word| word == address), || said))
        })
        .await
}

/// What is told to one is read through another.
async fn find_each_other(scene: &Scene) -> Result<()> {
    for name in THREE {
        scene.tell(name, &format!("greetings from {name}")).await?;
    }
    scene
        .eventually(SOON, "kubia-1 knows what all of them keep", async || {
            let all = scene.ask("kubia-1", "/").await?;
            let line = |name: &str| format!("- {}: greetings from {name}", scene.full_name(&format!("{name}.kubia")));
            Ok(Look::when(THREE.iter().all(|name| all.contains(&line(name))), || all.clone()))
        })
        .await
}
