//! `status.blockedPods`: up to ten pods that keep the set from its goal, and why (O-10).

use crate::{
    action::WaitFor,
    backoff, name,
    scale::Scaling,
    snapshot::{Memory, Pod},
    view::View,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use ordinal_api::BlockedPod;

const AT_MOST: usize = 10;

/// A kubelet may take this much longer than the grace period before its pod counts as stuck.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

pub(crate) fn list(view: &View<'_>, scaling: &Scaling, memory: &Memory) -> Vec<BlockedPod> {
    let pods = view.slots.iter().chain(view.condemned.iter().rev());
    let mut blocked: Vec<(i32, BlockedPod)> =
        pods.filter_map(|(ordinal, pod)| Some((*ordinal, judge(view, memory, *ordinal, pod)?))).take(AT_MOST).collect();
    for (ordinal, other) in view.taken_slots() {
        let message = "a pod of this name exists that is not the set's".to_owned();
        blocked.push((ordinal, entry(view, &other.name, "NameTaken", message, None)));
    }
    if let Some(wait) = scaling.wait.as_ref().filter(|w| w.why == WaitFor::StaleClaim) {
        let ordinal = name::parse(&wait.pod).ordinal.unwrap_or(0);
        blocked.push((ordinal, entry(view, &wait.pod, "ClaimPending", wait.to_string(), None)));
    }
    blocked.sort_by_key(|(ordinal, _)| *ordinal);
    blocked.into_iter().map(|(_, b)| b).take(AT_MOST).collect()
}

/// When a pod that is terminating now has to be looked at again.
pub(crate) fn stuck_at(pod: &Pod) -> Option<Timestamp> {
    pod.deleting?.checked_add(SLACK).ok()
}

fn judge(view: &View<'_>, memory: &Memory, ordinal: i32, pod: &Pod) -> Option<BlockedPod> {
    if let Some(deadline) = stuck_at(pod) {
        let lost = pod.trouble.as_ref().filter(|t| t.reason == "NodeLost");
        return match lost {
            Some(trouble) => Some(entry(view, &pod.name, "NodeLost", trouble.message.clone(), trouble.since)),
            None if deadline <= view.now => {
                let message = "its grace period is over, and it is still there".into();
                Some(entry(view, &pod.name, "Terminating", message, pod.deleting))
            }
            None => None,
        };
    }
    if pod.has_ended() {
        backoff::wait_until(&memory.failures, ordinal, pod, view.now)?;
        let failure = memory.failures.slots.get(&ordinal)?;
        let message = format!("it failed within a minute of its creation, {} in a row", times(failure.count));
        return Some(entry(view, &pod.name, "FailingFast", message, Some(failure.seen)));
    }
    if pod.is_running_and_ready() {
        return None;
    }
    let unscheduled = pod.trouble.as_ref().is_some_and(|t| t.reason == "Unschedulable");
    if unscheduled && let Some(claim) = view.claims_of(ordinal).find(|c| c.pending) {
        let trouble = pod.trouble.as_ref()?;
        // A claim that waits for its first consumer is pending because the pod is, so the scheduler's words come along.
        let message = format!("claim {} is not bound: {}", claim.name, trouble.message);
        return Some(entry(view, &pod.name, "ClaimPending", message, trouble.since));
    }
    let trouble = pod.trouble.as_ref()?;
    Some(entry(view, &pod.name, &trouble.reason, trouble.message.clone(), trouble.since))
}

fn times(count: u32) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

/// `since` is what is known, else what was written before for the same trouble, else now.
fn entry(view: &View<'_>, name: &str, reason: &str, message: String, since: Option<Timestamp>) -> BlockedPod {
    let before = view.set.status.blocked_pods.iter().find(|b| b.name == name && b.reason == reason);
    // Whole seconds, as they are stored: what is written shall equal what comes back.
    let since = since.and_then(|at| Timestamp::from_second(at.as_second()).ok());
    let since = since.map(Time).or_else(|| before.and_then(|b| b.since.clone())).unwrap_or(Time(view.now));
    BlockedPod { name: name.into(), reason: reason.into(), message, since: Some(since) }
}
