//! Phases A to C: what the slots need (S-4.4), and what becomes of condemned pods (S-4.5), under both policies.

use crate::{
    action::{Action, FailedPod, Failure, Pace, Stage, StageKind, Step, Templates, Wait, WaitFor, Which, Why},
    backoff,
    claim::{self, PodRef},
    name, pod,
    snapshot::{Failures, Phase, Pod},
    view::View,
};
use ordinal_api::UpdateStrategyType;
use std::borrow::Cow;

/// How far one pass creates pods of a Parallel set; the next one goes on. It bounds what a typing error in `replicas`
/// costs, and is far above what an API server creates before the first of them comes back as an event.
const MAX_CREATIONS: usize = 5_000;

/// The largest batch of a slow start (S-4.11).
const MAX_BATCH: usize = 500;

/// What phases A to C came to.
#[derive(Default)]
pub(crate) struct Scaling {
    pub stages: Vec<Stage>,
    /// The first thing that is waited for.
    pub wait: Option<Wait>,
    /// Whether the pass ends here, and phase D is not reached.
    pub stopped: bool,
    /// Why it fails, if it does.
    pub failures: Vec<Failure>,
    /// Claims whose retention policy is ignored.
    pub conflicting: Vec<String>,
}

/// What one slot or condemned pod asks of the pass.
enum Flow {
    Next,
    /// OrderedReady: no more in this pass. Parallel: go on.
    Stop(WaitFor),
    /// The pass fails.
    Fail(Failure),
}

pub(crate) fn scale(view: &View<'_>, failures: &Failures, templates: &Templates) -> Scaling {
    let mut scaling = Scaling::default();
    phase_a(view, failures, templates, &mut scaling);
    if !scaling.stopped {
        phase_b(view, &mut scaling);
        phase_c(view, &mut scaling);
    }
    scaling
}

fn phase_a(view: &View<'_>, failures: &Failures, templates: &Templates, out: &mut Scaling) {
    let mut steps = Vec::new();
    let mut batch = Batch::default();
    let mut created = 0;
    for (ordinal, existing) in view.ordinals() {
        // A failure lets the rest of its batch be done, and no more (S-4.11).
        if batch.take_one() && !out.failures.is_empty() {
            break;
        }
        let mut actions = Vec::new();
        let flow = match existing {
            Some(pod) => occupied(view, failures, ordinal, pod, &mut actions, &mut out.conflicting),
            None => empty(view, templates, ordinal, &mut actions, &mut out.conflicting),
        };
        created += usize::from(existing.is_none());
        if !actions.is_empty() {
            steps.push(Step(actions));
        }
        let name = || existing.map_or_else(|| name::pod(&view.set.name, ordinal), |pod| pod.name.clone());
        if out.follow(flow, name, view.set.parallel()) || created >= MAX_CREATIONS {
            break;
        }
    }
    out.push(StageKind::Slots, view, steps);
}

/// A slot with a pod, in the order of S-4.4.
fn occupied(
    view: &View<'_>,
    failures: &Failures,
    ordinal: i32,
    pod: &Pod,
    actions: &mut Vec<Action>,
    conflicting: &mut Vec<String>,
) -> Flow {
    if pod.has_ended() {
        if !pod.is_terminating() && backoff::wait_until(failures, ordinal, pod, view.now).is_none() {
            let why = if pod.phase == Phase::Failed { Why::Failed } else { Why::Succeeded };
            actions.push(Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone(), why });
        }
        return Flow::Stop(WaitFor::Replacement);
    }
    let pending = pod.phase == Phase::Pending;
    if pending {
        // A claim that was deleted after its pod was made is made again (S-5.3).
        if let Err(message) = claim::create_missing(view, ordinal, &pod.name, actions) {
            return Flow::Fail(Failure { pod: None, message });
        }
        see_to_owners(view, ordinal, &PodRef::from(pod), actions, conflicting);
    }
    let unfinished = if pod.is_terminating() {
        Some(WaitFor::Termination)
    } else if pending {
        Some(WaitFor::Start)
    } else if !pod.is_running_and_ready() {
        Some(WaitFor::Readiness)
    } else if !view.is_available(pod) {
        Some(WaitFor::Availability)
    } else {
        None
    };
    if let Some(why) = unfinished
        && !view.set.parallel()
    {
        return Flow::Stop(why);
    }
    if let Err(message) = repair(view, ordinal, pod, pending, actions, conflicting) {
        let pod = FailedPod::Update(name::pod(&view.set.name, ordinal));
        return Flow::Fail(Failure { pod: Some(pod), message });
    }
    unfinished.map_or(Flow::Next, Flow::Stop)
}

/// Identity, storage and the claims' owners of a pod that stays (S-2.9). With `pending` its claims were seen to already.
fn repair(
    view: &View<'_>,
    ordinal: i32,
    existing: &Pod,
    pending: bool,
    actions: &mut Vec<Action>,
    conflicting: &mut Vec<String>,
) -> Result<(), String> {
    let identity = pod::identity_matches(view.set, ordinal, existing);
    let storage = pod::storage_matches(view.set, &view.claim_templates, ordinal, existing);
    // By the name that it shall have (S-2.7).
    let name = if identity { Cow::Borrowed(&existing.name) } else { Cow::Owned(name::pod(&view.set.name, ordinal)) };
    let pod_ref = PodRef { name: &name, uid: &existing.uid };
    if !pending {
        if !storage {
            claim::create_missing(view, ordinal, &name, actions)?;
        }
        let changes = actions.len();
        actions.extend(claim::owner_changes(view, ordinal, &pod_ref));
        if actions.len() > changes || !identity || !storage {
            conflicting.extend(claim::conflicting(view, ordinal, &pod_ref));
        }
    }
    if !identity || !storage {
        let uid = existing.uid.clone();
        actions.push(Action::UpdatePod { name: name.into_owned(), uid, ordinal, labels: !identity, volumes: !storage });
    }
    Ok(())
}

