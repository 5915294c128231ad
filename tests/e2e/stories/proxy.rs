//! One pod among several, asked through the API server as in the walkthrough: what is stored on kubia-0 is on kubia-0
//! alone, and a Service with a cluster IP leads to any of them.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::scene::Scene;

use super::Story;

pub const STORY: Story = Story {
    name: "proxy",
    tells: "a single pod is read and written through the API server, and so is the Service before all of them",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

async fn play(scene: &Scene) -> Result<()> {
    scene.kubia(&[("replicas", json!(2))]).await?;
    scene.at_rest("kubia", 2).await?;
    // As a person does it, without a port.
    let path = |pod: &str| format!("/api/v1/namespaces/{}/pods/{pod}/proxy/", scene.name());
    let get = async |pod: &str| scene.kubectl().ok(["get", "--raw", &path(pod)]).await;

    let nothing = "You've hit kubia-0\nData stored on this pod: No data posted yet\n";
    ensure!(get("kubia-0").await? == nothing, "kubia-0 keeps something already");
    scene.tell("kubia-0", "Hey there!").await?;
    let said = get("kubia-0").await?;
    ensure!(said == "You've hit kubia-0\nData stored on this pod: Hey there!", "kubia-0 says {said:?}");
    let said = get("kubia-1").await?;
    ensure!(said.ends_with("No data posted yet\n"), "kubia-1 says {said:?}");

    let said = scene.post("services/kubia-public:http", "/", "The sun is shining").await?;
    ensure!(said.starts_with("Data stored on pod kubia-"), "the Service says {said:?}");
    Ok(())
}
