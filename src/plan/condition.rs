//! A pod's class: ready, available, failed, terminating (native.md §0.3), and what keeps it from running (O-10).

use crate::snapshot::{Phase, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use ordinal_api::lite;

impl Pod {
    /// Whether an API server has seen it.
    pub fn is_created(&self) -> bool {
        self.phase != Phase::None
    }

    /// Whether it has a deletionTimestamp.
    pub fn is_terminating(&self) -> bool {
        self.deleting.is_some()
    }

    /// Whether all its containers have ended, for good.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Failed | Phase::Succeeded)
    }

    /// Phase Running and ready.
    pub fn is_running_and_ready(&self) -> bool {
        self.phase == Phase::Running && self.ready
    }

    /// Ready for at least `min_ready` seconds; the phase does not matter.
    pub fn is_available(&self, min_ready: i32, now: Timestamp) -> bool {
        self.ready
            && (min_ready <= 0 || self.available_in(min_ready, now).is_some_and(|left| left <= SignedDuration::ZERO))
    }

    /// How long until a ready pod is available; absent when the time it got ready is unknown.
    pub fn available_in(&self, min_ready: i32, now: Timestamp) -> Option<SignedDuration> {
        self.ready_since.map(|since| SignedDuration::from_secs(min_ready.into()) - now.duration_since(since))
    }

    /// Not available, or terminating.
    pub fn is_unavailable(&self, min_ready: i32, now: Timestamp) -> bool {
        self.is_terminating() || !self.is_available(min_ready, now)
    }

    /// The name of the revision it was made from; empty if its label is absent.
    pub fn revision(&self) -> &str {
        self.labels.revision()
    }
}

/// What keeps a pod from running, in the words of whoever found it (O-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One word.
    pub reason: String,
    /// In words.
    pub message: String,
    /// Since when, where the pod's status tells.
    pub since: Option<Timestamp>,
}

impl Trouble {
    /// What a pod's own status tells; access to nodes is not needed.
    pub fn of(pod: &lite::Pod) -> Option<Self> {
        let status = &pod.status;
        let condition = |type_: &str| status.conditions.iter().find(|c| c.type_ == type_);
        let because = |reason: &str, c: &lite::PodCondition| Self {
            reason: reason.into(),
            message: c.message.clone(),
            since: c.last_transition_time.as_ref().map(|t| t.0),
        };
        if let Some(c) = condition("DisruptionTarget").filter(|c| c.reason == "DeletionByTaintManager") {
            return Some(because("NodeLost", c));
        }
        if status.reason == "NodeLost" || status.phase == "Unknown" {
            let message = "the node that runs it does not answer".into();
            return Some(Self { reason: "NodeLost".into(), message, since: None });
        }
        if let Some(c) = condition("PodScheduled").filter(|c| c.status == "False" && c.reason == "Unschedulable") {
            return Some(because("Unschedulable", c));
        }
        let waiting = status.init_container_statuses.iter().chain(&status.container_statuses);
        waiting.filter_map(|c| c.state.waiting.as_ref()).find_map(|w| {
            let reason = match w.reason.as_str() {
                "" | "ContainerCreating" | "PodInitializing" => return None,
                // The kubelet goes back and forth between these two.
                "ErrImagePull" => "ImagePullBackOff",
                other => other,
            };
            Some(Self { reason: reason.into(), message: w.message.clone(), since: None })
        })
    }
}
