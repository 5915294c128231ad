//! The decision: what to do for one set, now. A pure function of a [`Snapshot`]: no client, no clock, no randomness, and
//! the same snapshot gives the same [`Plan`], byte for byte.
//!
//! | file | holds |
//! |---|---|
//! | [`snapshot`] | input: the set, its pods, claims, revisions and Service, the time, what earlier passes left |
//! | [`action`] | output: actions in stages, the status, when to look again |
//! | [`adoption`], [`native`] | taking over a StatefulSet, and keeping off while one is there |
//! | `view` | the snapshot sorted into slots and condemned pods: the one view of a pass (S-4.19) |
//! | `ownership` | keep, adopt, release (S-2.5) |
//! | [`revision`] | what a revision records, its hash, current and update, history (S-3) |
//! | [`meaning`] | when two templates are equal (O-13) |
//! | [`pod`], [`claim`], [`service`] | the objects that are made, and whether existing ones are right (S-2, S-5, O-9) |
//! | [`scale`] | phases A to C: slots and condemned pods (S-4.4, S-4.5) |
//! | `rollout` | phase D: outdated pods (S-4.6 ff.), the dry run before (O-4) |
//! | `backoff` | pods that fail at once (O-7) |
//! | `status`, `blocked` | counters, completion, conditions (S-6, O-10) |
//! | [`carry`] | what it takes to carry a plan out: requests, refusals, what is kept |
//! | [`gather`] | the snapshot, out of lists of all that a namespace holds |
//! | [`explain`] | a plan in words |
//! | [`labels`] | those of pods, in little space |
//! | [`freshness`] | whether the snapshot has what earlier passes wrote (S-8.6) |
//! | [`check`] | what a plan must never do, as functions (N-x) |

pub mod action;
pub mod adoption;
mod backoff;
mod blocked;
pub mod carry;
pub mod check;
pub mod claim;
pub mod condition;
mod difference;
pub mod explain;
pub mod freshness;
pub mod gather;
#[cfg(test)]
mod golden;
pub mod labels;
pub mod meaning;
mod memory;
pub mod mounts;
pub mod name;
pub mod native;
mod ownership;
pub mod pod;
mod quantity;
pub mod revision;
mod rollout;
pub mod scale;
pub mod service;
mod share;
pub mod snapshot;
mod status;
mod view;

pub use action::{Plan, Templates};
use action::{Stage, StageKind};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use scale::Scaling;
pub use snapshot::Snapshot;
use snapshot::{Memory, Set};
use view::View;

/// Decides.
pub fn plan(s: &Snapshot) -> Plan {
    adoption::plan(s, usual).unwrap_or_else(|| usual(s))
}

/// What is done for a set that has its pods to itself. The phases are those of S-4.1 to S-4.3, in their order.
fn usual(s: &Snapshot) -> Plan {
    let set = &*s.set;
    let mut claimed = ownership::claim(s);
    let claiming = revision::adoptions(s).into_iter().chain(std::mem::take(&mut claimed.actions));
    let mut chosen = revision::choose(s);
    let recording = std::mem::take(&mut chosen.actions);
    let templates = &chosen.templates;
    let view = View::new(s, claimed);
    let budget = rollout::budget(&view);
    let service = service::judge(s);

    let mut memory = s.memory.clone();
    memory.service_missing_since = service.missing_since;
    memory.service_mended = service.mended;
    memory.failures = backoff::count(&view, &s.memory.failures, &templates.update.revision);

    // A set being deleted has its status written and its pods left alone (S-4.2, N-8).
    let scaling = if set.deleting { Scaling::default() } else { scale::scale(&view, &memory.failures, templates) };
    let rollout = if set.deleting || scaling.stopped {
        rollout::Rollout::default()
    } else {
        rollout::roll_out(&view, templates, &memory, budget)
    };

    let mut status = status::count(&view, templates, chosen.collision_count);
    let progress = status::Progress { templates, scaling: &scaling, memory: &memory, budget, service: service.ready };
    status::judge(&view, &progress, &mut status);

    let used = |revision: &str| view.claimed.iter().any(|pod| pod.revision() == revision);
    let history = revision::truncate(set, &chosen, used, &status);
    let requeue_after = requeue_after(&view, &memory, &status, [service.look_again, rollout.retry_at]);

    let mut stages = Vec::new();
    stages.extend(Stage::one_by_one(StageKind::Claiming, claiming));
    stages.extend(service.stage);
    stages.extend(Stage::one_by_one(StageKind::Revision, recording));
    let Scaling { stages: scale_stages, wait, failures, conflicting, .. } = scaling;
    stages.extend(scale_stages);
    stages.extend(rollout.stages);
    stages.extend(Stage::one_by_one(StageKind::History, history));
    let templates = chosen.templates;
    Plan { stages, status, templates, wait, failures, budget, requeue_after, conflicting_claims: conflicting, memory }
}

/// The earliest moment at which time alone changes the plan.
fn requeue_after(
    view: &View<'_>,
    memory: &Memory,
    status: &ordinal_api::OrdinalSetStatus,
    others: [Option<Timestamp>; 2],
) -> Option<SignedDuration> {
    let waits = view.slots.iter().filter_map(|(o, pod)| backoff::wait_until(&memory.failures, *o, pod, view.now));
    let stuck = view.members().filter_map(|(_, pod)| blocked::stuck_at(pod)).filter(|at| *at > view.now);
    let moments = waits.chain(stuck).chain(others.into_iter().flatten());
    let timers = moments.map(|at| at.duration_since(view.now));
    timers.chain(availability(view, status)).min().map(|d| d.max(SignedDuration::ZERO))
}

/// When the next ready pod becomes available (S-8.5).
fn availability(view: &View<'_>, status: &ordinal_api::OrdinalSetStatus) -> Option<SignedDuration> {
    let set: &Set = view.set;
    let min_ready = set.spec.min_ready_seconds;
    if min_ready <= 0 || status.ready_replicas == status.available_replicas {
        return None;
    }
    let pending = view.claimed.iter().filter(|pod| pod.ready && !view.is_available(pod));
    let next = pending.filter_map(|pod| pod.available_in(min_ready, view.now)).min();
    Some(next.unwrap_or(SignedDuration::from_secs(min_ready.into())))
}
