//! A namespace with one set in it: waiting for it to come to rest, and how it looks then.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::ResourceQuota;
use ordinal_tests::{ControlPlane, Look, Namespace, record::Room, rest, twins::Post};
use serde_json::{Value, json};

use crate::{
    input::Effect,
    limits,
    observer::Observer,
    past::{self, same},
    sight::Sight,
    tally::{Oracle, Tally},
};

/// Pods that fit into a namespace, so that a thousand replicas cost a dozen.
pub const ROOM: usize = 12;

/// Nothing moves for so long: longer than the operator holds a status back (500 ms).
const QUIET: Duration = Duration::from_millis(700);

/// A set that has a way to rest is there long before, on a busy machine too; a back-off of 30 s may be in between.
const LIMIT: Duration = Duration::from_secs(90);

/// What all walks of a control plane share.
pub struct Round<'a> {
    /// Where they are.
    pub control_plane: &'a ControlPlane,
    /// What sees them.
    pub observer: &'a Observer<'a>,
    /// What counts.
    pub tally: &'a Tally,
    /// A namespace for pods that are only tried.
    pub trials: Post,
}

/// The namespace.
pub struct Place<'a> {
    /// The round that it is of.
    pub round: &'a Round<'a>,
    /// Itself.
    pub ns: Namespace,
}

/// How things stood when all was well.
pub struct Good {
    /// The set as it was sent.
    pub manifest: Value,
    /// The namespace.
    pub picture: Value,
    /// The pods' UIDs by name.
    uids: BTreeMap<String, String>,
    max_unavailable: usize,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The set is complete.
    Complete,
    /// Nothing moves.
    Rest,
    /// Nothing moves, and the set says that its pods are refused.
    Stalled,
}

impl<'a> Place<'a> {
    /// A new one, with room for so many pods.
    pub async fn make(round: &'a Round<'a>, name: &str, pods: usize) -> Result<Self> {
        let ns = round.control_plane.namespace(name).await?;
        let quota = json!({"metadata": {"name": "room"}, "spec": {"hard": {"pods": pods.to_string()}}});
        ns.create_object::<ResourceQuota>(quota).await?;
        Ok(Self { round, ns })
    }

    /// To the sets in it.
    pub fn post(&self) -> Post {
        Post { client: self.ns.client(), namespace: self.ns.name().to_owned() }
    }

    /// What is known of it now.
    pub fn room(&self) -> Room {
        self.round.observer.record.room(self.ns.name())
    }

    /// How many pods its set has.
    pub fn pods(&self) -> usize {
        Sight::of(&self.room()).map_or(0, |sight| sight.pods.len())
    }

    /// Waits until nothing moves and all is as it must be; it may not have cost more calls than that is worth.
    pub async fn settle(&self, wanted: Wanted, begun: Instant) -> Result<()> {
        let (observer, ns) = (self.round.observer, self.ns.name());
        let look = async || {
            let quiet = observer.quiet(ns);
            if quiet < QUIET {
                // To look at all objects again and again would cost more than the set does.
                tokio::time::sleep(QUIET - quiet).await;
                return Ok(Look::NotYet(format!("something moves; the last calls: {:?}", observer.traffic(ns).last)));
            }
            let wrong = wrong(&self.room(), wanted);
            Ok(Look::when(wrong.is_empty(), || wrong.join("; ")))
        };
        let settled = self.ns.eventually(LIMIT, "the set is at rest, and as it must be", look).await;
        observer.no_crash()?;
        settled?;
        self.round.tally.checked(Oracle::Consistency);
        self.round.tally.calls(limits::within_step(&observer.traffic(ns), begun, self.pods())?);
        Ok(())
    }

    /// Waits until the set is complete, and notes how it looks.
    pub async fn good(&self, manifest: &Value, begun: Instant) -> Result<Good> {
        self.settle(Wanted::Complete, begun).await?;
        let room = self.room();
        let sight = Sight::of(&room).context("the set is gone")?;
        let spec = &sight.set["spec"];
        let max = &spec["updateStrategy"]["rollingUpdate"]["maxUnavailable"];
        let replicas = spec["replicas"].as_u64().unwrap_or(1);
        let percent = max.as_str().and_then(|text| text.trim_end_matches('%').parse::<u64>().ok());
        let max = percent.map_or(max.as_u64().unwrap_or(1), |percent| replicas * percent / 100);
        Ok(Good {
            manifest: manifest.clone(),
            picture: past::without(&room),
            uids: sight.uids(),
            max_unavailable: usize::try_from(max.max(1))?,
        })
    }

    /// Pods that were there before and that a change does not concern are the same.
    pub fn no_restarts(&self, before: &Good, effect: Effect) -> Result<()> {
        let allowed = match effect {
            Effect::Fine => return Ok(()),
            Effect::NoRestart | Effect::StuckWithoutRestart => 0,
            Effect::Stuck => before.max_unavailable,
        };
        let now = Sight::of(&self.room()).context("the set is gone")?.uids();
        let other = before.uids.iter().filter(|(name, uid)| now.get(*name) != Some(uid));
        let other: Vec<_> = other.map(|(name, _)| name).collect();
        if other.len() > allowed {
            bail!("{other:?} are other pods than before, or gone; {allowed} may be");
        }
        Ok(())
    }

    /// Waits until a StatefulSet has come to the same pods and claims here.
    pub async fn comes_to(&self, picture: &Value) -> Result<()> {
        let look = async || {
            same("what the built-in makes", &["pods", "claims"], &past::without(&self.room()), picture)?;
            Ok(Look::Done(()))
        };
        self.ns.eventually(LIMIT, "a StatefulSet comes to the same", look).await
    }
}

fn wrong(room: &Room, wanted: Wanted) -> Vec<String> {
    let Some(sight) = Sight::of(room) else { return vec!["there is no set".to_owned()] };
    // On a machine out of breath nothing may happen for a while though much is still to come.
    let moving = if wanted == Wanted::Complete { rest::moving(room) } else { rest::moving_pod(room) };
    if let Some(moving) = moving {
        return vec![moving];
    }
    let mut wrong = sight.wrong();
    let is = |type_: &str, status: &str, reason: &str| {
        sight.condition(type_).is_some_and(|c| c["status"] == status && c["reason"] == reason)
    };
    if wanted == Wanted::Complete && !sight.says_complete() {
        wrong.push(format!("it is not complete: {:?}", sight.condition("Progressing")));
    }
    if wanted == Wanted::Stalled && !sight.says_complete() && !is("Stalled", "True", "PodRejected") {
        wrong.push(format!("its pods are refused, and it does not say so: {:?}", sight.condition("Stalled")));
    }
    wrong
}
