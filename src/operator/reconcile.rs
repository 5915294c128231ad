//! One pass over one set: freshness gate, snapshot, plan, execution, status, notes for the next pass.

use crate::{
    book::{Book, Notes},
    cache::Key,
    collect::Caches,
    events::{Events, Subject},
    executor::{Executor, Report},
    kinds::Observed,
    metrics::Metrics,
    outcome::Failure,
    sets::object_ref,
};
use kube::runtime::controller::Action;
use ordinal_api::OrdinalSetStatus;
use ordinal_plan::{
    plan,
    snapshot::{Memory, Set},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tracing::{Instrument, debug, info_span, warn};

/// While many pods move, a status is written no more often than this (O-10).
const STATUS_PAUSE: Duration = Duration::from_millis(500);

/// Writes wake their set when they arrive in the cache. Should that event not come, it is looked at again after this.
const STALE_PAUSE: Duration = Duration::from_secs(2);

/// A set that is skipped is told again after this: its status says nothing, and an event is kept for an hour.
const TELL_AGAIN: Duration = Duration::from_secs(50 * 60);

/// What all passes share.
pub struct Context {
    /// What is known of the cluster.
    pub caches: Arc<Caches>,
    /// The only writer.
    pub executor: Executor,
    /// What is remembered of each set.
    pub book: Arc<Book>,
    /// What is measured.
    pub metrics: Metrics,
    /// For sets that cannot be planned for.
    pub events: Events,
    /// Whether passes may run: caches filled, lease held.
    pub open: watch::Receiver<Gate>,
}

impl Context {
    /// A set is gone.
    pub fn forget(&self, key: &Key) {
        self.book.forget(key);
        self.metrics.forget(key);
    }
}

/// Whether passes may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Not yet.
    Waiting,
    /// Yes.
    Open,
    /// No more: the process is stopping.
    Closed,
}

/// A pass that is to be tried again.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// What failed, all of it.
    what: String,
    /// How long the server asked to be left alone.
    retry_after: Option<Duration>,
}

/// The controller's entry: waits for the gate, then runs a pass over the newest state of the set.
///
/// # Errors
/// When the pass did not go through; [`retry`] says when it is tried again.
pub async fn reconcile(observed: Arc<Observed>, context: Arc<Context>) -> Result<Action, Error> {
    let mut open = context.open.clone();
    let gate = open.wait_for(|gate| *gate != Gate::Waiting).await.map_or(Gate::Closed, |gate| *gate);
    if gate == Gate::Closed {
        return Ok(Action::await_change());
    }
    let key = Key::of(&*observed);
    let started = Instant::now();
    context.metrics.queue().take(&key);
    let (result, outcome) = match look_at(key, &context).await {
        Ok(Some(next)) => ("success", Ok(next)),
        Ok(None) => ("skipped", Ok(Action::requeue(TELL_AGAIN))),
        Err(error) => ("error", Err(error)),
    };
    context.metrics.passed(result, started.elapsed());
    outcome
}

/// A pass over the newest state of a set; none when it cannot be planned for.
async fn look_at(key: Key, context: &Context) -> Result<Option<Action>, Error> {
    // The gate may have been shut for long.
    let Some(observed) = context.caches.sets.store.get(&object_ref(&key)) else {
        context.forget(&key);
        return Ok(Some(Action::await_change()));
    };
    match &observed.set {
        Ok(set) => {
            let span = info_span!("pass", namespace = key.namespace, set = key.name, generation = set.generation);
            pass(key, set, context).instrument(span).await.map(Some)
        }
        Err(why) => {
            report_invalid(&key, &observed, why, &context.events);
            context.metrics.forget(&key);
            Ok(None)
        }
    }
}

/// When a failed pass is tried again: ever later, and not before the server wants it. An event of the set comes first.
pub fn retry(observed: Arc<Observed>, error: &Error, context: Arc<Context>) -> Action {
    let pause = context.book.failed(&Key::of(&*observed));
    context.metrics.queue().retry();
    Action::requeue(pause.max(error.retry_after.unwrap_or_default()))
}

