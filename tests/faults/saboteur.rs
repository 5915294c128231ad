//! What the proxy does to the operator of one trial, and what it sees of it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use http::{Method, StatusCode};
use kube::ResourceExt;
use ordinal_sim::{
    fault::{Edit, Fault},
    objects::Kind,
};
use ordinal_tests::{
    Namespace, calls,
    proxy::{Asked, Event, Fate, Script},
};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    protocol::Protocol,
    trial::{HANGS, Trial},
    weather::Weather,
};

/// Versions that are remembered, for lists of a while ago.
const REMEMBERED: usize = 12;

/// An empty list is believed for so long, and the list before it.
const BELIEVED: Duration = Duration::from_millis(1_500);

/// A watch that has lost events goes on for so long.
const BLIND: Duration = Duration::from_secs(2);

/// What comes after a stale list comes so late.
const LAG: Duration = Duration::from_secs(1);

/// Whoever calls too often is asked to wait so long.
const PAUSE: Duration = Duration::from_secs(3);

/// Calls that are kept for a failure message.
const TOLD: usize = 60;

/// The label that a webhook gives every pod.
pub const INJECTED: &str = "test.ordinal.dev/injected";

/// What a webhook puts before the name of every image.
pub const MIRROR: &str = "mirror.example/";

/// One for each trial.
pub struct Saboteur {
    trial: Trial,
    namespace: Namespace,
    crash: UnboundedSender<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Calls of the operator so far.
    calls: usize,
    /// What the next calls are answered, and how many of them.
    answers: Option<(u16, u32)>,
    /// The request after whose answer the operator is to be killed.
    fatal: Option<usize>,
    /// When it was last left without an answer.
    hung: Option<Instant>,
    /// The operator is to be killed: nothing of it gets through any more.
    dying: bool,
    /// How often it has been started anew.
    life: usize,
    /// Lists of each kind, and events since the last one.
    lists: BTreeMap<String, usize>,
    events: BTreeMap<String, usize>,
    /// A kind was said to be empty, or to end after its first page.
    lied: bool,
    /// Kinds whose second page was refused.
    expired: BTreeSet<String>,
    /// The last versions that were seen.
    versions: VecDeque<String>,
    /// When there was a call last.
    called: Option<Instant>,
    /// Something has gone wrong as the trial wants it.
    struck: bool,
    /// For the jury.
    protocol: Protocol,
    /// The last calls, for a failure message.
    told: VecDeque<String>,
}

impl Saboteur {
    /// `crash` is told when the operator is to be killed.
    pub fn new(trial: &Trial, namespace: &Namespace, crash: UnboundedSender<()>) -> Self {
        let saboteur = Self { trial: trial.clone(), namespace: namespace.clone(), crash, state: Mutex::default() };
        saboteur.state().protocol.started();
        saboteur
    }

    /// The operator was killed, and another one is about to start.
    pub fn starts_anew(&self) {
        let mut state = self.state();
        state.dying = false;
        state.life += 1;
        state.hung = None;
        state.fatal = None;
        state.events.clear();
        state.protocol.started();
    }

    /// Calls of the operator so far.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// How long there was no call, though there could have been.
    pub fn quiet(&self) -> Duration {
        self.state().called.map_or(Duration::MAX, |at| at.elapsed())
    }

    /// Whether the operator may still wait for an answer that never comes.
    pub fn is_waited_for(&self) -> bool {
        self.state().hung.is_some_and(|at| at.elapsed() < HANGS)
    }

    /// Whether anything has gone wrong as the trial wants it.
    pub fn has_struck(&self) -> bool {
        self.state().struck
    }

    /// All that passed so far.
    pub fn protocol(&self) -> Protocol {
        self.state().protocol.clone()
    }

