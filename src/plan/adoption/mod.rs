//! Taking over a running StatefulSet with no pod restarted (`spec.adoptFrom`), and the permanent guard: while a StatefulSet of
//! the set's name exists, the set does nothing but say so.
//!
//! | phase | what is done | what is written |
//! |---|---|---|
//! | Verifying | the two are compared ([`verify`]) | nothing |
//! | Staging | claims are secured; pods and revisions get the set as a second owner, so that nothing collects them | patches |
//! | Releasing | the StatefulSet, exactly the version that was verified, goes and leaves its pods | one deletion |
//! | Claiming | revisions and pods become the set's own, by the usual rules (S-2.5, S-3.11) | patches |
//! | Finishing | the usual plan would change no pod: `spec.adoptFrom` is taken away | one patch |
//!
//! All state is in the API. Each step is judged anew from what there is, so a crash between any two repeats at most one.

mod verify;

pub use verify::{Check, held_by_others, unsettled, verify};

use crate::{
    action::{Action, ClaimOwners, Plan, Stage, StageKind},
    native::{Native, StatefulSet, collects_claims, is_namesake},
    ownership, revision,
    snapshot::{Set, Snapshot},
    status,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::SignedDuration};
use ordinal_api::{Accept, AdoptFrom, AdoptionPhase as Phase, AdoptionStatus, OrdinalSetStatus};

/// What is waited for wakes the set. Should that not come, it is looked at again after this.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// The condition that tells how a taking over goes.
pub const CONDITION: &str = "Adopted";

/// The reason while a StatefulSet of the same name is in the way.
pub const CONFLICT: &str = "ConflictingStatefulSet";

/// The reason where the operator may not see StatefulSets.
const DISABLED: &str = "AdoptionDisabled";

/// The conditions that are judged here.
const OURS: [&str; 5] = [CONDITION, "Available", "Progressing", "Reconciling", "Stalled"];

/// Reasons for which only somebody else can lead on.
pub const HELD: [&str; 5] = [CONFLICT, DISABLED, "NotFound", "Refused", "Drift"];

/// The plan where adoption or the guard has a say; none where the usual one counts. `usual` makes that one.
pub(crate) fn plan(s: &Snapshot, usual: fn(&Snapshot) -> Plan) -> Option<Plan> {
    let set = &*s.set;
    let native = match &s.native {
        Native::There(native) => Some(&**native),
        Native::Unwatched | Native::Absent => None,
    };
    let course = Course { s, usual };
    if set.deleting {
        // Whoever owns the pods decides: with a StatefulSet there, it is not the set.
        return native.map(|_| Plan { stages: Vec::new(), ..usual(s) });
    }
    match &set.spec.adopt_from {
        Some(from) if !is_done(set, from) => Some(course.adopt(from, native)),
        _ => match conflict(s, native) {
            Some(message) => Some(course.stop(Step::new(CONFLICT, message))),
            None => course.end(),
        },
    }
}

/// What is worth an event, as reason and message: that a set is held up anew, or has taken over what it was to.
pub fn news<'a>(before: &OrdinalSetStatus, after: &'a OrdinalSetStatus) -> Option<(&'a str, &'a str)> {
    let reason = |status: &'a OrdinalSetStatus, type_: &str| {
        let found = status.conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
        found.map(|c| (c.reason.as_deref().unwrap_or_default(), c.message.as_deref().unwrap_or_default()))
    };
    let was = |type_: &str, reason: &str| {
        let mut all = before.conditions.iter();
        all.any(|c| c.type_ == type_ && c.status == "True" && c.reason.as_deref() == Some(reason))
    };
    let done = reason(after, CONDITION).filter(|(reason, _)| !was(CONDITION, reason));
    let held = reason(after, "Stalled").filter(|(reason, _)| HELD.contains(reason) && !was("Stalled", reason));
    done.or(held)
}

/// Whether a status says that the operator may not see StatefulSets.
pub fn is_disabled(status: &OrdinalSetStatus) -> bool {
    status.conditions.iter().any(|c| c.type_ == CONDITION && c.reason.as_deref() == Some(DISABLED))
}

/// Whether exactly this StatefulSet has been taken over: somebody put the field back, which changes nothing.
fn is_done(set: &Set, from: &AdoptFrom) -> bool {
    set.status.adoption.as_ref().is_some_and(|a| a.phase == Phase::Adopted && a.uid == from.uid)
}

