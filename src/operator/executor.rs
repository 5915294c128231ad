//! Carries a plan out. The only file that writes to the objects of sets; it decides nothing: what to do, in which order,
//! and by which UID is in the plan.

use crate::{
    answer::{Ack, call},
    collect::Caches,
    events::{Events, Subject, Target},
    outcome::Failure,
};
use futures::future::join_all;
use k8s_openapi::{
    api::{apps::v1::ControllerRevision, core::v1 as core},
    jiff::Timestamp,
};
use kube::{
    Client, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, Request},
};
use ordinal_api::{OrdinalSet, OrdinalSetStatus};
use ordinal_plan::{
    Plan,
    action::{Action, ClaimOwners, FailedPod, Pace, Stage, StageKind, Step, Which},
    backoff, claim,
    freshness::{Kind, Mark, Writes},
    pod, revision,
    scale::Batch,
    service,
    snapshot::{Refusal, Set, Trial, Verdict},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::info;

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
    /// The write that the server refused, if it refused one.
    pub refusal: Option<Refusal>,
    /// The pods or revisions that the plan judged by could not be had: its counters mean nothing (S-4.1).
    pub undetermined: bool,
    /// What a dry run brought.
    pub trial: Option<Trial>,
    /// Whether the governing Service could be written; absent when nothing was to be written.
    pub service: Option<Result<(), String>>,
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
        let pass = Pass { executor: self, set, plan, subject: subject(set), report: Mutex::default() };
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
            pass.report().undetermined |= failed && stage.kind <= StageKind::Revision;
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
        let patch = json!({
            "metadata": {"uid": set.uid, "resourceVersion": set.resource_version},
            "status": status,
        });
        let request = Request::new(OrdinalSet::url_path(&(), Some(&set.namespace)));
        let request = request.patch_subresource("status", &set.name, &patch_params(), &Patch::Merge(patch));
        let ack = call(&self.client, request).await?;
        Ok(self.caches.mark(Kind::Set, &ack.metadata.resource_version))
    }
}

/// One plan on its way.
struct Pass<'a> {
    executor: &'a Executor,
    set: &'a Set,
    plan: &'a Plan,
    subject: Subject,
    report: Mutex<Report>,
}

