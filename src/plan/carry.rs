//! What it takes to carry a plan out: the request that each action is, which refusals are as good as success, and what is kept
//! for the next plan. It is not part of a plan, and here so that the operator sends what the simulation is judged by.

use crate::{
    Plan,
    action::{Action, Templates},
    backoff, claim,
    freshness::Kind,
    pod, revision, service,
    snapshot::{Memory, Refusal, Set, Trial, Verdict},
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp};
use ordinal_api::OrdinalSetStatus;
use serde_json::{Value, json};

/// One request of the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The kind of the object that it is about.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// POST this object.
    Create(Value),
    /// The same, as a dry run.
    Try(Value),
    /// PATCH by RFC 7386.
    Merge(Value),
    /// PATCH, lists merged by key.
    Strategic(Value),
    /// DELETE exactly the object of this UID, in its own time (O-5, N-2).
    Delete(String),
    /// DELETE exactly this version of the object of this UID, and leave what it owns.
    Orphan {
        /// `metadata.uid`
        uid: String,
        /// `metadata.resourceVersion`
        resource_version: String,
    },
}

/// What a refusal says of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'m> {
    /// It is not there.
    Gone,
    /// One of its name is there.
    Taken,
    /// It is not the one, or not the version, that was judged.
    Changed,
    /// The server will not do it until somebody changes something; with its words.
    Refused(&'m str),
    /// Nothing.
    Other,
}

impl Action {
    /// The request that it is.
    pub fn request(&self, set: &Set, templates: &Templates) -> Request {
        let (kind, name, ask) = match self {
            Self::AdoptPod { name, uid } => (Kind::Pod, name, adopt(set, uid)),
            Self::AdoptRevision { name, uid } => (Kind::Revision, name, adopt(set, uid)),
            Self::ReleasePod { name, uid } => {
                (Kind::Pod, name, owned_by(uid, json!({"$patch": "delete", "uid": set.uid})))
            }
            Self::CreateRevision { name, hash, number } => {
                (Kind::Revision, name, Ask::Create(revision::desired(set, name, hash, *number)))
            }
            Self::RenumberRevision { name, uid, number } => {
                (Kind::Revision, name, Ask::Merge(json!({"metadata": {"uid": uid}, "revision": number})))
            }
            Self::DeleteRevision { name, uid } => (Kind::Revision, name, Ask::Delete(uid.clone())),
            Self::CreateService { name } => (Kind::Service, name, Ask::Create(service::desired(set))),
            Self::UpdateService { name, patch } => (Kind::Service, name, Ask::Merge(patch.clone())),
            Self::CreateClaim { name, template, .. } => {
                (Kind::Claim, name, Ask::Create(claim::desired(set, template, name).unwrap_or_default()))
            }
            Self::UpdateClaim(change) => (Kind::Claim, &change.name, Ask::Strategic(claim::owner_patch(change))),
            Self::CreatePod { name, ordinal, revision } => {
                (Kind::Pod, name, Ask::Create(pod::desired(set, *ordinal, templates.get(*revision))))
            }
            Self::UpdatePod { name, uid, ordinal, labels, volumes } => {
                let mut change = json!({"metadata": {"uid": uid}});
                if *labels {
                    change["metadata"]["labels"] = pod::identity_labels(name, *ordinal).into();
                }
                if *volumes {
                    change["spec"]["volumes"] = pod::volumes(set, *ordinal, None).into();
                }
                (Kind::Pod, name, Ask::Strategic(change))
            }
            Self::DeletePod { name, uid, .. } => (Kind::Pod, name, Ask::Delete(uid.clone())),
            Self::TryPod { name, ordinal } => {
                (Kind::Pod, name, Ask::Try(pod::desired(set, *ordinal, &templates.update)))
            }
            Self::RetainClaims { name, uid, resource_version } => {
                let policy = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
                let metadata = json!({"uid": uid, "resourceVersion": resource_version});
                let change = json!({"metadata": metadata, "spec": {"persistentVolumeClaimRetentionPolicy": policy}});
                (Kind::Native, name, Ask::Merge(change))
            }
            Self::PromisePod { name, uid } => (Kind::Pod, name, promise(set, uid)),
            Self::PromiseRevision { name, uid } => (Kind::Revision, name, promise(set, uid)),
            Self::ReleaseNative { name, uid, resource_version } => {
                let (uid, resource_version) = (uid.clone(), resource_version.clone());
                (Kind::Native, name, Ask::Orphan { uid, resource_version })
            }
            Self::EndAdoption => {
                let metadata = json!({"uid": set.uid, "resourceVersion": set.resource_version});
                (Kind::Set, &set.name, Ask::Merge(json!({"metadata": metadata, "spec": {"adoptFrom": null}})))
            }
        };
        Request { kind, name: name.clone(), ask }
    }

    /// Whether it makes the set the controller (S-2.5, S-3.11).
    pub fn adopts(&self) -> bool {
        matches!(self, Self::AdoptPod { .. } | Self::AdoptRevision { .. })
    }

    /// Whether it is a step of taking over a StatefulSet.
    pub fn takes_over(&self) -> bool {
        match self {
            Self::RetainClaims { .. }
            | Self::PromisePod { .. }
            | Self::PromiseRevision { .. }
            | Self::ReleaseNative { .. }
            | Self::EndAdoption => true,
            Self::UpdateClaim(change) => change.pod.is_none(),
            _ => false,
        }
    }

