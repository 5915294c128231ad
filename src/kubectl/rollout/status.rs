//! `rollout status`: a line for each pod that moves, and for what is waited for, until the roll-out is complete.

use std::{collections::BTreeMap, pin::pin, process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use futures::StreamExt;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use ordinal_api::OrdinalSet;
use tokio::time::{interval, sleep_until};

use super::progress::judge;
use crate::{
    cli::RolloutStatus,
    cluster::Cluster,
    family::{is_controlled_by, revision_of},
    output::{Mood, paint},
    status::state,
    time,
};

/// A pod gets available by time alone.
const TICK: Duration = Duration::from_secs(1);

pub async fn run(args: &RolloutStatus, cluster: &Cluster) -> Result<ExitCode> {
    let target = &args.set.set;
    let first = cluster.set(target).await?;
    if !args.watch {
        let progress = judge(&first);
        println!("{}", progress.text);
        return Ok(if progress.done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let deadline = time::deadline(args.timeout);
    let this = watcher::Config::default().fields(&format!("metadata.name={}", target.0));
    let mut sets = pin!(watcher(cluster.api::<OrdinalSet>(), this).default_backoff());
    let mut pods = pin!(watcher(cluster.api::<Pod>(), watcher::Config::default()).default_backoff());
    let mut show = Show {
        uid: first.uid().unwrap_or_default(),
        set: first,
        pods: BTreeMap::new(),
        told: BTreeMap::new(),
        line: String::new(),
    };
    let (mut listed, mut watches_pods) = (false, true);
    let mut tick = interval(TICK);
    loop {
        let progress = judge(&show.set);
        show.say(&progress.text);
        if progress.done {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = sleep_until(deadline) => {
                bail!("timed out waiting for the condition: {}", progress.text);
            }
            Some(event) = sets.next() => match event {
                Ok(Event::Init) => listed = false,
                Ok(Event::Apply(set) | Event::InitApply(set)) => {
                    listed = true;
                    show.see(set)?;
                }
                Ok(Event::InitDone) if listed => {}
                // It may have gone between two watches, too.
                Ok(Event::InitDone | Event::Delete(_)) => bail!("{target} has been deleted"),
                Err(error) if is_refused(&error) => bail!("cannot watch {target}: {error}"),
                Err(error) => eprintln!("watching {target}: {error}; trying again"),
            },
            Some(event) = pods.next(), if watches_pods => match event {
                Ok(Event::Apply(pod) | Event::InitApply(pod)) => show.pod(pod),
                Ok(Event::Delete(pod)) => show.gone(&pod),
                Ok(_) => {}
                Err(error) if is_refused(&error) => {
                    eprintln!("pods are not shown: {error}");
                    watches_pods = false;
                }
                Err(error) => eprintln!("watching pods: {error}; trying again"),
            },
            _ = tick.tick() => show.time_passes(),
        }
    }
}

/// For want of a right, which does not come by itself.
fn is_refused(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403))
}

/// What has been told so far.
struct Show {
    uid: String,
    set: OrdinalSet,
    pods: BTreeMap<String, Pod>,
    /// The last line of each pod.
    told: BTreeMap<String, String>,
    /// The last line of all.
    line: String,
}

impl Show {
    fn see(&mut self, set: OrdinalSet) -> Result<()> {
        if set.uid().as_ref() != Some(&self.uid) {
            bail!("the set was deleted, and another one of its name was made");
        }
        self.set = set;
        Ok(())
    }

    fn say(&mut self, line: &str) {
        if self.line != line {
            println!("{line}");
            line.clone_into(&mut self.line);
        }
    }

    fn pod(&mut self, pod: Pod) {
        if is_controlled_by(&pod, &self.uid) {
            let name = pod.name_any();
            self.tell(&name, &pod);
            self.pods.insert(name, pod);
        }
    }

    fn gone(&mut self, pod: &Pod) {
        let name = pod.name_any();
        if self.pods.remove(&name).is_some() {
            self.told.remove(&name);
            println!("  {name}: gone");
        }
    }

    fn time_passes(&mut self) {
        let pods = std::mem::take(&mut self.pods);
        pods.iter().for_each(|(name, pod)| self.tell(name, pod));
        self.pods = pods;
    }

    /// A line, if it says something new. What was so from the beginning is no news.
    fn tell(&mut self, name: &str, pod: &Pod) {
        let state = state(&self.set, pod, Timestamp::now());
        // Each second is a number, not news.
        let word = state.split(" in ").next().unwrap_or_default().to_owned();
        let line = format!("{word} at {}", revision_of(pod));
        let before = self.told.insert(name.to_owned(), line.clone());
        if before.as_ref() == Some(&line) {
            return;
        }
        let update = self.set.status.as_ref().map_or("", |s| s.update_revision.as_str());
        let old = if revision_of(pod) == update { "" } else { ", the old revision" };
        let settled = word == "Available" && old.is_empty();
        if before.is_none() && (settled || word == "Available") {
            return;
        }
        let mood = if settled { Mood::Good } else { Mood::Busy };
        println!("  {name}: {}{old}", paint(&state, mood));
    }
}
