//! `kubectl ordinal release`: an OrdinalSet becomes a StatefulSet, and its pods run on. No operator is needed for it: the garbage
//! collector lets the pods go, and the built-in controller takes them.
//!
//! | step | what is written | a crash after it |
//! |---|---|---|
//! | [`check`], [`manifest`] | nothing | changes nothing |
//! | [`record`] | a ConfigMap with the StatefulSet to be | the same command starts over |
//! | [`leave`] | claims are secured; the set is deleted, its pods stay | the same command goes on from the ConfigMap |
//! | [`arrive`] | the StatefulSet, which touches no pod at first; pods get its revision's label; then it has its own strategy | goes on |
//! | end | the ConfigMap is deleted | done |

mod arrive;
mod check;
mod leave;
mod manifest;
mod record;
mod settle;

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use ordinal_api::OrdinalSet;
use ordinal_plan::native::collects_claims;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    cli::Release,
    cluster::{Cluster, told},
    convert::{NATIVE, OURS},
    family::is_controlled_by,
    finding::{self, good, unsure},
    markers, neighbours, pods, rights,
    target::Target,
    time,
};
use record::{Kept, Record};
pub use record::{LABEL, set_of};

/// On a StatefulSet that a release made, until it is done: the UID of the set that it was.
const RELEASED_FROM: &str = "apps.ordinal.dev/released-from";

/// How often it is looked again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// So often somebody else may change the set between the checks and its deletion.
const TRIES: usize = 5;

/// One release.
struct Job<'a> {
    cluster: &'a Cluster,
    target: &'a Target,
    partial: bool,
    deadline: Instant,
}

pub async fn run(args: &Release, cluster: &Cluster) -> Result<ExitCode> {
    let target = &args.set;
    let job = Job { cluster, target, partial: !args.accept.is_empty(), deadline: time::deadline(args.timeout) };
    let set = job.set().await?;
    let kept = record::read(cluster, &target.0).await?;
    let kept = match (set, kept) {
        (None, None) => return job.nothing(args).await,
        (None, Some(kept)) => kept,
        (Some(set), Some(kept)) if kept.is_of(&set) && is_leaving(&set) => kept,
        (Some(set), before) => match job.prepare(args, set, before).await? {
            Some(kept) => kept,
            None => return Ok(ExitCode::SUCCESS),
        },
    };
    if args.rehearsal.is_on() {
        println!(
            "{target} is amid its release already, which ConfigMap {} tells of: without --dry-run it goes on",
            kept.name
        );
        return Ok(ExitCode::SUCCESS);
    }
    job.wait_until_gone(&kept.record).await?;
    let native = job.create(&kept.record).await?;
    job.arrive(&kept, native).await
}

/// Deleted already, and only the garbage collector is to be waited for.
fn is_leaving(set: &OrdinalSet) -> bool {
    set.metadata.deletion_timestamp.is_some()
}

