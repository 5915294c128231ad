//! Output of a plan: what to do, in which order, and why, in a form that a person can read.

use crate::snapshot::{Memory, Revision};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::SignedDuration};
use ordinal_api::OrdinalSetStatus;
use serde_json::Value;
use std::{fmt, sync::Arc};

/// What to do for one set, now.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// To be carried out in this order.
    pub stages: Vec<Stage>,
    /// The status as of the snapshot; written after the stages, whatever came of them (S-4.1).
    pub status: OrdinalSetStatus,
    /// Templates of the revisions that pods are made from.
    pub templates: Templates,
    /// What nothing can be done about in this pass although it should be: the pass ends here and fails (S-5.2). Several
    /// when several of one batch fail (S-4.11).
    pub failures: Vec<Failure>,
    /// What the set waits for, if for a pod.
    pub wait: Option<Wait>,
    /// What the set may do without.
    pub budget: Budget,
    /// When to look again without being woken.
    pub requeue_after: Option<SignedDuration>,
    /// Claims whose retention policy is ignored because of somebody else's controller reference (S-5.6).
    pub conflicting_claims: Vec<String>,
    /// To be handed to the next plan.
    pub memory: Memory,
}

/// How many slots may be unavailable, and how many are (O-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// `maxUnavailable` as a number of slots, at least 1.
    pub max_unavailable: i32,
    /// Slots without a pod, or with one that is unavailable.
    pub unavailable: i32,
}

impl Budget {
    /// How many available pods may go now.
    pub fn left(self) -> usize {
        usize::try_from(self.max_unavailable.saturating_sub(self.unavailable)).unwrap_or(0)
    }
}

/// A pod that the set waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Its name.
    pub pod: String,
    /// What is not yet as it must be.
    pub why: WaitFor,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// It is to be made.
    Creation,
    /// A claim of its predecessor is to be collected first (S-5.4).
    StaleClaim,
    /// A pod that is not the set's has its name (S-12.8).
    Name,
    /// It ended, and is to be replaced.
    Replacement,
    /// It is to be started.
    Start,
    /// It is to be ready.
    Readiness,
    /// It is to be ready for `minReadySeconds`.
    Availability,
    /// It is to be gone.
    Termination,
}

impl fmt::Display for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creation => "to be created",
            Self::StaleClaim => "until a claim of its predecessor is collected",
            Self::Name => "until a pod that is not the set's gives up its name",
            Self::Replacement => "to be replaced",
            Self::Start => "to start",
            Self::Readiness => "to be ready",
            Self::Availability => "to be ready for minReadySeconds",
            Self::Termination => "to be gone",
        })
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waiting for {} {}", self.pod, self.why)
    }
}

/// Why a pass fails by plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The pod that cannot be created or repaired (S-7.2); absent where only claims of a pod that exists were to be
    /// created (S-5.3).
    pub pod: Option<FailedPod>,
    /// What is in the way.
    pub message: String,
}

/// A pod that a claim keeps from being what it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedPod {
    /// It cannot be created.
    Create(String),
    /// It cannot be repaired.
    Update(String),
}

/// The two revisions that pods are made from (S-3.9).
#[derive(Clone, Debug, PartialEq)]
pub struct Templates {
    /// The last completed one.
    pub current: Template,
    /// The one that pods are brought to.
    pub update: Template,
}

/// A revision's name and its template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Name of the ControllerRevision.
    pub revision: String,
    /// The pod template.
    pub value: Arc<Value>,
}

impl Templates {
    /// The template of one of the two revisions.
    pub fn get(&self, which: Which) -> &Template {
        match which {
            Which::Current => &self.current,
            Which::Update => &self.update,
        }
    }
}

/// One of the two revisions of a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The last completed one.
    Current,
    /// The one that pods are brought to.
    Update,
}