/// A slot without a pod: its claims, then the pod (S-5.2).
fn empty(
    view: &View<'_>,
    templates: &Templates,
    ordinal: i32,
    actions: &mut Vec<Action>,
    conflicting: &mut Vec<String>,
) -> Flow {
    let name = name::pod(&view.set.name, ordinal);
    if view.taken.contains_key(name.as_str()) {
        return Flow::Stop(WaitFor::Name);
    }
    if claim::is_stale(view, ordinal, &name) {
        return Flow::Stop(WaitFor::StaleClaim);
    }
    if let Err(message) = claim::create_missing(view, ordinal, &name, actions) {
        return Flow::Fail(Failure { pod: Some(FailedPod::Create(name)), message });
    }
    actions.push(Action::CreatePod { name: name.clone(), ordinal, revision: revision_of(view, templates, ordinal) });
    let planned = PodRef { name: &name, uid: "" };
    see_to_owners(view, ordinal, &planned, actions, conflicting);
    Flow::Stop(WaitFor::Creation)
}

/// The retention policy for the claims of one ordinal, and those that somebody else's controller keeps it from (S-5.6).
fn see_to_owners(
    view: &View<'_>,
    ordinal: i32,
    pod: &PodRef<'_>,
    actions: &mut Vec<Action>,
    conflicting: &mut Vec<String>,
) {
    actions.extend(claim::owner_changes(view, ordinal, pod));
    conflicting.extend(claim::conflicting(view, ordinal, pod));
}

/// The revision of a pod made for an ordinal: below the partition the current one (S-3.9, O-12).
pub(crate) fn revision_of(view: &View<'_>, templates: &Templates, ordinal: i32) -> Which {
    let rolling = view.set.spec.update_strategy.type_ == UpdateStrategyType::RollingUpdate;
    let kept = rolling && !view.set.is_in_update_range(ordinal);
    if kept && templates.current.revision != templates.update.revision { Which::Current } else { Which::Update }
}

/// All condemned pods' claims, before any of them goes (S-5.6).
fn phase_b(view: &View<'_>, out: &mut Scaling) {
    let mut steps = Vec::new();
    for (ordinal, pod) in &view.condemned {
        let pod = PodRef::from(*pod);
        let actions: Vec<_> = claim::owner_changes(view, *ordinal, &pod).collect();
        if !actions.is_empty() {
            out.conflicting.extend(claim::conflicting(view, *ordinal, &pod));
            steps.push(Step(actions));
        }
    }
    out.push(StageKind::CondemnedClaims, view, steps);
}

/// Condemned pods, highest ordinal first; OrderedReady one at a time (S-4.5).
fn phase_c(view: &View<'_>, out: &mut Scaling) {
    let mut steps = Vec::new();
    let first_unavailable = view.first_unavailable_condemned();
    for (ordinal, pod) in &view.condemned {
        let blocked = |unhealthy: bool| unhealthy && !view.set.parallel() && first_unavailable != Some(*ordinal);
        let flow = if pod.is_terminating() {
            Flow::Stop(WaitFor::Termination)
        } else if blocked(!pod.is_running_and_ready()) {
            Flow::Stop(WaitFor::Readiness)
        } else if blocked(!view.is_available(pod)) {
            Flow::Stop(WaitFor::Availability)
        } else {
            let (name, uid) = (pod.name.clone(), pod.uid.clone());
            steps.push(Step(vec![Action::DeletePod { name, uid, why: Why::Condemned }]));
            Flow::Stop(WaitFor::Termination)
        };
        if out.follow(flow, || pod.name.clone(), view.set.parallel()) {
            break;
        }
    }
    out.push(StageKind::Condemned, view, steps);
}

impl Scaling {
    /// Notes what one element, the pod of this name, asks; true when the phase ends here.
    fn follow(&mut self, flow: Flow, name: impl FnOnce() -> String, parallel: bool) -> bool {
        match flow {
            Flow::Next => false,
            Flow::Stop(why) => {
                self.wait.get_or_insert_with(|| Wait { pod: name(), why });
                self.stopped |= !parallel;
                !parallel
            }
            Flow::Fail(failure) => {
                self.failures.push(failure);
                self.stopped = true;
                !parallel
            }
        }
    }

    fn push(&mut self, kind: StageKind, view: &View<'_>, steps: Vec<Step>) {
        let pace = if view.set.parallel() { Pace::SlowStart } else { Pace::OneByOne };
        if !steps.is_empty() {
            self.stages.push(Stage { kind, pace, steps });
        }
    }
}

/// The sizes of a slow start: 1, 2, 4, … (S-4.11).
#[derive(Clone, Default)]
pub struct Batch {
    size: usize,
    left: usize,
}

impl Batch {
    /// The size of the next batch.
    pub fn grow(&mut self) -> usize {
        self.size = (self.size * 2).clamp(1, MAX_BATCH);
        self.size
    }

    /// Takes one element; true when it is the first of a batch.
    fn take_one(&mut self) -> bool {
        let first = self.left == 0;
        if first {
            self.left = self.grow();
        }
        self.left -= 1;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_4_11_batches_double_up_to_500() {
        let mut batch = Batch::default();
        let starts: Vec<usize> = (0..2100).filter(|_| batch.take_one()).collect();
        assert_eq!(starts, [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1011, 1511, 2011]);
    }
}