impl Job<'_> {
    async fn set(&self) -> Result<Option<OrdinalSet>> {
        let found = self.cluster.api::<OrdinalSet>().get_opt(&self.target.0).await;
        found.map_err(|error| told(error, &format!("cannot read {}", self.target)))
    }

    async fn native(&self) -> Result<Option<Value>> {
        self.cluster.stored::<StatefulSet>(&self.target.0).await
    }

    /// Waits a little; an error when it has taken too long.
    async fn pause(&self, waiting_for: &str) -> Result<()> {
        if Instant::now() >= self.deadline {
            bail!(
                "timed out waiting until {waiting_for}. The same command goes on from here: kubectl ordinal release {}",
                self.target.0
            );
        }
        sleep(LOOK_AGAIN).await;
        Ok(())
    }

    /// There is neither a set nor a trace of its release.
    async fn nothing(&self, args: &Release) -> Result<ExitCode> {
        let (target, name) = (self.target, &self.target.0);
        let Some(native) = self.native().await? else {
            bail!("{target} not found in namespace {}", self.cluster.namespace);
        };
        if native["metadata"]["annotations"][RELEASED_FROM].is_string() && !args.rehearsal.is_on() {
            // All was done but this.
            self.unmark(&native).await?;
            println!("statefulset.apps/{name} has been released already");
            return Ok(ExitCode::SUCCESS);
        }
        bail!("{name} is a StatefulSet already: there is nothing to release");
    }

    /// Checks, says what there is to be said, and deletes the set with its pods left. None for a dry run.
    async fn prepare(&self, args: &Release, mut set: OrdinalSet, mut before: Option<Kept>) -> Result<Option<Kept>> {
        let (cluster, target, name) = (self.cluster, self.target, &self.target.0);
        for attempt in 0..TRIES {
            let mut findings = check::checks(&set, self.native().await?.as_ref(), self.partial);
            let ready = !findings.iter().any(finding::Finding::is_bad);
            let mut pods = pods::of(cluster, name).await?;
            pods.retain(|pod| is_controlled_by(pod, &set.uid().unwrap_or_default()));
            let policy = before.as_ref().filter(|kept| kept.is_of(&set)).and_then(|kept| kept.policy().cloned());
            let draft = manifest::make(&set, policy)?;
            let (stored, judged) = manifest::judge(cluster, &draft).await;
            findings.extend(judged);
            let missing = rights::missing(cluster, &self.rights(&set)).await?;
            let next = "ask for these rights: without them it would have to stop halfway";
            let missing: Vec<String> = missing.into_iter().map(|right| format!("you may not {right}")).collect();
            findings.push(finding::check("you may do all that a release does", &missing, next));
            if attempt == 0 {
                let template = &set.spec.template;
                findings.extend(neighbours::of(cluster, name, template, OURS, NATIVE).await?.findings);
                findings.extend(markers::of(&serde_json::to_value(&set)?, OURS.1, NATIVE.1));
                finding::print(&findings);
            } else if !ready {
                finding::print(&findings);
            }
            let bad = findings.iter().any(finding::Finding::is_bad);
            let (false, Some(stored)) = (bad, stored) else {
                let how = if before.as_ref().is_some_and(|kept| kept.is_of(&set)) {
                    "it is as an earlier try has left it"
                } else {
                    "nothing was changed"
                };
                bail!("{target} cannot be released as it stands: {how}");
            };
            let record = Record::new(&set, stored, pods::uids(&pods));
            if args.rehearsal.is_on() {
                record.foretell().iter().for_each(|line| println!("  {line}"));
                println!("{target} can be released with no pod restarted (dry run: nothing was changed)");
                return Ok(None);
            }
            let kept = record::keep(cluster, record, before.take()).await?;
            let left = match collects_claims(&set.spec) {
                true => self.retain(&set).await?,
                false => Some(set),
            };
            if let Some(set) = left
                && cluster.orphan(&set).await.map_err(|error| told(error, &format!("cannot delete {target}")))?
            {
                print!("{}", good(format!("{target} is deleted, and leaves its pods")));
                return Ok(Some(kept));
            }
            print!("{}", unsure(format!("{target} was changed meanwhile: it is looked at again")));
            before = Some(kept);
            set = match self.set().await? {
                Some(set) => set,
                None => bail!("{target} was deleted by somebody else: see what has become of its pods"),
            };
        }
        bail!("{target} is changed again and again: run this when it is left alone");
    }

    /// What it takes to come to the end.
    fn rights(&self, set: &OrdinalSet) -> Vec<rights::Right> {
        let (core, apps, ours) = ("", "apps", "apps.ordinal.dev");
        let mut all = vec![
            ("delete", ours, "ordinalsets"),
            ("get", apps, "statefulsets"),
            ("create", apps, "statefulsets"),
            ("patch", apps, "statefulsets"),
            ("list", apps, "controllerrevisions"),
            ("get", apps, "controllerrevisions"),
            ("list", core, "pods"),
            ("patch", core, "pods"),
            ("get", core, "configmaps"),
            ("create", core, "configmaps"),
            ("update", core, "configmaps"),
            ("delete", core, "configmaps"),
        ];
        if collects_claims(&set.spec) {
            all.extend([("patch", ours, "ordinalsets"), ("list", core, "persistentvolumeclaims")]);
        }
        if check::is_partial(set) {
            all.push(("patch", apps, "statefulsets/status"));
        }
        all
    }
}

/// The UID of an object as it was read.
fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// Whether an object's owners, controllers or not, have this UID among them.
fn is_owned_by(object: &impl ResourceExt, uid: &str) -> bool {
    object.owner_references().iter().any(|owner| owner.uid == uid)
}