impl Pass<'_> {
    async fn stage(&self, stage: &Stage) -> Result<(), Stopped> {
        match stage.kind {
            StageKind::Claiming => self.claiming(stage).await,
            _ => match stage.pace {
                Pace::OneByOne => self.one_by_one(&stage.steps).await,
                Pace::SlowStart => self.slow_start(&stage.steps).await,
            },
        }
    }

    /// Adoptions are tried after a live read of the set, and all of them before a failure counts (S-2.5).
    async fn claiming(&self, stage: &Stage) -> Result<(), Stopped> {
        let adopts = |a: &Action| matches!(a, Action::AdoptPod { .. } | Action::AdoptRevision { .. });
        let mut may_adopt = true;
        let mut result = Ok(());
        if stage.actions().any(adopts)
            && let Err(failure) = self.confirm_set().await
        {
            may_adopt = false;
            result = self.fail("reading the set before an adoption", failure);
        }
        for action in stage.actions().filter(|a| may_adopt || !adopts(a)) {
            if self.act(action).await.is_err() {
                result = Err(Stopped);
            }
        }
        result
    }

    /// The one read: is the set that we know still the one, and not being deleted?
    async fn confirm_set(&self) -> Result<(), Failure> {
        let request = Request::new(OrdinalSet::url_path(&(), Some(&self.set.namespace)));
        let live = call(&self.executor.client, request.get(&self.set.name, &Default::default())).await?.metadata;
        if live.uid != self.set.uid {
            return Err(Failure::Conflict(format!("the set is another one by now (UID {})", live.uid)));
        }
        if live.deletion_timestamp.is_some() {
            return Err(Failure::Conflict("the set is being deleted".into()));
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
            info!("{claim}");
            if let Action::CreateClaim { name, template, pod } = claim
                && let Err(failure) = self.create_claim(name, template, pod).await
            {
                errors.push(format!("failed to create PVC {name}: {failure}"));
                self.note_refusal(&claim.to_string(), &failure);
                let _ = self.fail(&claim.to_string(), failure);
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
        info!("{action}");
        let done = match action {
            Action::AdoptPod { name, uid } => self.adopt::<core::Pod>(Kind::Pod, name, uid).await,
            Action::AdoptRevision { name, uid } => self.adopt::<ControllerRevision>(Kind::Revision, name, uid).await,
            Action::ReleasePod { name, uid } => self.release(name, uid).await,
            Action::CreateRevision { name, hash, number } => {
                let body = revision::desired(self.set, name, hash, *number);
                self.create::<ControllerRevision>(Kind::Revision, &body).await
            }
            Action::RenumberRevision { name, uid, number } => {
                let body = json!({"metadata": {"uid": uid}, "revision": number});
                self.patch::<ControllerRevision>(Kind::Revision, name, Patch::Merge(body)).await
            }
            Action::DeleteRevision { name, uid } => self.delete::<ControllerRevision>(name, uid).await.map(drop),
            Action::CreateService { .. } | Action::UpdateService { .. } => return self.service(action).await,
            Action::CreateClaim { name, template, pod } => self.create_claim(name, template, pod).await,
            Action::UpdateClaim(change) => self.update_claim(change).await,
            Action::CreatePod { name, ordinal, revision } => self.create_pod(name, *ordinal, *revision).await,
            Action::UpdatePod { name, uid, ordinal, labels, volumes } => {
                self.update_pod(name, uid, *ordinal, *labels, *volumes).await
            }
            Action::DeletePod { name, uid, .. } => self.delete_pod(name, uid).await,
            Action::TryPod { name, ordinal } => return self.try_pod(name, *ordinal).await,
        };
        done.or_else(|failure| {
            if matches!(action, Action::CreatePod { .. } | Action::UpdatePod { .. } | Action::CreateRevision { .. }) {
                self.note_refusal(&action.to_string(), &failure);
            }
            self.fail(&action.to_string(), failure)
        })
    }

    async fn adopt<K: Resource<DynamicType = ()>>(&self, kind: Kind, name: &str, uid: &str) -> Result<(), Failure> {
        let body = json!({"metadata": {"uid": uid, "ownerReferences": [self.set.controller_ref()]}});
        ignore_gone(self.patch::<K>(kind, name, Patch::Strategic(body)).await)
    }

    /// Takes our reference off. Gone, or another pod by now, is as good (S-2.5).
    async fn release(&self, name: &str, uid: &str) -> Result<(), Failure> {
        let reference = json!({"$patch": "delete", "uid": self.set.uid});
        let body = json!({"metadata": {"uid": uid, "ownerReferences": [reference]}});
        match self.patch::<core::Pod>(Kind::Pod, name, Patch::Strategic(body)).await {
            Err(Failure::Conflict(_)) => Ok(()),
            done => ignore_gone(done),
        }
    }

    async fn create_claim(&self, name: &str, template: &str, pod: &str) -> Result<(), Failure> {
        let Some(body) = claim::desired(self.set, template, name) else { return Ok(()) };
        let done = self.create::<core::PersistentVolumeClaim>(Kind::Claim, &body).await;
        let set = &self.set.name;
        match &done {
            Ok(()) => {
                let note = format!("Create Claim {name} Pod {pod} in OrdinalSet {set} success");
                self.tell("SuccessfulCreate", "Create", Some(claim_target(name)), note);
            }
            Err(Failure::AlreadyExists(_)) => {}
            Err(failure) => {
                let note = format!("Create Claim {name} for Pod {pod} in OrdinalSet {set} failed error: {failure}");
                self.warn("FailedCreate", "Create", Some(claim_target(name)), note);
            }
        }
        done
    }

    /// A claim that has changed meanwhile is judged again by the next pass, without ado.
    async fn update_claim(&self, change: &ClaimOwners) -> Result<(), Failure> {
        let body = Patch::Strategic(claim::owner_patch(change));
        let done = self.patch::<core::PersistentVolumeClaim>(Kind::Claim, &change.name, body).await;
        if let Err(failure @ (Failure::Refused(_) | Failure::Other(_))) = &done {
            let why = format!("could not update claim {} for delete policy ownerRefs: {failure}", change.name);
            self.pod_failed("Update", &change.pod, &why);
        }
        ignore_gone(done)
    }

    async fn create_pod(&self, name: &str, ordinal: i32, revision: Which) -> Result<(), Failure> {
        let body = pod::desired(self.set, ordinal, self.plan.templates.get(revision));
        let done = self.create::<core::Pod>(Kind::Pod, &body).await;
        match &done {
            Ok(()) => self.pod_done("Create", name),
            Err(Failure::AlreadyExists(_)) => {}
            Err(failure) => self.pod_failed("Create", name, &failure.to_string()),
        }
        done
    }

    async fn update_pod(
        &self,
        name: &str,
        uid: &str,
        ordinal: i32,
        labels: bool,
        volumes: bool,
    ) -> Result<(), Failure> {
        let mut body = json!({"metadata": {"uid": uid}});
        if labels {
            body["metadata"]["labels"] = pod::identity_labels(name, ordinal).into();
        }
        if volumes {
            body["spec"]["volumes"] = pod::volumes(self.set, ordinal, None).into();
        }
        let done = self.patch::<core::Pod>(Kind::Pod, name, Patch::Strategic(body)).await;
        match &done {
            Ok(()) => self.pod_done("Update", name),
            Err(Failure::Conflict(_)) => {}
            Err(failure) => self.pod_failed("Update", name, &failure.to_string()),
        }
        done
    }

    /// Exactly the pod that was judged; if it is gone, or a namesake has its place, there is nothing to do (O-5).
    async fn delete_pod(&self, name: &str, uid: &str) -> Result<(), Failure> {
        match self.delete::<core::Pod>(name, uid).await {
            Ok(Deleted::Yes) => {
                self.report().writes.deleted.push((name.to_owned(), uid.to_owned()));
                self.pod_done("Delete", name);
                Ok(())
            }
            Ok(Deleted::Gone) => Ok(()),
            Err(failure) => {
                self.pod_failed("Delete", name, &failure.to_string());
                Err(failure)
            }
        }
    }

    /// Asks by a dry run whether the server would run such a pod (O-4).
    async fn try_pod(&self, name: &str, ordinal: i32) -> Result<(), Stopped> {
        let template = &self.plan.templates.update;
        let body = pod::desired(self.set, ordinal, template);
        let params = PostParams { dry_run: true, ..post_params() };
        let refused = match self.post::<core::Pod>(&params, &body).await {
            Ok(_) | Err(Failure::AlreadyExists(_)) => None,
            // Quota is judged last, so the rest was fine.
            Err(Failure::Refused(message)) if message.contains("exceeded quota") => None,
            // A webhook in the way: it cannot be known.
            Err(Failure::Refused(message)) if message.contains("does not support dry run") => None,
            Err(Failure::Refused(message)) => Some(message),
            Err(failure) => return self.fail(&format!("trying pod {name}"), failure),
        };
        let stopped = if refused.is_some() { Err(Stopped) } else { Ok(()) };
        let verdict = match refused {
            None => Verdict::Passed,
            Some(message) => {
                let set = &self.set.name;
                let note = format!("Update of OrdinalSet {set} to revision {} stopped: {message}", template.revision);
                self.warn("PodRejected", "Update", None, note);
                let before = self.plan.memory.trial.as_ref().filter(|t| t.revision == template.revision);
                let count = match before.map(|t| &t.verdict) {
                    Some(Verdict::Refused { count, .. }) => count.saturating_add(1),
                    _ => 1,
                };
                let now = Timestamp::now();
                let pause = backoff::delay(count, backoff::TRIAL_FIRST, backoff::LONGEST);
                Verdict::Refused { message, count, retry_at: now.checked_add(pause).unwrap_or(now) }
            }
        };
        let trial = Trial { revision: template.revision.clone(), generation: self.set.generation, verdict };
        self.report().trial = Some(trial);
        stopped
    }

    async fn service(&self, action: &Action) -> Result<(), Stopped> {
        let done = match action {
            Action::UpdateService { name, patch } => {
                self.patch::<core::Service>(Kind::Service, name, Patch::Merge(patch.clone())).await
            }
            _ => self.create::<core::Service>(Kind::Service, &service::desired(self.set)).await,
        };
        let name = &self.set.spec.service_name;
        let verb = if matches!(action, Action::UpdateService { .. }) { "Update" } else { "Create" };
        let target = Some(Target { kind: "Service", name });
        let set = &self.set.name;
        let result = match done {
            Ok(()) => {
                let note = format!("{verb} Service {name} in OrdinalSet {set} successful");
                self.tell(&format!("Successful{verb}"), verb, target, note);
                Ok(())
            }
            // Somebody was faster: the watch brings it.
            Err(Failure::AlreadyExists(_)) => Ok(()),
            Err(Failure::Conflict(_) | Failure::NotFound(_)) if verb == "Update" => Ok(()),
            Err(failure) => {
                let note = format!("{verb} Service {name} in OrdinalSet {set} failed error: {failure}");
                self.warn(&format!("Failed{verb}"), verb, target, note);
                let _ = self.fail(&action.to_string(), failure.clone());
                Err(failure.to_string())
            }
        };
        self.report().service = Some(result);
        Ok(())
    }

    async fn create<K: Resource<DynamicType = ()>>(&self, kind: Kind, body: &Value) -> Result<(), Failure> {
        let ack = self.post::<K>(&post_params(), body).await?;
        self.wrote(kind, &ack);
        Ok(())
    }

    async fn post<K: Resource<DynamicType = ()>>(&self, params: &PostParams, body: &Value) -> Result<Ack, Failure> {
        let request = Request::new(K::url_path(&(), Some(&self.set.namespace)));
        call(&self.executor.client, request.create(params, body.to_string().into_bytes())).await
    }

    async fn patch<K: Resource<DynamicType = ()>>(
        &self,
        kind: Kind,
        name: &str,
        patch: Patch<Value>,
    ) -> Result<(), Failure> {
        let request = Request::new(K::url_path(&(), Some(&self.set.namespace)));
        let ack = call(&self.executor.client, request.patch(name, &patch_params(), &patch)).await?;
        self.wrote(kind, &ack);
        Ok(())
    }

    async fn delete<K: Resource<DynamicType = ()>>(&self, name: &str, uid: &str) -> Result<Deleted, Failure> {
        let exactly = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let params = DeleteParams::default().preconditions(exactly);
        let request = Request::new(K::url_path(&(), Some(&self.set.namespace)));
        match call(&self.executor.client, request.delete(name, &params)).await {
            Ok(_) => Ok(Deleted::Yes),
            Err(Failure::NotFound(_) | Failure::Conflict(_)) => Ok(Deleted::Gone),
            Err(failure) => Err(failure),
        }
    }

    fn wrote(&self, kind: Kind, ack: &Ack) {
        let mark = self.executor.caches.mark(kind, &ack.metadata.resource_version);
        self.report().writes.marks.push(mark);
    }

    fn fail(&self, doing: &str, failure: Failure) -> Result<(), Stopped> {
        self.report().failures.push((doing.to_owned(), failure));
        Err(Stopped)
    }

    /// What keeps a pod from being made, and only somebody else can mend, is for the status too.
    fn note_refusal(&self, doing: &str, failure: &Failure) {
        if let Failure::Refused(message) = failure {
            let refusal = Refusal { doing: doing.to_owned(), message: message.clone() };
            self.report().refusal.get_or_insert(refusal);
        }
    }

    fn pod_done(&self, verb: &'static str, name: &str) {
        let note = format!("{verb} Pod {name} in OrdinalSet {} successful", self.set.name);
        self.tell(&format!("Successful{verb}"), verb, Some(Target { kind: "Pod", name }), note);
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

enum Deleted {
    Yes,
    /// It was gone, or is another object by now.
    Gone,
}

fn ignore_gone(done: Result<(), Failure>) -> Result<(), Failure> {
    match done {
        Err(Failure::NotFound(_)) => Ok(()),
        done => done,
    }
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
