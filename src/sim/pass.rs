//! One pass of the operator, from the plan on, as calls that are made one at a time: whatever else happens in the cluster
//! can come between any two, and a crash is a pass that is dropped. The order of calls, and what follows from each answer,
//! are those of `src/operator/executor.rs` and `reconcile.rs`.

use crate::{
    call::{Answer, Call, Deletion, Part, Reason, Refusal, Style},
    objects::Kind,
};
use k8s_openapi::jiff::Timestamp;
use ordinal_api::OrdinalSetStatus;
use ordinal_plan::{
    Plan,
    action::{Action, Pace, Stage, StageKind},
    backoff, claim, pod, revision,
    scale::Batch,
    service,
    snapshot::{self, Memory, Set, Trial, Verdict},
};
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc};

/// A plan on its way.
#[derive(Clone)]
pub struct Pass {
    /// The set that was planned for, as it was then.
    pub set: Arc<Set>,
    /// What is carried out.
    pub plan: Arc<Plan>,
    /// What came of it so far.
    pub report: Report,
    /// Which stage is next.
    next_stage: usize,
    at: At,
    /// Steps under way at the same time.
    lanes: Vec<Lane>,
    /// Steps of this stage that are still to come.
    waiting: VecDeque<Lane>,
    batch: Batch,
    /// A step of this stage has failed.
    failed: bool,
    /// An earlier stage has failed.
    stopped: bool,
}

/// What came of a plan.
#[derive(Clone, Default)]
pub struct Report {
    /// Versions that were written; whoever makes the calls takes them out.
    pub written: Vec<(Kind, String)>,
    /// Pods that were deleted: name and UID.
    pub deleted: Vec<(String, String)>,
    /// What failed.
    pub failures: Vec<String>,
    refusal: Option<snapshot::Refusal>,
    undetermined: bool,
    trial: Option<Trial>,
    service: Option<Result<(), String>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// The live read before an adoption.
    Confirming,
    Stage(StageKind),
    Status,
    Over,
}

#[derive(Clone, Default)]
struct Lane {
    actions: VecDeque<Action>,
    claim_failed: bool,
}

/// What a refused call means, as in `src/operator/outcome.rs`.
#[derive(PartialEq)]
enum Meaning {
    Gone,
    Taken,
    Changed,
    Refused,
}

impl Meaning {
    fn of(refusal: &Refusal) -> Self {
        match refusal.reason {
            Reason::NotFound => Self::Gone,
            Reason::AlreadyExists => Self::Taken,
            Reason::Conflict => Self::Changed,
            Reason::Invalid if refusal.message.starts_with("metadata.uid") => Self::Changed,
            Reason::Invalid | Reason::Forbidden | Reason::UnsupportedMediaType => Self::Refused,
        }
    }
}

impl Pass {
    /// Begins to carry out a plan.
    pub fn new(set: Arc<Set>, plan: Arc<Plan>) -> Self {
        let mut pass = Self {
            set,
            plan,
            report: Report::default(),
            next_stage: 0,
            at: At::Stage(StageKind::Claiming),
            lanes: Vec::new(),
            waiting: VecDeque::new(),
            batch: Batch::default(),
            failed: false,
            stopped: false,
        };
        pass.go_on();
        pass
    }

    /// Whether all calls were made.
    pub fn is_over(&self) -> bool {
        self.at == At::Over
    }

    /// What may come next: where several steps are under way at a time, one call of each.
    pub fn ready(&self) -> Vec<usize> {
        match self.at {
            At::Over => Vec::new(),
            At::Confirming | At::Status => vec![0],
            At::Stage(_) => (0..self.lanes.len()).filter(|i| !self.lanes[*i].actions.is_empty()).collect(),
        }
    }

    /// One of the calls that may come next; absent once all were made.
    pub fn call(&self, which: usize) -> Option<Call> {
        match self.at {
            At::Over => None,
            At::Confirming => Some(Call::Get { kind: Kind::Set, name: self.set.name.clone() }),
            At::Status => Some(self.status_call()),
            At::Stage(_) => self.lanes.get(which)?.actions.front().map(|action| self.call_of(action)),
        }
    }