/// What is in the way. Who may not see StatefulSets knows them by what they own; and what one that is gone still owns, as far
/// as has been seen, is about to be let go: a set that did not wait would take pods without the revisions that they are at.
fn conflict(s: &Snapshot, native: Option<&StatefulSet>) -> Option<String> {
    let name = &s.set.name;
    let leave = "it keeps its pods, and this set does nothing until one of the two is gone";
    if let Some(native) = native {
        return Some(format!("a StatefulSet {name} exists (UID {}): {leave}", native.uid()));
    }
    let (what, object) = natively_owned(s).next()?;
    Some(match s.native {
        Native::Unwatched => format!("{what} {object} is a StatefulSet {name}'s: {leave}"),
        _ => format!("{what} {object} is still held by a StatefulSet {name} that is gone"),
    })
}

/// The objects of the set's names that a StatefulSet of its name controls: kind and name.
fn natively_owned(s: &Snapshot) -> impl Iterator<Item = (&'static str, &str)> {
    let owns = |owner: Option<&OwnerReference>| owner.is_some_and(|owner| is_namesake(owner, &s.set));
    let pods = s.pods.iter().filter(move |p| owns(p.controller.as_deref())).map(|p| ("pod", p.name.as_str()));
    let revisions = s.revisions.iter().filter(move |r| owns(r.controller.as_ref()));
    pods.chain(revisions.map(|r| ("revision", r.name.as_str())))
}

/// What is said, and done, in one step.
struct Step {
    reason: &'static str,
    message: String,
    phase: Option<Phase>,
    actions: Vec<Action>,
}

impl Step {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), phase: None, actions: Vec::new() }
    }

    fn at(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }

    fn by(mut self, actions: Vec<Action>) -> Self {
        self.actions = actions;
        self
    }
}

/// How a pass goes on.
struct Course<'a> {
    s: &'a Snapshot,
    usual: fn(&Snapshot) -> Plan,
}

