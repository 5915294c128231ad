//! What happens while walks go on: every object by watch, every call of the operator by the audit log, and the operator's
//! own log.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use ordinal_tests::{ControlPlane, Identity, Operator, record::Record};
use tokio::task::JoinHandle;

/// How often the logs are read on.
const POLL: Duration = Duration::from_millis(100);

/// Calls that are kept for a failure message.
const KEPT: usize = 40;

/// The operator's calls in one namespace, events aside, which are counted apart.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// When each was seen.
    pub times: Vec<Instant>,
    /// The last ones in words, newest first, and when each was seen.
    pub last: VecDeque<String>,
    /// When a pod was made or taken away.
    pub pods: Vec<Instant>,
    /// Events written.
    pub events: usize,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { times: vec![Instant::now()], last: VecDeque::new(), pods: Vec::new(), events: 0 }
    }
}

impl Traffic {
    /// How many calls there have been since.
    pub fn since(&self, since: Instant) -> usize {
        count(&self.times, since)
    }

    /// How many of them made a pod or took one away.
    pub fn pods_since(&self, since: Instant) -> usize {
        count(&self.pods, since)
    }
}

fn count(times: &[Instant], since: Instant) -> usize {
    times.iter().rev().take_while(|at| **at > since).count()
}

type Shared = Arc<Mutex<BTreeMap<String, Traffic>>>;

/// Everything that is seen. It ends with it.
pub struct Observer<'a> {
    /// The objects of all namespaces.
    pub record: Record,
    traffic: Shared,
    reading: JoinHandle<()>,
    operator: &'a Operator,
}

impl<'a> Observer<'a> {
    /// Begins to look.
    pub async fn begin(control_plane: &ControlPlane, operator: &'a Operator) -> Result<Self> {
        let record = Record::begin(&control_plane.client(Identity::Tests).await?);
        let traffic = Shared::default();
        let (mut tail, shared) = (control_plane.tail(Identity::Operator), traffic.clone());
        let begun = Instant::now();
        let reading = tokio::spawn(async move {
            loop {
                // An error is a log that is not there yet.
                for call in tail.read().unwrap_or_default() {
                    let mut all = lock(&shared);
                    let traffic = all.entry(call.object.namespace.clone()).or_default();
                    if call.object.resource == "events" {
                        traffic.events += 1;
                        continue;
                    }
                    traffic.times.push(Instant::now());
                    let moves = call.object.resource == "pods" && ["create", "delete"].contains(&call.verb.as_str());
                    if moves && (200..300).contains(&call.answer.code) {
                        traffic.pods.push(Instant::now());
                    }
                    traffic.last.truncate(KEPT - 1);
                    traffic.last.push_front(format!("{:.1} s: {}", begun.elapsed().as_secs_f64(), call.in_words()));
                }
                tokio::time::sleep(POLL).await;
            }
        });
        Ok(Self { record, traffic, reading, operator })
    }

    /// The operator's calls in a namespace so far.
    pub fn traffic(&self, namespace: &str) -> Traffic {
        lock(&self.traffic).entry(namespace.to_owned()).or_default().clone()
    }

    /// All of its calls in namespaces, events apart.
    pub fn calls(&self) -> (usize, usize) {
        let all = lock(&self.traffic);
        all.values().fold((0, 0), |(calls, events), t| (calls + t.times.len() - 1, events + t.events))
    }

    /// How long nothing has been changed in a namespace, and the operator has called nothing there.
    pub fn quiet(&self, namespace: &str) -> Duration {
        let called = lock(&self.traffic).get(namespace).and_then(|t| t.times.last().map(Instant::elapsed));
        self.record.still(namespace).min(called.unwrap_or(Duration::MAX))
    }

    /// An error when the operator has ended, or some part of it has panicked.
    pub fn no_crash(&self) -> Result<()> {
        if let Some(code) = self.operator.exit_code()? {
            bail!("the operator has ended with {code}");
        }
        no_panic(&self.operator.log())
    }
}

impl Drop for Observer<'_> {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn no_panic(log: &str) -> Result<()> {
    match log.lines().find(|line| line.contains("panicked")) {
        Some(line) => bail!("a panic in the operator's log: {line}"),
        None => Ok(()),
    }
}

fn lock(shared: &Mutex<BTreeMap<String, Traffic>>) -> MutexGuard<'_, BTreeMap<String, Traffic>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_found_wherever_it_was_caught() {
        assert!(no_panic("{\"level\":\"INFO\",\"message\":\"a pass\"}\n").is_ok());
        assert!(no_panic("a pass\nthread 'main' (7) panicked at src/plan/pod.rs:1:2:\nno such pod\n").is_err());
    }
}
