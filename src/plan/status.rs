//! The status: counters (S-6.3), completion (S-3.8, O-11), conditions and blocked pods (O-10).

use crate::{
    action::{Budget, Template, Templates, Wait, WaitFor},
    blocked,
    rollout::verdict,
    scale::Scaling,
    snapshot::{Memory, Pod, SET_KIND, Set, Snapshot, Verdict},
    view::View,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use ordinal_api::{Condition, OrdinalSetStatus, UpdateStrategyType};

/// Counters and revisions, from the pods as they were seen: never from what this pass does (O-12).
pub(crate) fn count(view: &View<'_>, templates: &Templates, collision_count: i32) -> OrdinalSetStatus {
    let set = view.set;
    let mut status = OrdinalSetStatus {
        observed_generation: set.generation,
        current_revision: templates.current.revision.clone(),
        update_revision: templates.update.revision.clone(),
        collision_count: Some(collision_count),
        selector: set.selector.to_string(),
        conditions: set.status.conditions.clone(),
        adoption: set.status.adoption.clone(),
        ..OrdinalSetStatus::default()
    };
    let mut count = |pod: &Pod| {
        let add = |counter: &mut i32, condition: bool| *counter += i32::from(condition);
        let running = pod.is_running_and_ready();
        let settled = pod.is_created() && !pod.is_terminating();
        let revision = pod.revision();
        let at = |template: &Template| settled && revision == template.revision;
        add(&mut status.replicas, pod.is_created());
        add(&mut status.ready_replicas, running);
        add(&mut status.available_replicas, running && view.is_available(pod));
        add(&mut status.current_replicas, at(&templates.current));
        add(&mut status.updated_replicas, at(&templates.update));
    };
    if set.deleting {
        view.claimed.iter().for_each(|pod| count(pod));
    } else {
        view.members().for_each(|(_, pod)| count(pod));
    }
    let n = set.spec.replicas;
    if status.replicas == n && status.updated_replicas == n && status.available_replicas == n {
        status.current_replicas = status.updated_replicas;
        status.current_revision = status.update_revision.clone();
    }
    status
}

/// What the conditions are judged by, beside the counters.
pub(crate) struct Progress<'a> {
    pub templates: &'a Templates,
    pub scaling: &'a Scaling,
    pub memory: &'a Memory,
    pub budget: Budget,
    /// Status, reason, message of ServiceReady; absent when the set names no Service.
    pub service: Option<(bool, &'static str, String)>,
}

/// Fills in conditions and blocked pods.
pub(crate) fn judge(view: &View<'_>, progress: &Progress<'_>, status: &mut OrdinalSetStatus) {
    status.blocked_pods = blocked::list(view, progress.scaling, progress.memory);
    let activity = Activity::of(view, progress, status);
    let mut set = |type_: &str, truth: bool, reason: &str, message: String| {
        put_at(&mut status.conditions, (view.set.generation, view.now), type_, truth, reason, message);
    };

    let (enough, reason, message) = available(status.available_replicas, view.set, progress.budget);
    set("Available", enough, reason, message);

    let stalled = activity.stalled;
    let busy = activity.reason != "Complete";
    set("Progressing", busy && !stalled, activity.reason, activity.message.clone());
    set("Reconciling", busy && !stalled, activity.reason, activity.message.clone());
    let why = if stalled { activity.message } else { String::new() };
    set("Stalled", stalled, if stalled { activity.reason } else { "NotStalled" }, why);
    match &progress.service {
        Some((ready, reason, message)) => set("ServiceReady", *ready, reason, message.clone()),
        None => status.conditions.retain(|c| c.type_ != "ServiceReady"),
    }
}

/// Status, reason and message of Available.
fn available(available: i32, set: &Set, budget: Budget) -> (bool, &'static str, String) {
    let replicas = set.replicas();
    let needed = replicas.saturating_sub(budget.max_unavailable).max(replicas.min(1));
    let enough = available >= needed;
    let reason = if enough { "EnoughReplicas" } else { "TooFewReplicas" };
    (enough, reason, format!("{available} of {} available, {needed} needed", pods(replicas)))
}

/// Judges Available by the counters as they stand in a status.
pub(crate) fn tell_available(status: &mut OrdinalSetStatus, s: &Snapshot, budget: Budget) {
    let (enough, reason, message) = available(status.available_replicas, &s.set, budget);
    put(&mut status.conditions, s, "Available", enough, reason, message);
}

/// What the set is busy with.
struct Activity {
    reason: &'static str,
    message: String,
    /// Nothing will move without a person or another controller.
    stalled: bool,
}

impl Activity {
    fn of(view: &View<'_>, progress: &Progress<'_>, status: &OrdinalSetStatus) -> Self {
        let set = view.set;
        let busy = |reason, message| Self { reason, message, stalled: false };
        let stalled = |reason, message| Self { reason, message, stalled: true };
        if set.deleting {
            return busy("Deleting", "the set is being deleted".into());
        }
        if let Some(refusal) = &progress.memory.refusal {
            return stalled("PodRejected", format!("{}: {}", refusal.doing, refusal.message));
        }
        let update = &progress.templates.update.revision;
        let missing = set.replicas() - i32::try_from(view.slots.len()).unwrap_or(i32::MAX);
        let outdated = view.slots.iter().filter(|(o, p)| set.is_in_update_range(*o) && p.revision() != update).count();
        let outdated = if set.spec.update_strategy.type_ == UpdateStrategyType::OnDelete { 0 } else { outdated };
        if outdated > 0
            && let Some(Verdict::Refused { message, .. }) = verdict(view, progress.templates, progress.memory)
        {
            return stalled(
                "PodRejected",
                format!("the API server would not run a pod of revision {update}: {message}"),
            );
        }
        if let Some(failure) = progress.scaling.failures.first() {
            return busy("WaitingForClaim", failure.message.clone());
        }
        let wait = progress.scaling.wait.as_ref();
        if let Some(message) = needs_a_person(view, wait, update) {
            return stalled("WaitingForPod", message);
        }
        let waiting = |doing: String| match wait {
            Some(wait) => format!("{doing}, {wait}"),
            None => doing,
        };
        if missing > 0 {
            let message = waiting(format!("{} of {} to be created", missing, pods(set.replicas())));
            let idle = outdated == 0 || progress.budget.left() == 0;
            let taken = wait.is_some_and(|w| w.why == WaitFor::Name && stays_taken(view, w, missing, idle));
            return if taken { stalled("NameTaken", message) } else { busy("ScalingUp", message) };
        }
        if !view.condemned.is_empty() {
            return busy("ScalingDown", waiting(format!("{} to go", pods(view.condemned.len()))));
        }
        if outdated > 0 {
            return busy("RollingOut", waiting(format!("{} to be brought to revision {update}", pods(outdated))));
        }
        match wait {
            Some(wait) => busy("WaitingForPod", wait.to_string()),
            None => {
                let (available, n) = (status.available_replicas, set.replicas());
                let kept = view.slots.iter().filter(|(_, p)| p.revision() != update).count();
                let rest = if kept > 0 { format!(", {kept} of them kept at another revision") } else { String::new() };
                busy("Complete", format!("{available} of {} available{rest}", pods(n)))
            }
        }
    }
}

fn pods(n: impl std::fmt::Display) -> String {
    let n = n.to_string();
    if n == "1" { "1 pod".into() } else { format!("{n} pods") }
}

/// OrderedReady waits for a pod that is itself outdated and unwell: no new template reaches it until somebody deletes
/// it (S-4.13).
fn needs_a_person(view: &View<'_>, wait: Option<&Wait>, update: &str) -> Option<String> {
    let wait = wait.filter(|_| !view.set.parallel())?;
    let (_, pod) = view.slots.iter().find(|(_, pod)| pod.name == wait.pod)?;
    let trouble = pod.trouble.as_ref().filter(|_| !pod.is_terminating() && pod.revision() != update)?;
    Some(format!(
        "{} is not at revision {update} and does not get ready ({}): delete it to have it replaced",
        pod.name, trouble.reason
    ))
}

/// The name that is waited for belongs to a pod that nobody is about to take away (S-12.8), and meanwhile nothing else moves:
/// in Parallel no other slot, condemned pod or, unless `idle`, roll-out.
fn stays_taken(view: &View<'_>, wait: &Wait, missing: i32, idle: bool) -> bool {
    let stays = |pod: &Pod| !pod.is_terminating() && !is_of_predecessor(view.set, pod);
    if !view.set.parallel() {
        return view.taken.get(wait.pod.as_str()).is_some_and(|pod| stays(pod));
    }
    let taken = view.taken_slots().filter(|(_, pod)| stays(pod)).count();
    let settled = view.condemned.is_empty() && view.slots.iter().all(|(_, pod)| !view.is_unavailable(pod));
    i32::try_from(taken) == Ok(missing) && settled && idle
}

/// Of a set of this name that is gone: the garbage collector is on its way.
fn is_of_predecessor(set: &Set, pod: &Pod) -> bool {
    pod.controller.as_ref().is_some_and(|o| o.kind == SET_KIND && o.name == set.name && o.uid != set.uid)
}

/// Sets one of our conditions; those of others stay as they are.
pub(crate) fn put(
    conditions: &mut Vec<Condition>,
    s: &Snapshot,
    type_: &str,
    truth: bool,
    reason: &str,
    message: String,
) {
    put_at(conditions, (s.set.generation, s.now), type_, truth, reason, message);
}

fn put_at(
    conditions: &mut Vec<Condition>,
    (generation, now): (i64, Timestamp),
    type_: &str,
    truth: bool,
    reason: &str,
    message: String,
) {
    let status = if truth { "True" } else { "False" };
    let old = conditions.iter_mut().find(|c| c.type_ == type_);
    let unchanged = old.as_ref().filter(|c| c.status == status).and_then(|c| c.last_transition_time.clone());
    let new = Condition {
        type_: type_.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message),
        observed_generation: Some(generation),
        last_transition_time: unchanged.or(Some(Time(now))),
    };
    match old {
        Some(old) => *old = new,
        None => conditions.push(new),
    }
}