impl Course<'_> {
    fn adopt(&self, from: &AdoptFrom, native: Option<&StatefulSet>) -> Plan {
        let set = &*self.s.set;
        let known = set.status.adoption.as_ref().filter(|a| a.uid == from.uid).map(|a| a.phase);
        let phase = known.filter(|phase| *phase != Phase::Abandoned).unwrap_or(Phase::Verifying);
        let name = &set.name;
        match native {
            _ if matches!(self.s.native, Native::Unwatched) => self.stop(
                Step::new(
                    DISABLED,
                    "the operator may not see StatefulSets: run it with --adoption, or install the chart with \
                     adoption.enabled=true",
                )
                .at(phase),
            ),
            Some(native) if native.uid() != from.uid => {
                let uid = native.uid();
                let what = if phase >= Phase::Releasing { "was made anew" } else { "is another one" };
                let step = Step::new(
                    CONFLICT,
                    format!("StatefulSet {name} {what} (UID {uid}, not {}): nothing is taken from it", from.uid),
                );
                self.stop(step.at(phase))
            }
            // A UID does not come back: later than Releasing, what is seen of it is out of date.
            Some(native) if phase > Phase::Releasing || phase == Phase::Releasing && native.deleting() => {
                self.go(Step::new("Releasing", format!("StatefulSet {name} is letting go of its pods")).at(phase))
            }
            Some(native) => self.prepare(from, native, phase),
            None if phase < Phase::Releasing => {
                let words = format!("there is no StatefulSet {name} with UID {}", from.uid);
                let way = "without spec.adoptFrom, the set takes what pods it has left";
                self.stop(Step::new("NotFound", format!("{words}: {way}")).at(Phase::Verifying))
            }
            None => self.claim(from, phase),
        }
    }

    /// Up to the deletion of the StatefulSet: it still is the owner, and nothing happens if the set goes.
    fn prepare(&self, from: &AdoptFrom, native: &StatefulSet, phase: Phase) -> Plan {
        let s = self.s;
        if let Ok(theirs) = &native.set
            && theirs.status.observed_generation < theirs.generation
        {
            let words = format!("StatefulSet {} has changed and its controller has not seen it yet", theirs.name);
            return self.go(Step::new("Verifying", words).at(phase));
        }
        let problems: Vec<String> = verify(s, native, from).into_iter().flat_map(|check| check.problems).collect();
        let (true, Ok(theirs)) = (problems.is_empty(), &native.set) else {
            // Once its going is announced it may be gone already, and be seen later than its pods: then they are to be claimed.
            let back_to = if phase == Phase::Releasing { phase } else { Phase::Verifying };
            return self.stop(Step::new("Refused", problems.join("; ")).at(back_to));
        };
        let name = &theirs.name;
        if collects_claims(&theirs.spec) {
            let actions = vec![Action::RetainClaims {
                name: name.clone(),
                uid: theirs.uid.clone(),
                resource_version: theirs.resource_version.clone(),
            }];
            let words = format!("StatefulSet {name} is told to keep its claims");
            return self.go(Step::new("Staging", words).at(Phase::Staging).by(actions));
        }
        let staging = staging(s, native.uid());
        if !staging.is_empty() {
            let words = format!("{} objects of StatefulSet {name} are secured", staging.len());
            return self.go(Step::new("Staging", words).at(Phase::Staging).by(staging));
        }
        let release = Action::ReleaseNative {
            name: name.clone(),
            uid: native.uid().into(),
            resource_version: native.resource_version().into(),
        };
        // What is about to happen is in the API before it happens: a set whose StatefulSet is gone knows that it may claim.
        let actions = if phase == Phase::Releasing { vec![release] } else { Vec::new() };
        self.go(Step::new("Releasing", format!("StatefulSet {name} is to go and to leave its pods"))
            .at(Phase::Releasing)
            .by(actions))
    }

    /// The StatefulSet is gone.
    fn claim(&self, from: &AdoptFrom, phase: Phase) -> Plan {
        let s = self.s;
        let held = natively_owned(s).count();
        if held > 0 {
            let words = format!("{held} objects are still held by the StatefulSet that is gone");
            return self.go(Step::new("Claiming", words).at(Phase::Claiming));
        }
        let mut actions = revision::adoptions(s);
        actions.extend(ownership::claim(s).actions.into_iter().filter(Action::adopts));
        if !actions.is_empty() {
            let words = format!("{} objects become the set's own", actions.len());
            return self.go(Step::new("Claiming", words).at(Phase::Claiming).by(actions));
        }
        let next = (self.usual)(s);
        let drift: Vec<String> = next.actions().filter(|action| is_drift(action)).map(ToString::to_string).collect();
        if !drift.is_empty() && !from.accept.contains(&Accept::TemplateChange) {
            let words = format!(
                "all pods are the set's own, but next it would {}: set the spec right, or add TemplateChange to \
                 spec.adoptFrom.accept",
                drift.join(", ")
            );
            return self.stop(Step::new("Drift", words).at(Phase::Claiming));
        }
        let actions = if phase == Phase::Finishing { vec![Action::EndAdoption] } else { Vec::new() };
        self.go(Step::new("Finishing", "all pods are the set's own").at(Phase::Finishing).by(actions))
    }

    /// Without `spec.adoptFrom`: what is to be said of one that was there.
    fn end(&self) -> Option<Plan> {
        let before = self.s.set.status.adoption.as_ref()?;
        let (phase, truth, message) = match before.phase {
            Phase::Adopted | Phase::Abandoned => return None,
            Phase::Finishing => {
                (Phase::Adopted, true, format!("taken over from the StatefulSet with UID {}", before.uid))
            }
            _ => (Phase::Abandoned, false, "spec.adoptFrom was taken away before the end".to_owned()),
        };
        let mut plan = (self.usual)(self.s);
        let reason = if truth { CONDITION } else { "Abandoned" };
        status::put(&mut plan.status.conditions, self.s, CONDITION, truth, reason, message);
        plan.status.adoption = Some(AdoptionStatus { uid: before.uid.clone(), phase });
        Some(plan)
    }

    /// A step that goes on by itself.
    fn go(&self, step: Step) -> Plan {
        let refused = self.s.memory.refusal.as_ref();
        let stalled = refused.map(|r| format!("{}: {}", r.doing, r.message));
        self.hold(step, stalled)
    }

    /// A step that only somebody else can lead on from.
    fn stop(&self, step: Step) -> Plan {
        let message = step.message.clone();
        Plan { requeue_after: None, ..self.hold(step, Some(message)) }
    }

    /// The usual plan less all that it would do: its counters stay true.
    fn hold(&self, step: Step, stalled: Option<String>) -> Plan {
        let (s, before) = (self.s, &self.s.set.status);
        let mut plan = (self.usual)(s);
        let mut usual = std::mem::take(&mut plan.status);
        // What is said here is compared with what was said before, not with what the usual plan would say.
        usual.conditions.retain(|c| !OURS.contains(&c.type_.as_str()));
        usual.conditions.extend(before.conditions.iter().filter(|c| OURS.contains(&c.type_.as_str())).cloned());
        let mut status = OrdinalSetStatus {
            current_revision: before.current_revision.clone(),
            update_revision: before.update_revision.clone(),
            collision_count: before.collision_count,
            blocked_pods: Vec::new(),
            ..usual
        };
        let adoption = step.phase.and_then(|phase| Some((phase, s.set.spec.adopt_from.as_ref()?)));
        if let Some((phase, from)) = adoption {
            // Not before the end has the set seen to what its spec asks for.
            if stalled.is_none() {
                status.observed_generation = before.observed_generation;
            }
            // While pods are the StatefulSet's, or nobody's yet, its own figures count.
            match &s.native {
                Native::There(native) if phase >= Phase::Staging => {
                    native.set.iter().for_each(|theirs| seed(&mut status, &theirs.status));
                }
                _ if phase >= Phase::Staging && natively_owned(s).next().is_some() => seed(&mut status, before),
                _ => {}
            }
            status.adoption = Some(AdoptionStatus { uid: from.uid.clone(), phase });
            status::put(&mut status.conditions, s, CONDITION, false, step.reason, step.message.clone());
        }
        status::tell_available(&mut status, s, plan.budget);
        let busy = stalled.is_none();
        for condition in ["Progressing", "Reconciling"] {
            status::put(&mut status.conditions, s, condition, busy, step.reason, step.message.clone());
        }
        let reason = if busy { "NotStalled" } else { step.reason };
        status::put(&mut status.conditions, s, "Stalled", !busy, reason, stalled.unwrap_or_default());
        Plan {
            stages: Stage::one_by_one(StageKind::Adoption, step.actions).into_iter().collect(),
            status,
            failures: Vec::new(),
            wait: None,
            conflicting_claims: Vec::new(),
            requeue_after: Some(LOOK_AGAIN),
            memory: s.memory.clone(),
            ..plan
        }
    }
}