    /// The last calls in words.
    pub fn told(&self) -> String {
        self.state().told.iter().map(|line| format!("{line}\n")).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it comes from an operator that is dead, or as good as that.
    fn is_late(&self, asked: &Asked) -> bool {
        self.state().is_late(asked)
    }

    /// Writes, dry runs and the live read before an adoption, events apart.
    fn is_call(&self, asked: &Asked) -> bool {
        let here = asked.namespace() == self.namespace.name() && asked.kind() != "events";
        here && (asked.method != Method::GET || !asked.object().is_empty())
    }

    /// What is to become of a list.
    fn lists(&self, asked: &mut Asked) -> Fate {
        let mut state = self.state();
        if self.trial.weather == Weather::Pages {
            asked.query = format!("{}&limit=1", without(&asked.query, &["limit", "resourceVersion"]));
            if asked.parameter("continue").is_some() && state.expired.insert(asked.kind().to_owned()) {
                state.struck = true;
                let message = "The provided continue parameter is too old".to_owned();
                return Fate::Answer { code: 410, reason: "Expired", message, retry_after: None };
            }
        }
        *state.lists.entry(asked.kind().to_owned()).or_default() += 1;
        state.events.remove(asked.kind());
        let stale = self.trial.weather == Weather::Stale && state.life > 0 && asked.parameter("continue").is_none();
        if let Some(old) = state.versions.front().filter(|_| stale) {
            let others = without(&asked.query, &["resourceVersion"]);
            asked.query = format!("{others}&resourceVersion={old}&resourceVersionMatch=Exact");
            state.struck = true;
        }
        Fate::Forward
    }

    /// What is to become of a call; nothing of one that comes too late.
    fn next(&self, asked: &Asked, at: Instant) -> Option<Option<Fault>> {
        let mut state = self.state();
        if state.is_late(asked) {
            return None;
        }
        let number = state.calls;
        state.calls += 1;
        state.called = state.called.max(Some(Instant::now()));
        let fault = match state.answers.take() {
            Some((code, times)) => Some(Fault::Answer { code, times }),
            None => self.trial.plan.faults.get(&number).copied(),
        };
        state.protocol.called(asked, at, fault);
        if let Some(Fault::Answer { code, times }) = fault {
            state.answers = (times > 1).then(|| (code, times - 1));
        }
        let struck = fault.map(|fault| format!(" <- {fault}")).unwrap_or_default();
        state.told.push_back(format!("{number}: {} {}{struck}", asked.method, asked.path));
        if state.told.len() > TOLD {
            state.told.pop_front();
        }
        state.struck |= fault.is_some();
        state.dying |= fault == Some(Fault::CrashBefore);
        Some(fault)
    }

    async fn spoil(&self, edit: Edit) {
        let client = self.namespace.client();
        let mut names = [Vec::new(), Vec::new()];
        for (names, kind) in names.iter_mut().zip([Kind::Pod, Kind::Revision]) {
            let listed = calls::api(&client, self.namespace.name(), kind).list(&Default::default()).await;
            names.extend(listed.into_iter().flat_map(|list| list.items).map(|object| object.name_any()));
        }
        let [pods, revisions] = names;
        for call in edit.calls(&pods, &revisions) {
            // What is to be spoilt may not be there.
            let _ = calls::send(&client, self.namespace.name(), &call).await;
        }
    }

    async fn decide(&self, asked: &mut Asked) -> Fate {
        let at = Instant::now();
        if let Weather::Slow(by) = self.trial.weather {
            self.state().struck = true;
            tokio::time::sleep(by).await;
        }
        if self.is_late(asked) {
            return Fate::Swallow;
        }
        if asked.is_list() {
            return self.lists(asked);
        }
        if self.trial.weather == Weather::Webhook && asked.method == Method::POST && asked.kind() == "pods" {
            self.state().struck = true;
            mutate(asked);
        }
        if !self.is_call(asked) {
            return Fate::Forward;
        }
        match self.next(asked, at) {
            None => Fate::Swallow,
            Some(None) => Fate::Forward,
            Some(Some(Fault::LostReply)) => Fate::LoseReply,
            Some(Some(Fault::HungReply)) => {
                self.state().hung = Some(Instant::now());
                Fate::SwallowReply
            }
            Some(Some(Fault::CrashAfter)) => {
                self.state().fatal = Some(asked.number);
                Fate::SwallowReply
            }
            Some(Some(Fault::CrashBefore)) => {
                // Nobody listens once the trial is over.
                let _ = self.crash.send(());
                Fate::Swallow
            }
            Some(Some(Fault::Answer { code, .. })) => {
                if code == 429 {
                    let mut state = self.state();
                    state.protocol.held(PAUSE);
                    state.called = Some(Instant::now() + PAUSE);
                }
                answer(code)
            }
            Some(Some(Fault::Foreign(edit))) => {
                self.spoil(edit).await;
                if self.is_late(asked) { Fate::Swallow } else { Fate::Forward }
            }
        }
    }
}

impl Script for Saboteur {
    fn connected(&self) -> usize {
        self.state().life
    }