    /// The first of the calls that may come next.
    pub fn next_call(&self) -> Option<(usize, Call)> {
        let which = self.lanes.iter().position(|lane| !lane.actions.is_empty()).unwrap_or(0);
        self.call(which).map(|call| (which, call))
    }

    /// Takes the answer to [`Pass::call`].
    pub fn answered(&mut self, which: usize, answer: &Answer, now: Timestamp) {
        match self.at {
            At::Over => {}
            At::Confirming => {
                let same = answer.as_ref().is_ok_and(|live| live.uid() == self.set.uid && !live.is_deleting());
                self.at = At::Stage(StageKind::Claiming);
                if !same {
                    self.fail("reading the set before an adoption", "it is another one by now, or being deleted");
                    let adopts = |a: &Action| matches!(a, Action::AdoptPod { .. } | Action::AdoptRevision { .. });
                    self.waiting.retain(|lane| !lane.actions.iter().any(adopts));
                }
            }
            At::Status => {
                match answer {
                    Ok(set) => self.report.written.push((Kind::Set, set.version().to_string())),
                    // The set has changed meanwhile, or is gone: its event is on the way.
                    Err(refusal) if matches!(Meaning::of(refusal), Meaning::Gone | Meaning::Changed) => {}
                    Err(refusal) => self.fail("writing the status", &refusal.to_string()),
                }
                self.at = At::Over;
            }
            At::Stage(_) => self.acted(which, answer, now),
        }
        self.go_on();
    }

    /// The current revision that the status will name, when nothing but the status is left to be written.
    pub fn only_status(&self) -> Option<String> {
        (self.at == At::Status).then(|| self.status().current_revision)
    }

    /// What is left of the pass, in words: two passes that say the same do the same from here on.
    pub fn left(&self) -> String {
        let told = |lane: &Lane| lane.actions.iter().map(|a| format!("{a};")).collect::<String>();
        let under_way: Vec<String> = self.lanes.iter().map(told).collect();
        let waiting: Vec<String> = self.waiting.iter().map(told).collect();
        let stages = self.plan.stages.iter().skip(self.next_stage).flat_map(Stage::actions);
        let later: Vec<String> = stages.map(ToString::to_string).collect();
        let trial = self.report.trial.as_ref().or(self.plan.memory.trial.as_ref()).map(|t| &t.revision);
        let now = (self.at, self.failed, self.stopped, self.report.undetermined, self.set.generation);
        let status = &self.status().current_revision;
        format!("{now:?} {under_way:?} {waiting:?} {later:?} {status} {trial:?}")
    }

    /// What the operator remembers after the pass.
    pub fn memory(&self, before: Memory) -> Memory {
        let mut memory = self.plan.memory.clone();
        if let Some(trial) = &self.report.trial {
            memory.trial = Some(trial.clone());
        }
        if let Some(service) = &self.report.service {
            memory.service_error = service.clone().err();
        }
        let clear = self.report.failures.is_empty() || self.report.refusal.is_some();
        memory.refusal = if clear { self.report.refusal.clone() } else { before.refusal };
        memory
    }

    fn acted(&mut self, lane: usize, answer: &Answer, now: Timestamp) {
        let Some(action) = self.lanes.get_mut(lane).and_then(|l| l.actions.pop_front()) else { return };
        let done = match answer {
            Ok(object) => {
                if matches!(action, Action::DeletePod { .. }) {
                    self.report.deleted.push((object.name().to_owned(), object.uid().to_owned()));
                } else if !matches!(action, Action::DeleteRevision { .. } | Action::TryPod { .. }) {
                    self.report.written.push((object.kind(), object.version().to_string()));
                }
                Ok(())
            }
            Err(refusal) => tolerate(&action, refusal),
        };
        match &action {
            Action::TryPod { .. } => return self.tried(lane, done, now),
            Action::CreateService { .. } | Action::UpdateService { .. } => {
                self.report.service = Some(done.as_ref().map_err(|r| r.message.clone()).copied());
            }
            _ => {}
        }
        if let Err(refusal) = done {
            self.fail(&action.to_string(), &refusal.message);
            let notable = matches!(
                action,
                Action::CreatePod { .. }
                    | Action::UpdatePod { .. }
                    | Action::CreateRevision { .. }
                    | Action::CreateClaim { .. }
            );
            if notable && Meaning::of(&refusal) == Meaning::Refused {
                let refusal = snapshot::Refusal { doing: action.to_string(), message: refusal.message };
                self.report.refusal.get_or_insert(refusal);
            }
            self.lanes[lane].claim_failed = true;
            if !matches!(action, Action::CreateClaim { .. }) {
                self.lanes[lane].actions.clear();
            }
        }
        // All missing claims are tried, and only then the pod (S-5.2).
        let lane = &mut self.lanes[lane];
        if lane.claim_failed && !matches!(lane.actions.front(), Some(Action::CreateClaim { .. })) {
            lane.actions.clear();
        }
    }

