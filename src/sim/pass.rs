//! One pass of the operator, from the plan on, as calls that are made one at a time: whatever else happens in the cluster
//! can come between any two, and a crash is a pass that is dropped. What is sent, and what a refusal means for an action, is the
//! operator's own (`ordinal_plan::carry`); the order of calls is that of `src/operator/executor.rs` and `reconcile.rs`.

use crate::{
    call::{Answer, Call, Deletion, Part, Propagation, Reason, Refusal, Style},
    objects::Kind,
};
use k8s_openapi::jiff::Timestamp;
use ordinal_api::OrdinalSetStatus;
use ordinal_plan::{
    Plan,
    action::{Action, Pace, Stage, StageKind},
    carry::{self, Ask, Learned},
    scale::Batch,
    snapshot::{Memory, Set},
};
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
    /// The server said that something is not as it was seen, and nothing failed by that: it is looked at again.
    pub other_than_seen: bool,
    undetermined: bool,
    learned: Learned,
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
fn meaning(refusal: &Refusal) -> carry::Answer<'_> {
    match refusal.reason {
        Reason::NotFound => carry::Answer::Gone,
        Reason::AlreadyExists => carry::Answer::Taken,
        Reason::Conflict => carry::Answer::Changed,
        Reason::Invalid if refusal.message.starts_with("metadata.uid") => carry::Answer::Changed,
        Reason::Invalid | Reason::Forbidden | Reason::UnsupportedMediaType => carry::Answer::Refused(&refusal.message),
        Reason::InternalError => carry::Answer::Other,
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
                    self.waiting.retain(|lane| !lane.actions.iter().any(Action::adopts));
                }
            }
            At::Status => {
                match answer {
                    Ok(set) => self.report.written.push((Kind::Set, set.version().to_string())),
                    // The set has changed meanwhile, or is gone.
                    Err(refusal) if matches!(meaning(refusal), carry::Answer::Gone | carry::Answer::Changed) => {
                        self.report.other_than_seen = true;
                    }
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
        let trial = self.report.learned.trial.as_ref().or(self.plan.memory.trial.as_ref()).map(|t| &t.revision);
        let now = (self.at, self.failed, self.stopped, self.report.undetermined, self.set.generation);
        let status = &self.status().current_revision;
        format!("{now:?} {under_way:?} {waiting:?} {later:?} {status} {trial:?}")
    }

    /// What the operator remembers after the pass.
    pub fn memory(&self, before: &Memory) -> Memory {
        self.plan.memory_after(before, &self.report.learned, !self.report.failures.is_empty())
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
            Err(refusal) if action.is_content_with(meaning(refusal)) => {
                self.report.other_than_seen |= !matches!(action, Action::TryPod { .. });
                Ok(())
            }
            Err(refusal) => Err(refusal),
        };
        match &action {
            Action::TryPod { .. } => return self.tried(lane, &action, done, now),
            Action::CreateService { .. } | Action::UpdateService { .. } => {
                self.report.learned.service = Some(done.map_err(|r| r.message.clone()));
            }
            _ => {}
        }
        if let Err(refusal) = done {
            self.fail(&action.to_string(), &refusal.message);
            if let carry::Answer::Refused(message) = meaning(refusal) {
                self.report.learned.note_refusal(&action, message);
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

    /// What a dry run brought (O-4), if it was answered.
    fn tried(&mut self, lane: usize, action: &Action, done: Result<(), &Refusal>, now: Timestamp) {
        let refused = match done.map_err(|refusal| (meaning(refusal), refusal)) {
            Ok(()) => None,
            Err((carry::Answer::Refused(message), _)) => Some(message.to_owned()),
            Err((_, refusal)) => {
                self.fail(&action.to_string(), &refusal.message);
                self.lanes[lane].actions.clear();
                return;
            }
        };
        if refused.is_some() {
            self.failed = true;
            self.lanes[lane].actions.clear();
        }
        self.report.learned.trial = Some(self.plan.trial(&self.set, refused, now));
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
            self.at = if self.status() == self.set.status { At::Over } else { At::Status };
            return;
        };
        self.next_stage += 1;
        self.at = At::Stage(stage.kind);
        if self.stopped && (stage.kind != StageKind::History || self.report.undetermined) {
            return;
        }
        let lane = |actions: &Vec<Action>| Lane { actions: actions.iter().cloned().collect(), claim_failed: false };
        self.waiting = stage.steps.iter().map(|step| lane(&step.0)).collect();
        if stage.actions().any(Action::adopts) {
            self.at = At::Confirming;
        }
    }

    fn status(&self) -> OrdinalSetStatus {
        self.plan.status_to_write(&self.set, self.report.undetermined)
    }

    fn status_call(&self) -> Call {
        let patch = carry::status_patch(&self.set, &self.status());
        Call::Patch { kind: Kind::Set, name: self.set.name.clone(), patch, style: Style::Merge, part: Part::Status }
    }

    fn call_of(&self, action: &Action) -> Call {
        let carry::Request { kind, name, ask } = action.request(&self.set, &self.plan.templates);
        match ask {
            Ask::Create(object) => Call::Create { kind, object, dry_run: false },
            Ask::Try(object) => Call::Create { kind, object, dry_run: true },
            Ask::Merge(patch) => Call::Patch { kind, name, patch, style: Style::Merge, part: Part::Main },
            Ask::Strategic(patch) => Call::Patch { kind, name, patch, style: Style::Strategic, part: Part::Main },
            Ask::Delete(uid) => Call::Delete { kind, name, how: Deletion::of(&uid) },
            Ask::Orphan { uid, resource_version } => {
                let (version, propagation) = (Some(resource_version), Some(Propagation::Orphan));
                let how = Deletion { version, propagation, ..Deletion::of(&uid) };
                Call::Delete { kind, name, how }
            }
        }
    }
}
