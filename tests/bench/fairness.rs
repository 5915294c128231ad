//! A small set loses a pod again and again while another grows: how long does it wait for its pod?

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};
use ordinal_api::lite::Pod;
use ordinal_tests::Namespace;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    arena::Turn,
    contestant::Running,
    meter::Meter,
    results::Row,
    scenario::{Phase, Sets},
    statistics::Spread,
};

/// By then the growth is under way; between two losses, the small set is at rest for a moment.
const PAUSE: Duration = Duration::from_millis(200);

/// Growth to 2,000 pods at 20 calls a second takes two minutes.
const LONGEST: Duration = Duration::from_secs(600);

const VICTIM: &str = "small-0-0";

/// One row: the median and the longest wait.
pub async fn run(turn: Turn<'_>, running: Running, pods: u32) -> Result<Vec<Row>> {
    let shape = |replicas| Sets { count: 1, replicas, parallel: true, claim: false };
    let mut small = turn.troop("small", shape(3));
    let mut big = turn.troop("big", shape(0));
    small.create().await?;
    big.create().await?;
    small.done(&running).await?;
    big.done(&running).await?;
    let mut victim = Victim::watch(turn.namespace);
    let mut meter = Meter::new(turn, &running)?;
    meter.begin().await?;
    big.scale(pods).await?;
    let waits = victim.lose_while(turn.namespace, big.done(&running)).await?;
    let row = meter.finish(turn.task.row(Phase::Repair), pods).await?;
    let spread = Spread::of(&waits).context("the growth was over before a pod could be lost")?;
    big.check().await?;
    small.delete().await?;
    big.delete().await?;
    running.stop().await?;
    Ok(vec![Row { seconds: Some(spread.median), worst_seconds: Some(spread.max), ..row }])
}

/// The pod that is lost.
struct Victim {
    /// UID, and whether it is being deleted.
    now: watch::Receiver<(String, bool)>,
    task: JoinHandle<()>,
}

impl Victim {
    fn watch(namespace: &Namespace) -> Self {
        let pods: Api<Pod> = namespace.api();
        let (sender, now) = watch::channel(Default::default());
        let task = tokio::spawn(async move {
            let config = watcher::Config::default().fields(&format!("metadata.name={VICTIM}"));
            let mut events = std::pin::pin!(watcher(pods, config).default_backoff().applied_objects());
            while let Some(event) = events.next().await {
                if let Ok(pod) = event {
                    let going = pod.metadata.deletion_timestamp.is_some();
                    sender.send_replace((pod.metadata.uid.unwrap_or_default(), going));
                }
            }
        });
        Self { now, task }
    }

    /// Loses it again and again until `done`; the waits. The last one counts even if it is over only afterwards.
    async fn lose_while(&mut self, namespace: &Namespace, done: impl Future<Output = Result<()>>) -> Result<Vec<f64>> {
        let mut done = std::pin::pin!(done);
        let mut waits = Vec::new();
        loop {
            match tokio::time::timeout(PAUSE, &mut done).await {
                Ok(done) => return done.map(|()| waits),
                Err(_) => waits.push(self.lose(namespace).await?.as_secs_f64()),
            }
        }
    }

    /// Deletes it; how long until its successor is there.
    async fn lose(&mut self, namespace: &Namespace) -> Result<Duration> {
        let (before, _) = self.now.wait_for(|(uid, going)| !uid.is_empty() && !going).await?.clone();
        let lost = Instant::now();
        namespace.delete_pod(VICTIM).await?;
        let successor = self.now.wait_for(|(uid, _)| *uid != before);
        tokio::time::timeout(LONGEST, successor)
            .await
            .with_context(|| format!("no new {VICTIM} within {LONGEST:?}"))??;
        Ok(lost.elapsed())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.task.abort();
    }
}