    /// What a dry run brought (O-4).
    fn tried(&mut self, lane: usize, done: Result<(), Refusal>, now: Timestamp) {
        let template = &self.plan.templates.update;
        let verdict = match done {
            Ok(()) => Verdict::Passed,
            Err(refusal) => {
                self.failed = true;
                self.lanes[lane].actions.clear();
                let before = self.plan.memory.trial.as_ref().filter(|t| t.revision == template.revision);
                let count = match before.map(|t| &t.verdict) {
                    Some(Verdict::Refused { count, .. }) => count.saturating_add(1),
                    _ => 1,
                };
                let pause = backoff::delay(count, backoff::TRIAL_FIRST, backoff::LONGEST);
                let retry_at = now.checked_add(pause).unwrap_or(now);
                Verdict::Refused { message: refusal.message, count, retry_at }
            }
        };
        let (revision, generation) = (template.revision.clone(), self.set.generation);
        self.report.trial = Some(Trial { revision, generation, verdict });
    }

    fn fail(&mut self, doing: &str, why: &str) {
        self.failed = true;
        self.report.failures.push(format!("{doing}: {why}"));
    }

    /// To the next call, or the end.
    fn go_on(&mut self) {
        while let At::Stage(kind) = self.at {
            if self.lanes.iter().rev().any(|lane| !lane.actions.is_empty()) {
                return;
            }
            // A stage that claims tries everything; others begin no further batch after a failure (S-4.11).
            if !self.waiting.is_empty() && (!self.failed || kind == StageKind::Claiming) {
                let slow = self.plan.stages[self.next_stage - 1].pace == Pace::SlowStart;
                let size = if slow { self.batch.grow() } else { 1 };
                self.lanes = self.waiting.drain(..size.min(self.waiting.len())).collect();
                continue;
            }
            self.stopped |= self.failed && kind != StageKind::Service;
            self.report.undetermined |= self.failed && kind <= StageKind::Revision && kind != StageKind::Service;
            self.begin_stage();
        }
    }

    fn begin_stage(&mut self) {
        (self.failed, self.batch) = (false, Batch::default());
        (self.lanes, self.waiting) = (Vec::new(), VecDeque::new());
        let plan = self.plan.clone();
        let Some(stage) = plan.stages.get(self.next_stage) else {
            for failure in &plan.failures {
                self.fail("carrying out the plan", &failure.message);
            }
            self.at = if *self.status() == self.set.status { At::Over } else { At::Status };
            return;
        };
        self.next_stage += 1;
        self.at = At::Stage(stage.kind);
        if self.stopped && (stage.kind != StageKind::History || self.report.undetermined) {
            return;
        }
        let lane = |actions: &Vec<Action>| Lane { actions: actions.iter().cloned().collect(), claim_failed: false };
        self.waiting = stage.steps.iter().map(|step| lane(&step.0)).collect();
        if adopts(stage) {
            self.at = At::Confirming;
        }
    }

    /// The status to be written. Nothing is said about pods or revisions that could not be had.
    fn status(&self) -> Box<OrdinalSetStatus> {
        let status = self.plan.status.clone();
        Box::new(if self.report.undetermined {
            OrdinalSetStatus { conditions: status.conditions, ..self.set.status.clone() }
        } else {
            status
        })
    }

