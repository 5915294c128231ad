//! A set of somebody who has nothing to do with all this.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ordinal_tests::{ControlPlane, Look, Namespace, record::Watched};
use serde_json::{Value, json};

use crate::{input::NAME, observer::Observer, sight::Sight};

/// A change of it is served by then, however many sets are in error: one pod is replaced, on a busy machine.
const SERVED: Duration = Duration::from_secs(15);

/// The set, and how it and its pods looked at first.
pub struct Bystander {
    ns: Namespace,
    before: Vec<(String, Value)>,
}

impl Bystander {
    /// Makes it, and waits until it is complete.
    pub async fn make(control_plane: &ControlPlane, observer: &Observer<'_>) -> Result<Self> {
        let ns = control_plane.namespace("bystander").await?;
        ns.create_set(json!({
            "metadata": {"name": NAME},
            "spec": {
                "replicas": 3,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": {"app": NAME}},
                "template": {
                    "metadata": {"labels": {"app": NAME}},
                    "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
                },
            },
        }))
        .await?;
        complete(&ns, observer, Duration::from_secs(60)).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = seen(&ns, observer);
        Ok(Self { ns, before })
    }

    /// Nothing has happened to it, and a change of it is served at once; how long that took.
    pub async fn undisturbed(&self, observer: &Observer<'_>) -> Result<Duration> {
        let now = seen(&self.ns, observer);
        if now != self.before {
            bail!("a set that nobody touched is not as it was:\n{:?}\n{now:?}", self.before);
        }
        let begun = Instant::now();
        let patch = json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 3}},
            "template": {"metadata": {"annotations": {"new": "one"}}}}});
        let generation = self.ns.patch_set(NAME, patch).await?.metadata.generation.context("a generation")?;
        self.ns
            .eventually(SERVED, "the bystander's change is observed", async || {
                let observed = self.ns.set(NAME).await?["status"]["observedGeneration"].clone();
                Ok(Look::when(observed == generation, || observed.to_string()))
            })
            .await?;
        complete(&self.ns, observer, SERVED).await?;
        Ok(begun.elapsed())
    }
}

/// UIDs and versions of the set and its pods.
fn seen(ns: &Namespace, observer: &Observer<'_>) -> Vec<(String, Value)> {
    let room = observer.record.room(ns.name());
    let version = |object: &Value| json!([object["metadata"]["uid"], object["metadata"]["resourceVersion"]]);
    let all = room.all(Watched::Set).chain(room.all(Watched::Pod));
    all.map(|(name, object)| (name.to_owned(), version(object))).collect()
}

async fn complete(ns: &Namespace, observer: &Observer<'_>, within: Duration) -> Result<()> {
    ns.eventually(within, "the bystander is complete", async || {
        let room = observer.record.room(ns.name());
        let Some(sight) = Sight::of(&room) else { return Ok(Look::NotYet("there is no set".to_owned())) };
        let mut wrong = sight.wrong();
        if !sight.says_complete() {
            wrong.push("it is not complete".to_owned());
        }
        Ok(Look::when(wrong.is_empty(), || wrong.join("; ")))
    })
    .await
}