    fn request<'s>(&'s self, asked: &'s mut Asked) -> BoxFuture<'s, Fate> {
        self.decide(asked).boxed()
    }

    fn event(&self, asked: &Asked, event: &Value) -> Event {
        let mut state = self.state();
        if let Some(version) = event["object"]["metadata"]["resourceVersion"].as_str() {
            state.versions.push_back(version.to_owned());
            if state.versions.len() > REMEMBERED {
                state.versions.pop_front();
            }
        }
        let kind = asked.kind();
        let seen = state.events.get(kind).map_or(1, |seen| seen + 1);
        state.events.insert(kind.to_owned(), seen);
        let fate = match self.trial.weather {
            Weather::Late(None, by) => Event::Late(by),
            Weather::Late(Some(late), by) if late == kind => Event::Late(by),
            Weather::Ends(after) if seen.is_multiple_of(after) => Event::End,
            Weather::Gone(after) if seen >= after => Event::Lose,
            Weather::NoBookmarks if event["type"] == "BOOKMARK" => Event::Lose,
            Weather::Stale if state.life > 0 => Event::Late(LAG),
            _ => Event::Pass,
        };
        state.struck |= fate != Event::Pass;
        fate
    }

    fn passed(&self, asked: &Asked, event: &Value) {
        let mut state = self.state();
        if !state.is_late(asked) {
            state.protocol.shown(asked, &event["object"]["metadata"]["resourceVersion"]);
        }
    }

    /// A watch that loses events, and one with a list to come that is empty, end by time: nothing else may happen any more.
    fn lasts(&self, asked: &Asked) -> Option<Duration> {
        match self.trial.weather {
            Weather::Gone(_) => Some(BLIND),
            weather => {
                let (kind, _) = weather.lies_about().filter(|(kind, _)| *kind == asked.kind())?;
                let lists = self.state().lists.get(kind).copied().unwrap_or(0);
                (lists <= 2).then_some(BELIEVED)
            }
        }
    }

    fn list(&self, asked: &Asked, list: &mut Value) {
        let mut state = self.state();
        if state.is_late(asked) {
            return;
        }
        let second = state.lists.get(asked.kind()) == Some(&2);
        let lie = self.trial.weather.lies_about().filter(|(kind, _)| *kind == asked.kind());
        let told = lie.filter(|_| second && !state.lied).map(|(_, told)| told);
        if let Some(told) = told {
            state.lied = true;
            state.struck = true;
            list["items"].as_array_mut().into_iter().for_each(|items| items.truncate(told));
        }
        state.protocol.listed(asked, &list["metadata"]["resourceVersion"], told.unwrap_or(usize::MAX));
    }

    fn answered(&self, asked: &Asked, code: StatusCode, body: &[u8]) {
        let mut state = self.state();
        state.protocol.answered(asked, code, body);
        if state.fatal == Some(asked.number) && !state.is_late(asked) {
            state.dying = true;
            // Nobody listens once the trial is over.
            let _ = self.crash.send(());
        }
    }
}

/// A query without the parameters whose names begin so.
fn without(query: &str, names: &[&str]) -> String {
    let kept = |pair: &&str| !pair.is_empty() && !names.iter().any(|name| pair.starts_with(name));
    query.split('&').filter(kept).collect::<Vec<_>>().join("&")
}

fn mutate(asked: &mut Asked) {
    let mut pod = asked.json();
    pod["metadata"]["labels"][INJECTED] = "yes".into();
    for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
        let image = container["image"].as_str().unwrap_or_default();
        container["image"] = format!("{MIRROR}{image}").into();
    }
    asked.body = pod.to_string().into();
}

fn answer(code: u16) -> Fate {
    let (reason, message) = match code {
        403 => ("Forbidden", "a policy says no"),
        409 => ("Conflict", "the object has been modified; please apply your changes to the latest version"),
        422 => ("Invalid", "spec.containers[0].image: Invalid value"),
        429 => ("TooManyRequests", "the server has received too many requests"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "the request did not complete in time"),
        // F21
        _ => ("InternalError", "etcdserver: mvcc: database space exceeded"),
    };
    Fate::Answer {
        code,
        reason,
        message: message.to_owned(),
        retry_after: (code == 429).then_some(PAUSE.as_secs() as u32),
    }
}

impl State {
    fn is_late(&self, asked: &Asked) -> bool {
        self.dying || asked.life != self.life
    }
}
