//! One trial on the stage: a namespace, a proxy, an operator of its own that sees nothing else.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ordinal_sim::workload::{Step, Workload};
use ordinal_tests::{
    ControlPlane, Identity, Namespace, Operator, Signal, calls,
    picture::{self, differences},
    proxy::Proxy,
    record::{Record, Room, Watched},
    rest,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::{
    jury,
    saboteur::{INJECTED, MIRROR, Saboteur},
    trial::Trial,
};

/// Nothing moves for so long: longer than the operator's own pauses, such as that after a conflict.
const QUIET: Duration = Duration::from_millis(2_500);

/// The scheduler's longest back-off: a pod that fits nowhere may be looked at again after that, and told another reason.
const SCHEDULER: Duration = Duration::from_secs(10);

/// Back-offs of half a minute may lie before the end.
const LIMIT: Duration = Duration::from_secs(120);

/// How often things are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// From start to ready.
const START: Duration = Duration::from_secs(40);

/// How each rest of a workload looks, and how many calls it takes.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The pictures.
    pub rests: Vec<Value>,
    /// Calls of the operator.
    pub calls: usize,
}

/// One trial.
pub struct Stage<'a> {
    record: &'a Record,
    trial: &'a Trial,
    namespace: Namespace,
    saboteur: Arc<Saboteur>,
    kubeconfig: PathBuf,
    // Both end with it.
    _proxy: Proxy,
    crashes: UnboundedReceiver<()>,
    operator: Operator,
    log: PathBuf,
}

impl<'a> Stage<'a> {
    /// Sets it up.
    pub async fn set(control_plane: &'a ControlPlane, record: &'a Record, trial: &'a Trial) -> Result<Self> {
        let namespace = control_plane.namespace("fault").await?;
        let (crash, crashes) = mpsc::unbounded_channel();
        let saboteur = Arc::new(Saboteur::new(trial, &namespace, crash));
        let proxy = Proxy::start(control_plane, Identity::Operator, saboteur.clone()).await?;
        let kubeconfig = proxy.kubeconfig(control_plane, Identity::Operator)?;
        let log = control_plane.log(&format!("operator-{}", namespace.name()));
        let operator = launch(&kubeconfig, &namespace, log.clone()).await?;
        Ok(Self { record, trial, namespace, saboteur, kubeconfig, _proxy: proxy, crashes, operator, log })
    }

    /// Does the work without a reference, and makes one.
    pub async fn refer(mut self) -> Result<Reference> {
        let mut rests = Vec::new();
        for step in steps(self.trial.plan.workload) {
            if let Step::Rest = step {
                self.comes_to_rest().await?;
                rests.push(self.picture());
            } else {
                self.step(&step).await?;
            }
        }
        self.is_well_mannered()?;
        Ok(Reference { rests, calls: self.saboteur.calls() })
    }

    /// Does the work, and tells whether anything went wrong on the way as the trial wants it.
    ///
    /// # Errors
    /// When it does not look as it should at one of the rests, when the operator misbehaves, or when it writes anything for so
    /// long after the end.
    pub async fn play(mut self, reference: &Reference, quiet: Duration) -> Result<bool> {
        let done = self.act(reference, quiet).await;
        done.with_context(|| format!("the last calls:\n{}its log: {}", self.saboteur.told(), self.log.display()))?;
        Ok(self.saboteur.has_struck())
    }

    async fn act(&mut self, reference: &Reference, quiet: Duration) -> Result<()> {
        let mut wanted = reference.rests.iter();
        for step in steps(self.trial.plan.workload) {
            match step {
                Step::Rest => {
                    let now = wanted.next().context("there are as many rests as in the reference")?;
                    // What somebody spoilt may be mended only by the work that follows.
                    if self.trial.plan.is_disturbed() && wanted.len() > 0 {
                        self.comes_to_rest().await?;
                    } else {
                        self.looks_like(now).await?;
                    }
                }
                step => self.step(&step).await?,
            }
        }
        let calls = self.saboteur.calls();
        self.wait(quiet).await?;
        let more = self.saboteur.calls() - calls;
        ensure!(more == 0, "it is over, and the operator made {more} more calls");
        self.is_well_mannered()
    }

    fn is_well_mannered(&self) -> Result<()> {
        let history = self.record.history(self.namespace.name());
        // It computes for long enough to keep others waiting.
        let wrong = tokio::task::block_in_place(|| jury::judge(&self.saboteur.protocol(), &history, self.trial));
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        let log = self.operator.log();
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            bail!("a panic in the operator's log: {line}");
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        let name = self.namespace.name().to_owned();
        self.record.stir(&name);
        match step {
            Step::Call(call) => {
                calls::send(&self.namespace.client(), &name, call).await.with_context(|| call.to_string())?;
                Ok(())
            }
            Step::Fails(pod) => {
                // It may be away just then.
                let _ = self.namespace.annotate_pod(pod, json!({"test.ordinal.dev/fails": "true"})).await;
                Ok(())
            }
            Step::Until { pod, image } => {
                let what = format!("{pod} is ready with image {image}");
                self.until(&what, |room| if is_ready(room, pod, image) { Ok(()) } else { Err("not yet".into()) }).await
            }
            Step::Rest => Ok(()),
        }
    }