/// What the StatefulSet says of itself, so that nothing is lost when it is gone (S-3.7, S-3.4).
fn seed(status: &mut OrdinalSetStatus, theirs: &OrdinalSetStatus) {
    status.current_revision.clone_from(&theirs.current_revision);
    status.update_revision.clone_from(&theirs.update_revision);
    status.collision_count = theirs.collision_count;
    status.replicas = theirs.replicas;
    status.ready_replicas = theirs.ready_replicas;
    status.available_replicas = theirs.available_replicas;
    status.current_replicas = theirs.current_replicas;
    status.updated_replicas = theirs.updated_replicas;
}

/// What is to be written before the StatefulSet may go: claims that it owns are taken from it, for whoever deletes it wrongly,
/// and a second owner keeps pods and revisions that the garbage collector may overlook when it lets them go.
fn staging(s: &Snapshot, native: &str) -> Vec<Action> {
    let set = &*s.set;
    let owns = |o: &OwnerReference| o.uid == native;
    let claims = s.claims.iter().filter(|claim| claim.owners.iter().any(owns)).map(|claim| {
        let change = ClaimOwners {
            name: claim.name.clone(),
            uid: claim.uid.clone(),
            resource_version: claim.resource_version.clone(),
            pod: None,
            remove: vec![native.into()],
            add: Vec::new(),
        };
        Action::UpdateClaim(change.into())
    });
    let pods = s.pods.iter().filter(|p| p.controller.as_deref().is_some_and(owns));
    let pods = pods.filter(|p| p.promised.as_deref() != Some(&set.uid));
    let pods = pods.map(|p| Action::PromisePod { name: p.name.clone(), uid: p.uid.clone() });
    let revisions = s.revisions.iter().filter(|r| r.controller.as_ref().is_some_and(owns));
    let revisions = revisions.filter(|r| r.promised.as_deref() != Some(&set.uid));
    let revisions = revisions.map(|r| Action::PromiseRevision { name: r.name.clone(), uid: r.uid.clone() });
    claims.chain(revisions).chain(pods).collect()
}

/// Whether an action of the usual plan would change what was taken over. A pod that is missing, or has ended, is replaced by
/// whoever owns it; labels and claims' owners are put right without a restart.
fn is_drift(action: &Action) -> bool {
    use crate::action::Why;
    match action {
        Action::CreateRevision { .. } | Action::TryPod { .. } => true,
        Action::DeletePod { why, .. } => matches!(why, Why::Outdated | Why::Condemned),
        Action::UpdatePod { volumes, .. } => *volumes,
        _ => false,
    }
}