    /// Whether the set is to be read live before: it is made an owner, or what is deleted goes for its sake.
    pub fn needs_the_live_set(&self) -> bool {
        self.adopts() || matches!(self, Self::ReleaseNative { .. })
    }

    /// Whether a refusal is as good as success.
    pub fn is_content_with(&self, answer: Answer<'_>) -> bool {
        match self {
            Self::AdoptPod { .. } | Self::AdoptRevision { .. } | Self::UpdateClaim(_) => answer == Answer::Gone,
            // Gone, or another one by now, is as good (S-2.5, O-5).
            Self::ReleasePod { .. }
            | Self::DeletePod { .. }
            | Self::DeleteRevision { .. }
            | Self::UpdateService { .. }
            // It is judged anew.
            | Self::RetainClaims { .. }
            | Self::PromisePod { .. }
            | Self::PromiseRevision { .. }
            | Self::ReleaseNative { .. }
            | Self::EndAdoption => matches!(answer, Answer::Gone | Answer::Changed),
            // Somebody was faster: the watch brings it.
            Self::CreateService { .. } => answer == Answer::Taken,
            Self::TryPod { .. } => match answer {
                Answer::Taken => true,
                // Quota is judged last, so the rest was fine; with such a webhook in the way it cannot be known (O-4).
                Answer::Refused(m) => m.contains("exceeded quota") || m.contains("does not support dry run"),
                _ => false,
            },
            Self::CreateRevision { .. }
            | Self::RenumberRevision { .. }
            | Self::CreateClaim { .. }
            | Self::CreatePod { .. }
            | Self::UpdatePod { .. } => false,
        }
    }
}

fn adopt(set: &Set, uid: &str) -> Ask {
    owned_by(uid, json!(set.controller_ref()))
}

fn promise(set: &Set, uid: &str) -> Ask {
    let OwnerReference { api_version, kind, name, uid: owner, .. } = set.controller_ref();
    owned_by(uid, json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": owner}))
}

/// Changes one owner of exactly the object of this UID; others stay (N-10).
fn owned_by(uid: &str, owner: Value) -> Ask {
    Ask::Strategic(json!({"metadata": {"uid": uid, "ownerReferences": [owner]}}))
}

/// The merge patch of a set's status: only of the set and the version that it was made from.
pub fn status_patch(set: &Set, status: &OrdinalSetStatus) -> Value {
    json!({"metadata": {"uid": set.uid, "resourceVersion": set.resource_version}, "status": status})
}

/// What the next plan is to know of how this one went.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// The write that the server refused, if it refused one.
    pub refusal: Option<Refusal>,
    /// What a dry run brought.
    pub trial: Option<Trial>,
    /// Whether the governing Service could be written; absent when nothing was to be written.
    pub service: Option<Result<(), String>>,
}

impl Learned {
    /// What keeps a pod from being made or taken over, and only somebody else can mend, is for the status too. The first one
    /// counts.
    pub fn note_refusal(&mut self, action: &Action, message: &str) {
        let makes_pods = matches!(
            action,
            Action::CreatePod { .. }
                | Action::UpdatePod { .. }
                | Action::CreateRevision { .. }
                | Action::CreateClaim { .. }
        );
        if (makes_pods || action.takes_over()) && self.refusal.is_none() {
            self.refusal = Some(Refusal { doing: action.to_string(), message: message.to_owned() });
        }
    }
}

impl Plan {
    /// The status to be written. Where pods or revisions could not be had nothing is said about them, but what is in the way
    /// is (S-4.1).
    pub fn status_to_write(&self, set: &Set, undetermined: bool) -> OrdinalSetStatus {
        let status = self.status.clone();
        if undetermined { OrdinalSetStatus { conditions: status.conditions, ..set.status.clone() } } else { status }
    }

    /// What a dry run of the update revision's pod brought (O-4): nothing, or why the server would not run it.
    pub fn trial(&self, set: &Set, refused: Option<String>, now: Timestamp) -> Trial {
        let revision = self.templates.update.revision.clone();
        let verdict = match refused {
            None => Verdict::Passed,
            Some(message) => {
                let count = match self.memory.trial.as_ref().filter(|t| t.revision == revision).map(|t| &t.verdict) {
                    Some(Verdict::Refused { count, .. }) => count.saturating_add(1),
                    _ => 1,
                };
                let pause = backoff::delay(count, backoff::TRIAL_FIRST, backoff::LONGEST);
                Verdict::Refused { message, count, retry_at: now.checked_add(pause).unwrap_or(now) }
            }
        };
        Trial { revision, generation: set.generation, verdict }
    }

    /// What to hand to the next plan. `before` was handed to this one; `failed` is whether anything did.
    pub fn memory_after(&self, before: &Memory, learned: &Learned, failed: bool) -> Memory {
        let mut memory = self.memory.clone();
        if let Some(trial) = &learned.trial {
            memory.trial = Some(trial.clone());
        }
        if let Some(service) = &learned.service {
            memory.service_error = service.clone().err();
        }
        // A pass that failed before it came to what was refused says nothing about it.
        let clear = !failed || learned.refusal.is_some();
        memory.refusal = if clear { learned.refusal.clone() } else { before.refusal.clone() };
        memory
    }
}
