//! Carries a plan out. The only file that writes to the objects of sets; it decides nothing: what to do, in which order,
//! and by which UID is in the plan.

use crate::{
    answer::call,
    collect::Caches,
    events::{Events, Subject, Target},
    gather::{Deed, Thing},
    outcome::Failure,
};
use futures::future::join_all;
use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, StatefulSet},
        core::v1 as core,
    },
    jiff::Timestamp,
};
use kube::{
    Client, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, Request},
};
use ordinal_api::{OrdinalSet, OrdinalSetStatus};
use ordinal_plan::{
    Plan,
    action::{Action, FailedPod, Pace, Stage, StageKind, Step},
    adoption,
    carry::{self, Ask, Learned},
    freshness::{Kind, Mark, Writes},
    revision::encode,
    scale::Batch,
    snapshot::Set,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use tracing::info;

/// A pass that does more than this tells its successes together.
const MANY: usize = 10;

/// So long a live read of the set answers for its adoptions. Requests may be held back, and answers may not come: whoever is
/// adopted by a set that is gone meanwhile is collected as its garbage.
const READ_HOLDS: Duration = Duration::from_secs(5);

/// Who wrote, in managedFields.
const FIELD_MANAGER: &str = "ordinal";

/// Carries plans out.
pub struct Executor {
    client: Client,
    caches: Arc<Caches>,
    events: Events,
}

/// What came of a plan.
#[derive(Default)]
pub struct Report {
    /// What the caches must have before the next pass.
    pub writes: Writes,
    /// What failed: what was being done, and why it was not.
    pub failures: Vec<(String, Failure)>,
    /// The pods or revisions that the plan judged by could not be had: its counters mean nothing (S-4.1).
    pub undetermined: bool,
    /// What the next plan is to know.
    pub learned: Learned,
    /// The server said that something is not as it was seen, and nothing failed by that.
    pub other_than_seen: bool,
}

/// A stage, or a step of it, ended early; the report has the reason.
struct Stopped;

impl Executor {
    /// One for all sets.
    pub fn new(client: Client, caches: Arc<Caches>, events: Events) -> Self {
        Self { client, caches, events }
    }

    /// Carries out the stages of a plan, in their order, up to the first that fails; history is cut after a failure too, if
    /// only it was clear what is in use (S-3.10).
    pub async fn execute(&self, set: &Set, plan: &Plan) -> Report {
        let amid = plan.actions().nth(MANY).is_some();
        let pass = Pass { executor: self, set, plan, amid, subject: subject(set), report: Mutex::default() };
        for claim in &plan.conflicting_claims {
            pass.warn("ConflictingController", "Update", Some(claim_target(claim)), conflicting(claim));
        }
        let mut stopped = false;
        for stage in &plan.stages {
            if stopped && (stage.kind != StageKind::History || pass.report().undetermined) {
                continue;
            }
            let failed = pass.stage(stage).await.is_err() && stage.kind != StageKind::Service;
            stopped |= failed;
            // An adoption judges by the StatefulSet, which is there whatever fails.
            pass.report().undetermined |= failed && (StageKind::Claiming..=StageKind::Revision).contains(&stage.kind);
        }
        for failure in &plan.failures {
            match &failure.pod {
                Some(FailedPod::Create(name)) => pass.pod_failed("Create", name, &failure.message),
                Some(FailedPod::Update(name)) => pass.pod_failed("Update", name, &failure.message),
                None => {}
            }
            pass.report().failures.push(("carrying out the plan".into(), Failure::Other(failure.message.clone())));
        }
        pass.report.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the status, if the set is still the one and the version that it was made from.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn write_status(&self, set: &Set, status: &OrdinalSetStatus) -> Result<(Kind, Mark), Failure> {
        let patch = Patch::Merge(carry::status_patch(set, status));
        let request = requests(Kind::Set, set).patch_subresource("status", &set.name, &patch_params(), &patch);
        let ack = call(&self.client, request).await?;
        if let Some((reason, message)) = adoption::news(&set.status, status) {
            let held = reason != adoption::CONDITION;
            let tell = if held { Events::warning } else { Events::normal };
            tell(&self.events, &subject(set), reason, "Adopt", None, message.to_owned());
        }
        Ok(self.caches.mark(Kind::Set, &ack.metadata.resource_version))
    }
}

/// One plan on its way.
struct Pass<'a> {
    executor: &'a Executor,
    set: &'a Set,
    plan: &'a Plan,
    /// Each action is one of many.
    amid: bool,
    subject: Subject,
    report: Mutex<Report>,
}

impl Pass<'_> {
    async fn stage(&self, stage: &Stage) -> Result<(), Stopped> {
        match stage.kind {
            StageKind::Adoption | StageKind::Claiming => self.claiming(stage).await,
            _ => match stage.pace {
                Pace::OneByOne => self.one_by_one(&stage.steps).await,
                Pace::SlowStart => self.slow_start(&stage.steps).await,
            },
        }
    }

    /// Adoptions are tried after a live read of the set, and all of them before a failure counts (S-2.5).
    async fn claiming(&self, stage: &Stage) -> Result<(), Stopped> {
        let mut may_adopt = stage.actions().any(Action::needs_the_live_set);
        // Whoever takes spec.adoptFrom away keeps the StatefulSet.
        let exactly = stage.actions().any(|action| matches!(action, Action::ReleaseNative { .. }));
        let mut until = Instant::now();
        let mut result = Ok(());
        for action in stage.actions() {
            if may_adopt && Instant::now() >= until {
                match self.confirm_set(exactly).await {
                    Ok(()) => until = Instant::now() + READ_HOLDS,
                    Err(failure) => {
                        may_adopt = false;
                        result = self.fail("reading the set before an adoption", failure);
                    }
                }
            }
            let acted = match action.needs_the_live_set() {
                false => self.act(action).await,
                true if may_adopt => timeout_at(until, self.act(action)).await.unwrap_or_else(|_| {
                    let why = "no answer before the live read of the set was too long ago".to_owned();
                    self.fail(&action.to_string(), Failure::Other(why))
                }),
                true => continue,
            };
            if acted.is_err() {
                result = Err(Stopped);
            }
        }
        result
    }

    /// The one read: is the set that we know still the one, not being deleted and, `exactly`, with the spec that we know?
    async fn confirm_set(&self, exactly: bool) -> Result<(), Failure> {
        let request = requests(Kind::Set, self.set).get(&self.set.name, &Default::default());
        let live = call(&self.executor.client, request).await?.metadata;
        if live.uid != self.set.uid {
            return Err(Failure::Conflict(format!("the set is another one by now (UID {})", live.uid)));
        }
        if live.deletion_timestamp.is_some() {
            return Err(Failure::Conflict("the set is being deleted".into()));
        }
        if exactly && live.generation != Some(self.set.generation) {
            return Err(Failure::Conflict("the set's spec has changed".into()));
        }
        Ok(())
    }

    async fn one_by_one(&self, steps: &[Step]) -> Result<(), Stopped> {
        for step in steps {
            self.step(step).await?;
        }
        Ok(())
    }

    /// 1, 2, 4, … at a time; after a failure no further batch begins (S-4.11).
    async fn slow_start(&self, steps: &[Step]) -> Result<(), Stopped> {
        let mut rest = steps;
        let mut batch = Batch::default();
        while !rest.is_empty() {
            let size = batch.grow().min(rest.len());
            let (now, later) = rest.split_at(size);
            rest = later;
            let results = join_all(now.iter().map(|step| self.step(step)).collect::<Vec<_>>()).await;
            if results.iter().any(Result::is_err) {
                return Err(Stopped);
            }
        }
        Ok(())
    }

    /// The actions for one slot: all its missing claims are tried, and only then the pod (S-5.2).
    async fn step(&self, Step(actions): &Step) -> Result<(), Stopped> {
        let claims = actions.iter().take_while(|a| matches!(a, Action::CreateClaim { .. })).count();
        let (claims, others) = actions.split_at(claims);
        let mut errors = Vec::new();
        for claim in claims {
            if let (Action::CreateClaim { name, .. }, Err(failure)) = (claim, self.attempt(claim).await) {
                errors.push(format!("failed to create PVC {name}: {failure}"));
            }
        }
        if !errors.is_empty() {
            if let Some(Action::CreatePod { name, .. }) = others.first() {
                let joined = errors.join(", ");
                self.pod_failed("Create", name, &if errors.len() > 1 { format!("[{joined}]") } else { joined });
            }
            return Err(Stopped);
        }
        for action in others {
            self.act(action).await?;
        }
        Ok(())
    }

    async fn act(&self, action: &Action) -> Result<(), Stopped> {
        self.attempt(action).await.map_err(|_| Stopped)
    }

    /// Sends one action; tells what came of it, and notes it.
    async fn attempt(&self, action: &Action) -> Result<(), Failure> {
        info!("{action}");
        let done = match self.send(action).await {
            Ok(()) => {
                self.tell_success(action);
                Ok(())
            }
            Err(failure) if action.is_content_with(failure.answer()) => {
                // A pod that is there is what a dry run is likely to meet.
                self.report().other_than_seen |= !matches!(action, Action::TryPod { .. });
                Ok(())
            }
            Err(failure) => {
                self.tell_failure(action, &failure);
                Err(failure)
            }
        };
        let mut report = self.report();
        if let Action::TryPod { .. } = action {
            let refused = match &done {
                Ok(()) => Some(None),
                Err(Failure::Refused(message)) => Some(Some(message.clone())),
                Err(_) => None,
            };
            if let Some(refused) = refused {
                report.learned.trial = Some(self.plan.trial(self.set, refused, Timestamp::now()));
                return done;
            }
        }
        if let Action::CreateService { .. } | Action::UpdateService { .. } = action {
            report.learned.service = Some(done.clone().map_err(|failure| failure.to_string()));
        }
        if let Err(failure) = &done {
            if let Failure::Refused(message) = failure {
                report.learned.note_refusal(action, message);
            }
            report.failures.push((action.to_string(), failure.clone()));
        }
        done
    }

    async fn send(&self, action: &Action) -> Result<(), Failure> {
        let carry::Request { kind, name, ask } = action.request(self.set, &self.plan.templates);
        let to = requests(kind, self.set);
        let client = &self.executor.client;
        let ack = match ask {
            Ask::Create(object) => {
                // The built-in controller compares revisions byte by byte, should it ever get to see this one (S-3.1).
                let body = if kind == Kind::Revision { encode(&object) } else { object.to_string() };
                call(client, to.create(&post_params(), body.into_bytes())).await?
            }
            Ask::Try(object) => {
                let params = PostParams { dry_run: true, ..post_params() };
                return call(client, to.create(&params, object.to_string().into_bytes())).await.map(drop);
            }
            Ask::Merge(change) => call(client, to.patch(&name, &patch_params(), &Patch::Merge(change))).await?,
            Ask::Strategic(change) => call(client, to.patch(&name, &patch_params(), &Patch::Strategic(change))).await?,
            Ask::Delete(uid) => {
                let exactly = Preconditions { uid: Some(uid.clone()), resource_version: None };
                call(client, to.delete(&name, &DeleteParams::default().preconditions(exactly))).await?;
                if kind == Kind::Pod {
                    self.report().writes.deleted.push((name, uid));
                }
                return Ok(());
            }
            Ask::Orphan { uid, resource_version } => {
                let exactly = Preconditions { uid: Some(uid), resource_version: Some(resource_version) };
                call(client, to.delete(&name, &DeleteParams::orphan().preconditions(exactly))).await?
            }
        };
        let mark = self.executor.caches.mark(kind, &ack.metadata.resource_version);
        self.report().writes.marks.push(mark);
        Ok(())
    }

    fn tell_success(&self, action: &Action) {
        let set = &self.set.name;
        match action {
            Action::CreatePod { name, .. } => self.pod_done("Create", name),
            Action::UpdatePod { name, .. } => self.pod_done("Update", name),
            Action::DeletePod { name, .. } => self.pod_done("Delete", name),
            Action::CreateClaim { name, pod, .. } => {
                self.done("Create", Thing::Claim, name, || {
                    format!("Create Claim {name} Pod {pod} in OrdinalSet {set} success")
                });
            }
            Action::CreateService { name } | Action::UpdateService { name, .. } => {
                let verb = service_verb(action);
                let note = format!("{verb} Service {name} in OrdinalSet {set} successful");
                self.tell(&format!("Successful{verb}"), verb, Some(Target { kind: "Service", name }), note);
            }
            Action::ReleaseNative { name, .. } => {
                let note = format!("StatefulSet {name} was deleted and leaves its pods to OrdinalSet {set}");
                self.tell("ReleasedStatefulSet", "Adopt", None, note);
            }
            _ => {}
        }
    }

    /// What the next pass judges anew without ado is not told: a name that is taken, an object that has changed.
    fn tell_failure(&self, action: &Action, failure: &Failure) {
        let set = &self.set.name;
        match (action, failure) {
            (Action::CreatePod { .. } | Action::CreateClaim { .. }, Failure::AlreadyExists(_))
            | (Action::UpdatePod { .. }, Failure::Conflict(_)) => {}
            (Action::CreatePod { name, .. }, _) => self.pod_failed("Create", name, &failure.to_string()),
            (Action::UpdatePod { name, .. }, _) => self.pod_failed("Update", name, &failure.to_string()),
            (Action::DeletePod { name, .. }, _) => self.pod_failed("Delete", name, &failure.to_string()),
            (Action::CreateClaim { name, pod, .. }, _) => {
                let note = format!("Create Claim {name} for Pod {pod} in OrdinalSet {set} failed error: {failure}");
                self.warn("FailedCreate", "Create", Some(claim_target(name)), note);
            }
            (Action::UpdateClaim(change), Failure::Refused(_) | Failure::Other(_)) if let Some(pod) = &change.pod => {
                let why = format!("could not update claim {} for delete policy ownerRefs: {failure}", change.name);
                self.pod_failed("Update", pod, &why);
            }
            (Action::CreateService { name } | Action::UpdateService { name, .. }, _) => {
                let verb = service_verb(action);
                let note = format!("{verb} Service {name} in OrdinalSet {set} failed error: {failure}");
                self.warn(&format!("Failed{verb}"), verb, Some(Target { kind: "Service", name }), note);
            }
            (action, Failure::Refused(_) | Failure::Other(_)) if action.takes_over() => {
                self.warn("FailedAdoption", "Adopt", None, format!("failed to {action}: {failure}"));
            }
            (Action::TryPod { .. }, Failure::Refused(message)) => {
                let revision = &self.plan.templates.update.revision;
                let note = format!("Update of OrdinalSet {set} to revision {revision} stopped: {message}");
                self.warn("PodRejected", "Update", None, note);
            }
            _ => {}
        }
    }

    fn fail(&self, doing: &str, failure: Failure) -> Result<(), Stopped> {
        self.report().failures.push((doing.to_owned(), failure));
        Err(Stopped)
    }

    fn pod_done(&self, verb: &'static str, name: &str) {
        let note = || format!("{verb} Pod {name} in OrdinalSet {} successful", self.set.name);
        self.done(verb, Thing::Pod, name, note);
    }

    fn done(&self, verb: &'static str, thing: Thing, name: &str, note: impl FnOnce() -> String) {
        let deed = Deed { set: self.subject.clone(), verb, thing };
        self.executor.events.done(&deed, name, self.amid, note);
    }

    fn pod_failed(&self, verb: &'static str, name: &str, why: &str) {
        let note = format!("{verb} Pod {name} in OrdinalSet {} failed error: {why}", self.set.name);
        self.warn(&format!("Failed{verb}"), verb, Some(Target { kind: "Pod", name }), note);
    }

    fn tell(&self, reason: &str, verb: &str, target: Option<Target<'_>>, note: String) {
        self.executor.events.normal(&self.subject, reason, verb, target, note);
    }

    fn warn(&self, reason: &str, verb: &str, target: Option<Target<'_>>, note: String) {
        self.executor.events.warning(&self.subject, reason, verb, target, note);
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests for objects of a kind in the set's namespace.
fn requests(kind: Kind, set: &Set) -> Request {
    let namespace = Some(set.namespace.as_str());
    Request::new(match kind {
        Kind::Set => OrdinalSet::url_path(&(), namespace),
        Kind::Pod => core::Pod::url_path(&(), namespace),
        Kind::Claim => core::PersistentVolumeClaim::url_path(&(), namespace),
        Kind::Revision => ControllerRevision::url_path(&(), namespace),
        Kind::Service => core::Service::url_path(&(), namespace),
        Kind::Native => StatefulSet::url_path(&(), namespace),
    })
}

fn service_verb(action: &Action) -> &'static str {
    if matches!(action, Action::UpdateService { .. }) { "Update" } else { "Create" }
}

fn subject(set: &Set) -> Subject {
    Subject { namespace: set.namespace.clone(), name: set.name.clone(), uid: set.uid.clone() }
}

fn claim_target(name: &str) -> Target<'_> {
    Target { kind: "PersistentVolumeClaim", name }
}

/// The native words, for those who search for them (S-7.3).
fn conflicting(claim: &str) -> String {
    format!(
        "PersistentVolumeClaim {claim} has a conflicting OwnerReference that acts as a manging controller, \
         the retention policy is ignored for this claim"
    )
}

fn post_params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() }
}

fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}
