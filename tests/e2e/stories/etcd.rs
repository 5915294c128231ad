//! A store that people trust with their data, as an OrdinalSet: three members of etcd form a cluster by their names.
//! While somebody writes to it all the time, it is rolled, loses a member's pod, is scaled down and up, and loses a
//! node. Whatever etcd has acknowledged is there in the end, on each member.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use http::Request;
use kube::Client;
use ordinal_tests::{Look, binaries::repository};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

use crate::scene::{LATER, Scene, node_of};

use super::{Story, lost};

pub const STORY: Story = Story {
    name: "etcd",
    tells: "three members of etcd are rolled, deleted, scaled and lose a node, and no acknowledged write",
    needs: &[],
    play: |scene| Box::pin(play(scene)),
};

const MANIFEST: &str = "tests/e2e/etcd.yaml";

const MEMBERS: [&str; 3] = ["etcd-0", "etcd-1", "etcd-2"];

async fn play(scene: &Scene) -> Result<()> {
    let manifest = std::fs::read_to_string(repository().join(MANIFEST)).with_context(|| format!("no {MANIFEST}"))?;
    scene.kubectl().apply(&manifest.replace("ordinal.test/etcd:1", &scene.place().image("etcd"))).await?;
    scene.at_rest("etcd", 3).await?;
    let writer = Writer::start(scene);

    scene.new_edition("etcd", "2").await?;
    scene.at_rest("etcd", 3).await?;

    let before = scene.pod("etcd-1").await?;
    scene.delete_pod("etcd-1").await?;
    scene.replaced(&before).await?;

    // With two of three members it works on, and the third finds its place again.
    for replicas in [2, 3] {
        scene.scale("etcd", replicas).await?;
        scene.at_rest("etcd", replicas).await?;
    }

    if let Ok(nodes) = scene.place().own_nodes() {
        let before = scene.pod("etcd-2").await?;
        nodes.node(node_of(&before)?)?.power_off()?;
        scene.blocked("etcd", "etcd-2", "NodeLost").await?;
        lost::force(scene, "etcd-2").await?;
        scene.replaced(&before).await?;
    }
    scene.at_rest("etcd", 3).await?;

    let written = writer.stop().await?;
    ensure!(written.len() > 100, "only {} writes were acknowledged in all this time", written.len());
    for member in MEMBERS {
        let read = scene
            .eventually(LATER, &format!("{member} answers"), async || Ok(Look::Done(keys(scene, member).await?)))
            .await?;
        let lost: Vec<_> = written.difference(&read).collect();
        ensure!(lost.is_empty(), "{member} has lost {} of {} acknowledged writes: {lost:?}", lost.len(), written.len());
    }
    Ok(())
}

/// All keys, as a member has them once it has heard from the others.
async fn keys(scene: &Scene, member: &str) -> Result<BTreeSet<String>> {
    // From the smallest key on, to the end.
    let all = json!({"key": "AA==", "range_end": "AA==", "keys_only": true});
    let answer = scene.post(&format!("pods/{member}:2379"), "/v3/kv/range", &all.to_string()).await?;
    let answer: Value = serde_json::from_str(&answer).with_context(|| format!("{member} says {answer}"))?;
    let kvs = answer["kvs"].as_array().into_iter().flatten();
    Ok(kvs.filter_map(|kv| kv["key"].as_str()).map(str::to_owned).collect())
}

/// Somebody who writes one key after the other, and remembers which were acknowledged.
struct Writer {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    enough: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Writer {
    fn start(scene: &Scene) -> Self {
        let (acknowledged, enough) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
        let path = format!("/api/v1/namespaces/{}/services/etcd-client:client/proxy/v3/kv/put", scene.name());
        let task = tokio::spawn(write(scene.client(), path, acknowledged.clone(), enough.clone()));
        Self { acknowledged, enough, task }
    }

    /// What was acknowledged.
    async fn stop(self) -> Result<BTreeSet<String>> {
        self.enough.store(true, Ordering::SeqCst);
        self.task.await.context("the writer broke off")?;
        Ok(std::mem::take(&mut *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn write(client: Client, path: String, acknowledged: Arc<Mutex<BTreeSet<String>>>, enough: Arc<AtomicBool>) {
    for number in 0.. {
        if enough.load(Ordering::SeqCst) {
            return;
        }
        // etcd wants base64. Eight letters of its alphabet are already that of six bytes, and come back as they are.
        let key = format!("w{number:07}");
        let put = json!({"key": key, "value": key}).to_string().into_bytes();
        let Ok(request) = Request::post(&path).header("content-type", "application/json").body(put) else { return };
        // What gets no answer may be written or not.
        let answer = timeout(Duration::from_secs(5), client.request_text(request)).await;
        if answer.is_ok_and(|answer| answer.is_ok_and(|text| text.contains("\"revision\""))) {
            acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