/// Steps that belong together. A stage that fails ends the pass, except where its kind says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// What it is for.
    pub kind: StageKind,
    /// How many of its steps at a time.
    pub pace: Pace,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// What a stage is for, in the order in which stages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StageKind {
    /// Taking over a StatefulSet. Where adoptions are among it, they are made as in the next one.
    Adoption,
    /// Adopt and release (S-2.5, S-3.11). All steps are tried before a failure ends the pass.
    Claiming,
    /// The governing Service (O-9). A failure is reported and ends nothing.
    Service,
    /// The update revision (S-3.6).
    Revision,
    /// Phase A: the slots (S-4.4).
    Slots,
    /// Phase B: claims of condemned pods (S-5.6).
    CondemnedClaims,
    /// Phase C: condemned pods (S-4.5).
    Condemned,
    /// A dry run of the update revision (O-4).
    Trial,
    /// Phase D: outdated pods (S-4.7 ff.).
    Update,
    /// History truncation (S-3.10). Carried out even after a failure.
    History,
}

/// How many steps of a stage are under way at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One; a failure ends the stage.
    OneByOne,
    /// 1, 2, 4, … up to 500; a failure ends the stage after its batch (S-4.11).
    SlowStart,
}

/// Actions for one object and what hangs on it, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Step(pub Vec<Action>);

/// One write. Those that destroy or change something carry the UID of the object that was judged (O-5).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are what their names say; the variants tell the rest")]
pub enum Action {
    /// Make an orphan the set's own, after a live read of the set (S-2.5).
    AdoptPod { name: String, uid: String },
    /// Take the set's reference off a pod that no longer matches (S-2.5).
    ReleasePod { name: String, uid: String },
    /// Make an orphan revision the set's own, after a live read of the set (S-3.11).
    AdoptRevision { name: String, uid: String },
    /// Record the template (S-3.6).
    CreateRevision { name: String, hash: String, number: i64 },
    /// Bring an older equal revision to the front (S-3.6).
    RenumberRevision { name: String, uid: String, number: i64 },
    /// Forget a revision that nothing uses (S-3.10).
    DeleteRevision { name: String, uid: String },
    /// Make the governing Service (O-9).
    CreateService { name: String },
    /// Bring our own governing Service up to date (O-9).
    UpdateService { name: String, patch: Value },
    /// Make a claim from a template (S-5.1).
    CreateClaim { name: String, template: String, pod: String },
    /// Change which of our owners a claim has (S-5.6); references of others stay.
    UpdateClaim(Box<ClaimOwners>),
    /// Make the pod of an ordinal (S-2.2).
    CreatePod { name: String, ordinal: i32, revision: Which },
    /// Repair identity labels, or volumes, or both: what differs (S-2.9).
    UpdatePod { name: String, uid: String, ordinal: i32, labels: bool, volumes: bool },
    /// Delete, gracefully, exactly this pod.
    DeletePod { name: String, uid: String, why: Why },
    /// Ask by a dry run whether the server would run the update revision's pod of an ordinal (O-4).
    TryPod { name: String, ordinal: i32 },
    /// Have a StatefulSet that is to be taken over keep its claims, whoever deletes it.
    RetainClaims { name: String, uid: String, resource_version: String },
    /// Make the set an owner, but not the controller, of a pod that is to be taken over: nothing collects it then.
    PromisePod { name: String, uid: String },
    /// The same for a revision.
    PromiseRevision { name: String, uid: String },
    /// Delete exactly this version of a StatefulSet, and leave its pods.
    ReleaseNative { name: String, uid: String, resource_version: String },
    /// Take `spec.adoptFrom` away: it is done.
    EndAdoption,
}

/// A change of a claim's owner references.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimOwners {
    /// The claim.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The version that was judged: a claim that has changed since is judged again.
    pub resource_version: String,
    /// The pod it belongs to, for events; none where it is taken from a StatefulSet.
    pub pod: Option<String>,
    /// UIDs of owners to take off.
    pub remove: Vec<String>,
    /// Owners to add.
    pub add: Vec<OwnerReference>,
}