async fn pass(key: Key, set: &Arc<Set>, context: &Context) -> Result<Action, Error> {
    let mut notes = context.book.read(&key, &set.uid);
    if let Some(kind) = context.caches.lagging(&set.namespace, &notes.writes) {
        debug!(cache = ?kind, "the caches do not have the last pass's writes yet");
        context.metrics.stale_pass(kind);
        return Ok(Action::requeue(STALE_PAUSE));
    }
    notes.writes = Default::default();
    let snapshot = context.caches.snapshot(set, notes.memory.clone());
    // A set that the planner cannot bear must not end the process that serves the others (N-14).
    let planned = catch_unwind(AssertUnwindSafe(|| plan(&snapshot)));
    let Ok(plan) = planned else {
        return Err(Error { what: "the planner panicked: a defect, please report it".into(), retry_after: None });
    };
    debug!("{plan}");
    let mut report = context.executor.execute(set, &plan).await;

    let status = plan.status_to_write(set, report.undetermined);
    context.metrics.judged(set, &status, plan.budget);
    let status = write_status(set, &status, &mut notes, &mut report, context).await;
    let memory = plan.memory_after(&notes.memory, &report.learned, !report.failures.is_empty());
    let again = says_more(&notes.memory, &memory);
    notes.memory = memory;
    notes.writes.marks.append(&mut report.writes.marks);
    notes.writes.deleted.append(&mut report.writes.deleted);
    let failed = report.failures;
    if failed.is_empty() {
        notes.failed = 0;
    }
    context.book.write(key, notes);

    if !failed.is_empty() {
        return Err(failure(&failed));
    }
    let planned = plan.requeue_after.and_then(|after| Duration::try_from(after).ok());
    // Its event should be on the way; should it not come, nothing else would wake the set.
    let soon = report.other_than_seen.then_some(STALE_PAUSE);
    let next = [planned, status, soon, again.then_some(Duration::ZERO)].into_iter().flatten().min();
    Ok(next.map_or_else(Action::await_change, Action::requeue))
}

/// Writes the status if it differs; tells when to come back if the write is held back.
async fn write_status(
    set: &Set,
    status: &OrdinalSetStatus,
    notes: &mut Notes,
    report: &mut Report,
    context: &Context,
) -> Option<Duration> {
    if *status == set.status {
        return None;
    }
    let since = notes.status_written.map(|at| at.elapsed());
    let urgent = is_urgent(&set.status, status) || !report.failures.is_empty();
    if let Some(since) = since.filter(|since| *since < STATUS_PAUSE && !urgent) {
        return Some(STATUS_PAUSE - since);
    }
    match context.executor.write_status(set, status).await {
        Ok(mark) => {
            notes.status_written = Some(Instant::now());
            report.writes.marks.push(mark);
            None
        }
        // The set has changed meanwhile, or is gone.
        Err(Failure::Conflict(_) | Failure::NotFound(_)) => {
            report.other_than_seen = true;
            None
        }
        Err(failure) => {
            report.failures.push(("writing the status".into(), failure));
            None
        }
    }
}

/// What somebody may be waiting for is written at once (O-10).
fn is_urgent(old: &OrdinalSetStatus, new: &OrdinalSetStatus) -> bool {
    let truths =
        |s: &OrdinalSetStatus| s.conditions.iter().map(|c| (c.type_.clone(), c.status.clone())).collect::<Vec<_>>();
    old.observed_generation != new.observed_generation
        || old.current_revision != new.current_revision
        || old.update_revision != new.update_revision
        || truths(old) != truths(new)
}

/// Whether the next plan would say something else because of what this one's execution brought.
fn says_more(before: &Memory, after: &Memory) -> bool {
    after.refusal != before.refusal || after.trial != before.trial || after.service_error != before.service_error
}

fn failure(failed: &[(String, Failure)]) -> Error {
    let what = failed.iter().map(|(doing, why)| format!("{doing}: {why}")).collect::<Vec<_>>().join("; ");
    let retry_after = failed.iter().filter_map(|(_, why)| match why {
        Failure::Busy { retry_after, .. } => *retry_after,
        _ => None,
    });
    Error { what, retry_after: retry_after.max() }
}

fn report_invalid(key: &Key, observed: &Observed, why: &str, events: &Events) {
    warn!(namespace = key.namespace, set = key.name, "this OrdinalSet is skipped: {why}");
    let subject = Subject {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        uid: observed.metadata.uid.clone().unwrap_or_default(),
    };
    events.warning(&subject, "InvalidSet", "Plan", None, format!("This OrdinalSet is skipped: {why}"));
}
