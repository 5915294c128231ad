//! The pods of the tour, as a watch sees them: printed as they change and remembered for the checks.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::Result;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use ordinal_tests::{namespace::is_ready, wait};
use tokio::task::JoinHandle;

use crate::{
    patience,
    screen::{Look, Screen},
    stage::Stage,
};

/// Where a pod is in its life, as a person would say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Created, its containers do not run.
    Pending,
    /// Its containers run.
    Running,
    /// Running, and ready to serve.
    Ready,
    /// Ended by itself.
    Ended,
    /// Deleted, and stopping.
    Terminating,
    /// No longer there.
    Gone,
}

impl State {
    fn look(self) -> Look {
        match self {
            State::Pending | State::Gone => Look::Dim,
            State::Running => Look::Plain,
            State::Ready => Look::Green,
            State::Ended => Look::Red,
            State::Terminating => Look::Yellow,
        }
    }

    fn of(pod: &Pod) -> Self {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        match phase {
            _ if pod.metadata.deletion_timestamp.is_some() => State::Terminating,
            Some("Running") if is_ready(pod) => State::Ready,
            Some("Running") => State::Running,
            Some("Succeeded" | "Failed") => State::Ended,
            _ => State::Pending,
        }
    }
}

/// A pod now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// A pod that comes back under its name has another.
    pub uid: String,
    /// Where it is in its life.
    pub state: State,
    /// The image of its container.
    pub image: String,
    /// The claims that it mounts.
    pub claims: Vec<String>,
}

impl From<&Pod> for Seen {
    fn from(pod: &Pod) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        let claims = spec.volumes.into_iter().flatten().filter_map(|volume| volume.persistent_volume_claim);
        Self {
            uid: pod.uid().unwrap_or_default(),
            state: State::of(pod),
            image: spec.containers.into_iter().find_map(|container| container.image).unwrap_or_default(),
            claims: claims.map(|claim| claim.claim_name).collect(),
        }
    }
}

/// What has been seen. The moments are those of the step under way.
pub struct History {
    begun: Instant,
    now: BTreeMap<String, Seen>,
    moments: Vec<(String, State)>,
}

impl History {
    /// The pods that there are.
    pub fn now(&self) -> &BTreeMap<String, Seen> {
        &self.now
    }

    /// Whether there are exactly these pods, and all are ready.
    pub fn exactly_ready(&self, names: &[&str]) -> bool {
        self.now.keys().eq(names) && self.now.values().all(|pod| pod.state == State::Ready)
    }

    /// Whether in this step these moments came in this order (others may lie between).
    pub fn in_order(&self, wanted: &[(&str, State)]) -> bool {
        let mut left = wanted.iter();
        let mut next = left.next();
        for (pod, state) in &self.moments {
            if next.is_some_and(|(p, s)| p == pod && s == state) {
                next = left.next();
            }
        }
        next.is_none()
    }

    /// How often a pod came to a state in this step.
    pub fn times(&self, pod: &str, state: State) -> usize {
        self.moments.iter().filter(|(p, s)| p == pod && *s == state).count()
    }

    fn told(&self) -> String {
        let all: Vec<String> = self.now.iter().map(|(name, pod)| format!("{name} {:?}", pod.state)).collect();
        if all.is_empty() { "there are no pods".to_owned() } else { all.join(", ") }
    }
}

/// A watch on the tour's pods that prints and remembers.
pub struct Pods {
    history: Arc<Mutex<History>>,
    screen: Screen,
    own: bool,
    task: JoinHandle<()>,
}

/// Starts the watch.
pub async fn follow(stage: &Stage, screen: &Screen) -> Result<Pods> {
    let api: Api<Pod> = Api::namespaced(stage.client().await?, stage.namespace());
    let history = Arc::new(Mutex::new(History { begun: Instant::now(), now: BTreeMap::new(), moments: Vec::new() }));
    let task = tokio::spawn(watch(api, history.clone(), *screen));
    Ok(Pods { history, screen: *screen, own: stage.is_own(), task })
}

impl Pods {
    /// A new step: moments are counted from now.
    pub fn begin(&self) {
        let mut history = self.history();
        history.begun = Instant::now();
        history.moments.clear();
    }

    /// How things stand.
    pub fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// Waits until it is so.
    pub async fn until(&self, what: &str, is: impl Fn(&History) -> bool) -> Result<()> {
        wait::eventually(patience(self.own), what, async || {
            let history = self.history();
            Ok(wait::Look::when(is(&history), || history.told()))
        })
        .await
    }

    /// The step has turned out.
    pub fn done(&self, text: &str) {
        let took = self.history().begun.elapsed();
        self.screen.good(&format!("{text} ({})", crate::screen::seconds(took)));
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(api: Api<Pod>, history: Arc<Mutex<History>>, screen: Screen) {
    let config = watcher::Config::default().labels("app=kubia");
    let mut events = pin!(watcher(api, config).default_backoff());
    // A listing names the pods that there are; those that it does not name went unseen.
    let mut unnamed = BTreeSet::new();
    while let Some(event) = events.next().await {
        let mut history = lock(&history);
        match event {
            Ok(watcher::Event::Init) => unnamed = history.now.keys().cloned().collect(),
            Ok(watcher::Event::InitApply(pod)) => {
                unnamed.remove(&pod.name_any());
                see(&mut history, screen, &pod);
            }
            Ok(watcher::Event::InitDone) => {
                for name in std::mem::take(&mut unnamed) {
                    gone(&mut history, screen, &name);
                }
            }
            Ok(watcher::Event::Apply(pod)) => see(&mut history, screen, &pod),
            Ok(watcher::Event::Delete(pod)) => gone(&mut history, screen, &pod.name_any()),
            // The watcher tries again by itself; a cluster that stays away fails the step by its deadline.
            Err(_) => {}
        }
    }
}

fn see(history: &mut History, screen: Screen, pod: &Pod) {
    let name = pod.name_any();
    let seen = Seen::from(pod);
    let before = history.now.insert(name.clone(), seen.clone());
    // Ending is how a kubelet stops a deleted pod, and the pod was Terminating before and stays so.
    let before = before.filter(|before| before.uid == seen.uid).map(|before| before.state);
    if before == Some(seen.state) {
        return;
    }
    let text = match before {
        Some(before) => format!("{before:?} → {:?}", seen.state),
        None => format!("{:?}", seen.state),
    };
    tell(history, screen, &name, seen.state, &text);
}

fn gone(history: &mut History, screen: Screen, name: &str) {
    if history.now.remove(name).is_some() {
        tell(history, screen, name, State::Gone, "gone");
    }
}

fn tell(history: &mut History, screen: Screen, name: &str, state: State, text: &str) {
    history.moments.push((name.to_owned(), state));
    screen.event(history.begun.elapsed(), name, text, state.look());
}

fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}