    fn status_call(&self) -> Call {
        let metadata = json!({"uid": self.set.uid, "resourceVersion": self.set.resource_version});
        let patch = json!({"metadata": metadata, "status": self.status()});
        Call::Patch { kind: Kind::Set, name: self.set.name.clone(), patch, style: Style::Merge, part: Part::Status }
    }

    fn call_of(&self, action: &Action) -> Call {
        let set = &*self.set;
        let create = |kind, object| Call::Create { kind, object, dry_run: false };
        let patch = |kind, name: &str, patch: Value, style| Call::Patch {
            kind,
            name: name.to_owned(),
            patch,
            style,
            part: Part::Main,
        };
        let strategic = |kind, name: &str, change: Value| patch(kind, name, change, Style::Strategic);
        let owners = |uid: &str, owner: Value| json!({"metadata": {"uid": uid, "ownerReferences": [owner]}});
        let delete = |kind, name: &str, uid: &str| Call::Delete { kind, name: name.to_owned(), how: Deletion::of(uid) };
        match action {
            Action::AdoptPod { name, uid } => strategic(Kind::Pod, name, owners(uid, json!(set.controller_ref()))),
            Action::AdoptRevision { name, uid } => {
                strategic(Kind::Revision, name, owners(uid, json!(set.controller_ref())))
            }
            Action::ReleasePod { name, uid } => {
                strategic(Kind::Pod, name, owners(uid, json!({"$patch": "delete", "uid": set.uid})))
            }
            Action::CreateRevision { name, hash, number } => {
                create(Kind::Revision, revision::desired(set, name, hash, *number))
            }
            Action::RenumberRevision { name, uid, number } => {
                patch(Kind::Revision, name, json!({"metadata": {"uid": uid}, "revision": number}), Style::Merge)
            }
            Action::DeleteRevision { name, uid } => delete(Kind::Revision, name, uid),
            Action::CreateService { .. } => create(Kind::Service, service::desired(set)),
            Action::UpdateService { name, patch: change } => patch(Kind::Service, name, change.clone(), Style::Merge),
            Action::CreateClaim { name, template, .. } => {
                create(Kind::Claim, claim::desired(set, template, name).unwrap_or_default())
            }
            Action::UpdateClaim(change) => strategic(Kind::Claim, &change.name, claim::owner_patch(change)),
            Action::CreatePod { ordinal, revision, .. } => {
                create(Kind::Pod, pod::desired(set, *ordinal, self.plan.templates.get(*revision)))
            }
            Action::UpdatePod { name, uid, ordinal, labels, volumes } => {
                let mut change = json!({"metadata": {"uid": uid}});
                if *labels {
                    change["metadata"]["labels"] = pod::identity_labels(name, *ordinal).into();
                }
                if *volumes {
                    change["spec"]["volumes"] = pod::volumes(set, *ordinal, None).into();
                }
                strategic(Kind::Pod, name, change)
            }
            Action::DeletePod { name, uid, .. } => delete(Kind::Pod, name, uid),
            Action::TryPod { ordinal, .. } => Call::Create {
                kind: Kind::Pod,
                object: pod::desired(set, *ordinal, &self.plan.templates.update),
                dry_run: true,
            },
        }
    }
}

fn adopts(stage: &Stage) -> bool {
    stage.actions().any(|a| matches!(a, Action::AdoptPod { .. } | Action::AdoptRevision { .. }))
}

/// Refusals that are as good as success.
fn tolerate(action: &Action, refusal: &Refusal) -> Result<(), Refusal> {
    use Meaning::{Changed, Gone, Taken};
    let meaning = Meaning::of(refusal);
    let fine = match action {
        Action::AdoptPod { .. } | Action::AdoptRevision { .. } | Action::UpdateClaim(_) => meaning == Gone,
        Action::ReleasePod { .. }
        | Action::DeletePod { .. }
        | Action::DeleteRevision { .. }
        | Action::UpdateService { .. } => meaning == Gone || meaning == Changed,
        Action::CreateService { .. } => meaning == Taken,
        // Quota is judged last, so the rest was fine.
        Action::TryPod { .. } => meaning == Taken || refusal.message.contains("exceeded quota"),
        _ => false,
    };
    if fine { Ok(()) } else { Err(refusal.clone()) }
}