    async fn comes_to_rest(&mut self) -> Result<()> {
        self.rests("it comes to rest", |_| Ok(())).await
    }

    async fn looks_like(&mut self, wanted: &Value) -> Result<()> {
        let Trial { plan, weather } = self.trial;
        // Whoever is told of old makes what was wanted then, once more.
        let loosely = plan.is_disturbed() || plan.workload.is_a_race() || weather.deceives();
        let wanted = if loosely { loose(wanted) } else { wanted.clone() };
        self.rests("it looks as it does without faults", |room| {
            let found = draw(room);
            let found = if loosely { loose(&found) } else { found };
            let different = differences(&wanted, &found);
            if different.is_empty() {
                return Ok(());
            }
            let told = different.iter().map(|(place, (wanted, found))| format!("\n  {place}: {wanted}, but {found}"));
            Err(told.collect())
        })
        .await
    }

    /// Waits until it is right, and nothing has moved for long enough, and for what the weather hides beside.
    async fn rests(&mut self, what: &str, right: impl Fn(&Room) -> Result<(), String>) -> Result<()> {
        let (record, saboteur, name) = (self.record, self.saboteur.clone(), self.namespace.name().to_owned());
        let hidden = self.trial.weather.hides_for();
        self.until(what, |room| {
            if let Some(moving) = rest::moving(room) {
                return Err(moving);
            }
            right(room)?;
            if saboteur.is_waited_for() {
                return Err("the operator waits for an answer".to_owned());
            }
            let enough = hidden + if rest::fits_nowhere(room) { SCHEDULER } else { QUIET };
            let still = record.still(&name).min(saboteur.quiet());
            if still > enough { Ok(()) } else { Err(format!("quiet for {still:?}")) }
        })
        .await
    }

    fn picture(&self) -> Value {
        draw(&self.record.room(self.namespace.name()))
    }

    /// Waits, and starts the operator anew whenever the plan has it killed.
    async fn until(&mut self, what: &str, mut there: impl FnMut(&Room) -> Result<(), String>) -> Result<()> {
        let limit = LIMIT + self.trial.hangs_for();
        let deadline = Instant::now() + limit;
        while let Err(why) = there(&self.record.room(self.namespace.name())) {
            ensure!(Instant::now() < deadline, "not within {limit:?}: {what}: {why}");
            self.wait(LOOK).await?;
        }
        Ok(())
    }

    async fn wait(&mut self, time: Duration) -> Result<()> {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                Some(()) = self.crashes.recv() => self.restart().await?,
            }
        }
    }

    async fn restart(&mut self) -> Result<()> {
        // The new one is not started before the old one is dead.
        self.operator.signal(Signal::Kill);
        self.operator.ended(START).await?;
        self.saboteur.starts_anew();
        self.operator = launch(&self.kubeconfig, &self.namespace, self.log.clone()).await?;
        Ok(())
    }
}

/// A workload's steps, with a rest at the end.
fn steps(workload: Workload) -> Vec<Step> {
    let mut steps = workload.steps();
    steps.push(Step::Rest);
    steps
}

async fn launch(kubeconfig: &Path, namespace: &Namespace, log: PathBuf) -> Result<Operator> {
    let args = ["--leader-elect=false".to_owned(), format!("--namespaces={}", namespace.name())];
    Operator::launch(kubeconfig, &args, log).await
}

fn is_ready(room: &Room, pod: &str, image: &str) -> bool {
    room.get(Watched::Pod, pod).is_some_and(|pod| {
        let found = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
        rest::has_condition(pod, "Ready", "status", "True") && found.trim_start_matches(MIRROR) == image
    })
}

/// What there is, without the way that led there, and without revisions that nothing uses.
fn draw(room: &Room) -> Value {
    let mut picture = picture::of(room, usize::MAX);
    let used = ["currentRevision", "updateRevision"].map(|field| picture["status"][field].clone());
    let unused = |name: &String| !used.iter().any(|used| used == name.as_str());
    if let Some(revisions) = picture["revisions"].as_object_mut() {
        revisions.retain(|name, _| !unused(name));
    }
    for kind in ["revisions", "pods", "claims"] {
        for object in picture[kind].as_object_mut().into_iter().flat_map(|objects| objects.values_mut()) {
            // What somebody else wrote is kept, and part of no reference.
            for theirs in ["theirs", INJECTED] {
                object["labels"].as_object_mut().into_iter().for_each(|labels| drop(labels.remove(theirs)));
            }
            object.as_object_mut().into_iter().for_each(|object| drop(object.remove("number")));
            for container in object["spec"]["containers"].as_array_mut().into_iter().flatten() {
                let image = container["image"].as_str().unwrap_or_default();
                container["image"] = image.trim_start_matches(MIRROR).into();
            }
        }
    }
    picture
}

/// Without how many objects of a name there have been.
fn loose(picture: &Value) -> Value {
    let mut picture = picture.clone();
    for kind in ["revisions", "pods", "claims"] {
        for object in picture[kind].as_object_mut().into_iter().flat_map(|objects| objects.values_mut()) {
            object["lives"] = Value::Null;
            for owner in object["owners"].as_array_mut().into_iter().flatten() {
                owner["uid"] = Value::Null;
            }
        }
    }
    picture
}