/// Why a pod is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its phase is Failed: to be replaced (S-4.4).
    Failed,
    /// Its phase is Succeeded: to be replaced (S-4.4).
    Succeeded,
    /// Its ordinal is out of range (S-4.5).
    Condemned,
    /// It is not at the update revision (S-4.7 ff.).
    Outdated,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "it failed",
            Self::Succeeded => "it ended",
            Self::Condemned => "its ordinal is out of range",
            Self::Outdated => "it is not at the update revision",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdoptPod { name, .. } => write!(f, "adopt pod {name}"),
            Self::ReleasePod { name, .. } => write!(f, "release pod {name}"),
            Self::AdoptRevision { name, .. } => write!(f, "adopt revision {name}"),
            Self::CreateRevision { name, number, .. } => write!(f, "create revision {name} as number {number}"),
            Self::RenumberRevision { name, number, .. } => write!(f, "renumber revision {name} to {number}"),
            Self::DeleteRevision { name, .. } => write!(f, "delete revision {name}"),
            Self::CreateService { name } => write!(f, "create service {name}"),
            Self::UpdateService { name, .. } => write!(f, "update service {name}"),
            Self::CreateClaim { name, .. } => write!(f, "create claim {name}"),
            Self::UpdateClaim(change) => {
                write!(f, "update owners of claim {}: {} off", change.name, change.remove.len())?;
                change.add.iter().try_for_each(|o| write!(f, ", {} {} on", o.kind, o.name))
            }
            Self::CreatePod { name, revision, .. } => {
                write!(
                    f,
                    "create pod {name} at the {} revision",
                    if *revision == Which::Current { "current" } else { "update" }
                )
            }
            Self::UpdatePod { name, labels, volumes, .. } => {
                let parts = [labels.then_some("labels"), volumes.then_some("volumes")];
                let parts: Vec<_> = parts.into_iter().flatten().collect();
                write!(f, "repair {} of pod {name}", parts.join(" and "))
            }
            Self::DeletePod { name, why, .. } => write!(f, "delete pod {name}: {why}"),
            Self::TryPod { name, .. } => write!(f, "try pod {name} at the update revision"),
            Self::RetainClaims { name, .. } => write!(f, "have StatefulSet {name} retain its claims"),
            Self::PromisePod { name, .. } => write!(f, "become an owner of pod {name}"),
            Self::PromiseRevision { name, .. } => write!(f, "become an owner of revision {name}"),
            Self::ReleaseNative { name, .. } => write!(f, "delete StatefulSet {name} and leave its pods"),
            Self::EndAdoption => write!(f, "take spec.adoptFrom away"),
        }
    }
}

impl fmt::Display for Plan {
    /// One line per action; then what fails; what is waited for; when to look again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stage in &self.stages {
            for action in stage.actions() {
                writeln!(f, "{:?}: {action}", stage.kind)?;
            }
        }
        for failure in &self.failures {
            writeln!(f, "fail: {}", failure.message)?;
        }
        if let Some(wait) = &self.wait {
            writeln!(f, "{wait}")?;
        }
        if let Some(after) = self.requeue_after {
            writeln!(f, "look again in {after}")?;
        }
        Ok(())
    }
}

impl Stage {
    /// A stage of one-action steps, one by one; none if there is nothing to do.
    pub(crate) fn one_by_one(kind: StageKind, actions: impl IntoIterator<Item = Action>) -> Option<Self> {
        let steps: Vec<Step> = actions.into_iter().map(|a| Step(vec![a])).collect();
        (!steps.is_empty()).then_some(Self { kind, pace: Pace::OneByOne, steps })
    }

    /// All its actions, step by step.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flat_map(|s| &s.0)
    }
}

impl Plan {
    /// All actions, in order.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.stages.iter().flat_map(Stage::actions)
    }
}

impl Template {
    /// The template that a revision recorded.
    pub(crate) fn of(revision: &Revision) -> Option<Self> {
        Some(Self { revision: revision.name.clone(), value: revision.template.clone()? })
    }
}
