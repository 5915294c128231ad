//! Somebody who writes to etcd all the time, and holds it to what it has acknowledged.

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

use crate::scene::{LATER, SOON, Scene};

const MANIFEST: &str = "tests/e2e/etcd.yaml";

/// The members of the set `etcd`.
const MEMBERS: [&str; 3] = ["etcd-0", "etcd-1", "etcd-2"];

/// Writes one key after the other, and remembers which were acknowledged.
pub struct Writer {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    enough: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Writer {
    /// Three members form a cluster by their names, and the writing begins.
    pub async fn start(scene: &Scene) -> Result<Self> {
        let manifest =
            std::fs::read_to_string(repository().join(MANIFEST)).with_context(|| format!("no {MANIFEST}"))?;
        scene.kubectl().apply(&manifest.replace("ordinal.test/etcd:1", &scene.place().image("etcd"))).await?;
        scene.at_rest("etcd", 3).await?;
        let (acknowledged, enough) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
        let path = format!("/api/v1/namespaces/{}/services/etcd-client:client/proxy/v3/kv/put", scene.name());
        let task = tokio::spawn(write(scene.client(), path, acknowledged.clone(), enough.clone()));
        let writer = Self { acknowledged, enough, task };
        writer.goes_on(scene).await?;
        Ok(writer)
    }

    /// Waits until more is acknowledged than was until now.
    pub async fn goes_on(&self, scene: &Scene) -> Result<()> {
        let before = self.count();
        scene
            .eventually(SOON, "etcd acknowledges more writes", async || {
                Ok(Look::when(self.count() > before + 10, || format!("{before} before, {} now", self.count())))
            })
            .await
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Each member has whatever was acknowledged.
    pub async fn has_lost_nothing(mut self, scene: &Scene) -> Result<()> {
        self.enough.store(true, Ordering::SeqCst);
        (&mut self.task).await.context("the writer broke off")?;
        let written = std::mem::take(&mut *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner));
        for member in MEMBERS {
            let answers = async || Ok(Look::Done(keys(scene, member).await?));
            let read = scene.eventually(LATER, &format!("{member} answers"), answers).await?;
            let lost: Vec<_> = written.difference(&read).collect();
            let (lacking, of) = (lost.len(), written.len());
            ensure!(lost.is_empty(), "{member} has lost {lacking} of {of} acknowledged writes: {lost:?}");
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
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

/// All keys, as a member has them once it has heard from the others.
async fn keys(scene: &Scene, member: &str) -> Result<BTreeSet<String>> {
    // From the smallest key on, to the end.
    let all = json!({"key": "AA==", "range_end": "AA==", "keys_only": true});
    let answer = scene.post(&format!("pods/{member}:2379"), "/v3/kv/range", &all.to_string()).await?;
    let answer: Value = serde_json::from_str(&answer).with_context(|| format!("{member} says {answer}"))?;
    let kvs = answer["kvs"].as_array().into_iter().flatten();
    Ok(kvs.filter_map(|kv| kv["key"].as_str()).map(str::to_owned).collect())
}
