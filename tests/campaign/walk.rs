//! One set, from a valid start through thirty changes, each looked at from all sides, to an end that is compared with sets
//! made afresh.

use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use fastrand::Rng;
use kube::api::DeleteParams;
use ordinal_tests::{
    record::Watched,
    refusals::{self, named, pod_of},
    twins::{Answer, Kind, Post, Refusal},
};
use serde_json::{Value, json};

use crate::{
    input::{self, Change, Effect, Generator, NAME},
    limits::LeftBehind,
    past::same,
    place::{Good, Place, ROOM, Round, Wanted},
    sight::Sight,
    tally::Oracle,
};

/// Changes per walk (scenarios.md §4.2).
pub const STEPS: usize = 30;

/// The built-in controller sets memory aside for each replica that is asked for: 2147483647 of them take all that a machine
/// has. A StatefulSet of more than this is tried, and kept at none.
const MANY: i64 = 10_000;

/// Fields that a refusal may name when the other was touched: they only fit together.
const TOGETHER: [(&str, &str); 3] =
    [("selector", "template"), ("volumeClaimTemplates", "template"), ("replicas", "ordinals")];

/// What a walk needs.
pub struct Walk<'a> {
    number: usize,
    dice: Rng,
    place: Place<'a>,
    /// To the set, and to a StatefulSet that may have no pods.
    ours: Post,
    native: Post,
    /// Titles of what was done.
    story: Vec<String>,
    manifest: Value,
}

impl<'a> Walk<'a> {
    /// One walk of a seed.
    pub async fn new(round: &'a Round<'a>, seed: u64, number: usize) -> Result<Self> {
        let mut dice = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let manifest = input::start(&mut dice);
        let place = Place::make(round, "walk", ROOM).await?;
        let native = Place::make(round, "shadow", 0).await?.post();
        Ok(Self { number, dice, ours: place.post(), native, place, story: Vec::new(), manifest })
    }

    /// All of it. An error says at which step, how it came to it, and with which manifest.
    pub async fn run(mut self) -> Result<LeftBehind> {
        let walked = async {
            let good = self.steps().await?;
            self.compare_with_fresh(good).await?;
            self.leave().await
        };
        walked.await.map_err(|error| {
            let story = self.story.iter().enumerate().map(|(i, title)| format!("  {i}: {title}\n")).collect::<String>();
            let manifest = serde_json::to_string_pretty(&self.manifest).unwrap_or_default();
            anyhow!("walk {} in {}:\n{story}the manifest:\n{manifest}\n{error:#}", self.number, self.place.ns.name())
        })
    }

    async fn steps(&mut self) -> Result<Good> {
        let begun = self.begin("start");
        for (post, kind) in [(&self.ours, Kind::Ours), (&self.native, Kind::Native)] {
            accepted(post.create(kind, &self.manifest, false).await?)
                .with_context(|| format!("the start as {kind}"))?;
        }
        let mut good = self.place.good(&self.manifest, begun).await?;
        let mut bad: Option<Effect> = None;
        for _ in 0..STEPS {
            let change = match bad {
                Some(_) => Change::back_to(&good.manifest),
                None => input::next(&mut self.dice, &self.manifest),
            };
            let begun = self.begin(&change.title);
            let accepted = self.send(&change).await?;
            self.place.round.tally.step(change.generator, accepted);
            if !accepted {
                continue;
            }
            let trapped = self.trial(&change.manifest).await?.is_some();
            let effect = if trapped { Effect::StuckWithoutRestart } else { change.effect };
            self.manifest = change.manifest;
            if let Some(bad) = bad.take() {
                good = self.recovered(good, bad, begun).await?;
            } else if effect.is_stuck() {
                self.place.settle(if trapped { Wanted::Stalled } else { Wanted::Rest }, begun).await?;
                self.place.no_restarts(&good, effect)?;
                bad = Some(effect);
            } else {
                let after = self.place.good(&self.manifest, begun).await?;
                self.place.no_restarts(&good, effect)?;
                good = after;
            }
        }
        if let Some(effect) = bad {
            let begun = self.put("back to the last good one", good.manifest.clone()).await?;
            good = self.recovered(good, effect, begun).await?;
        }
        Ok(good)
    }

    fn begin(&mut self, title: &str) -> Instant {
        self.story.push(title.to_owned());
        self.place.round.observer.record.stir(self.place.ns.name());
        Instant::now()
    }

    /// Sends a change as both kinds; whether ours was accepted. Both must be accepted or refused alike, for an update and,
    /// as some changes can only be made by a new set, for a creation; and a refusal says what it is about and leaves no
    /// trace.
    async fn send(&self, change: &Change) -> Result<bool> {
        let before = self.place.room().get(Watched::Set, NAME).cloned().context("the set is gone")?;
        let ours = self.ours.update(Kind::Ours, NAME, &change.manifest, false).await?;
        let refused = matches!(ours, Answer::Refused(_));
        let many = change.manifest["spec"]["replicas"].as_i64().is_some_and(|n| n > MANY);
        let native = self.native.update(Kind::Native, NAME, &change.manifest, refused || many).await?;
        if many && !refused && matches!(native, Answer::Accepted(_)) {
            let mut few = change.manifest.clone();
            few["spec"]["replicas"] = 0.into();
            accepted(self.native.update(Kind::Native, NAME, &few, false).await?)?;
        }
        self.alike(&change.manifest, &native, &ours).await?;
        let Answer::Refused(refusal) = ours else { return Ok(true) };
        if change.generator == Generator::Back {
            bail!("what was accepted before is refused: {}", refusal.message);
        }
        names(&refusal, &change.touched)?;
        let after = self.place.ns.set(NAME).await?;
        if after["spec"] != before["spec"] || after["metadata"]["generation"] != before["metadata"]["generation"] {
            bail!("it was refused, and has changed the set");
        }
        let mut another = change.manifest.clone();
        another["metadata"]["name"] = "another".into();
        let ours = self.ours.create(Kind::Ours, &another, true).await?;
        let native = self.native.create(Kind::Native, &another, true).await?;
        self.alike(&another, &native, &ours).await.context("as a new set")?;
        if let Answer::Refused(refusal) = ours {
            names(&refusal, &change.touched).context("as a new set")?;
        }
        self.place.round.tally.checked(Oracle::RefusedEarly);
        Ok(false)
    }

    /// Both are accepted, both refused, or a rule says why not.
    async fn alike(&self, manifest: &Value, native: &Answer, ours: &Answer) -> Result<()> {
        let tally = self.place.round.tally;
        tally.checked(Oracle::Parity);
        let (kind, refusal, why) = match (native, ours) {
            (Answer::Accepted(_), Answer::Refused(refusal)) => {
                (Kind::Ours, refusal, refusals::only_ours(manifest, refusal))
            }
            (Answer::Refused(refusal), Answer::Accepted(_)) => {
                let pod = self.trial(manifest).await?;
                (Kind::Native, refusal, refusals::only_native(refusal, pod.as_ref()))
            }
            _ => return Ok(()),
        };
        tally.explained(why.with_context(|| format!("refused as {kind} alone: {}", refusal.message))?);
        Ok(())
    }

    /// What the API server has against a pod of the manifest, quota aside (O-4).
    async fn trial(&self, manifest: &Value) -> Result<Option<Refusal>> {
        match self.place.round.trials.try_pod(&pod_of(manifest)).await? {
            Answer::Refused(refusal) => Ok(Some(refusal)),
            Answer::Accepted(_) => Ok(None),
        }
    }

    /// After good and bad, good again: the same pods as before, and no more of them restarted than the bad one could.
    async fn recovered(&self, before: Good, effect: Effect, begun: Instant) -> Result<Good> {
        self.place.settle(Wanted::Rest, begun).await?;
        // OrderedReady waits for a person here, as the built-in does (S-4.13).
        for pod in Sight::of(&self.place.room()).context("the set is gone")?.stranded() {
            let deleted = self.place.ns.pods().delete(pod, &DeleteParams::default()).await;
            // One that failed may have been replaced since it was seen.
            if !matches!(&deleted, Err(kube::Error::Api(status)) if status.is_not_found()) {
                deleted.with_context(|| format!("cannot delete pod {pod}"))?;
            }
        }
        let after = self.place.good(&self.manifest, begun).await?;
        same("good after bad", &["pods", "claims", "status", "conditions"], &after.picture, &before.picture)?;
        self.place.no_restarts(&before, effect)?;
        self.place.round.tally.checked(Oracle::Recovery);
        Ok(after)
    }

    /// A set of the same manifest that has no past comes to the same, and a StatefulSet to the same pods and claims.
    async fn compare_with_fresh(&mut self, good: Good) -> Result<()> {
        // A fresh set has pods of one revision only.
        let mut manifest = good.manifest;
        manifest["spec"]["updateStrategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}});
        let begun = self.put("all pods to the update revision", manifest).await?;
        let walked = self.place.good(&self.manifest, begun).await?;
        self.begin("the same, made afresh");
        let round = self.place.round;
        let (fresh, native) = (Place::make(round, "fresh", ROOM).await?, Place::make(round, "native", ROOM).await?);
        let begun = Instant::now();
        accepted(fresh.post().create(Kind::Ours, &self.manifest, false).await?)?;
        let answer = native.post().create(Kind::Native, &self.manifest, false).await?;
        let fresh = fresh.good(&self.manifest, begun).await?;
        let parts = ["pods", "claims", "status", "conditions"];
        same("a set after many changes", &parts, &walked.picture, &fresh.picture)?;
        round.tally.checked(Oracle::Differential);
        // Else it carries what the built-in refuses, and it was said before why it may.
        if let Answer::Accepted(_) = answer {
            native.comes_to(&fresh.picture).await?;
            round.tally.checked(Oracle::NativePods);
        }
        Ok(())
    }

    /// Makes a set of it that cannot get well, and goes away.
    async fn leave(&mut self) -> Result<LeftBehind> {
        let change = input::stuck(&mut self.dice, &self.manifest).context("there is a way to get stuck")?;
        let begun = self.put(&format!("left behind: {}", change.title), change.manifest).await?;
        self.place.settle(Wanted::Rest, begun).await?;
        let namespace = self.place.ns.name().to_owned();
        Ok(LeftBehind { namespace, since: Instant::now(), slots: self.place.pods() })
    }

    /// Replaces the set by a manifest that nothing is wrong with.
    async fn put(&mut self, title: &str, manifest: Value) -> Result<Instant> {
        let begun = self.begin(title);
        self.manifest = manifest;
        accepted(self.ours.update(Kind::Ours, NAME, &self.manifest, false).await?)?;
        Ok(begun)
    }
}

fn accepted(answer: Answer) -> Result<()> {
    match answer {
        Answer::Accepted(_) => Ok(()),
        Answer::Refused(refusal) => bail!("refused: {}", refusal.message),
    }
}

/// A refusal says which field it is about: one of those that were touched, or what has to fit to one of them.
fn names(refusal: &Refusal, touched: &[String]) -> Result<()> {
    let is_touched = |field: &str| touched.iter().any(|touched| touched == field);
    let fits = |field: &str| {
        let pairs = TOGETHER.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]);
        is_touched(field) || pairs.into_iter().any(|(a, b)| a == field && is_touched(b))
    };
    let about = |field: &String| match field.split_once('.') {
        Some(("spec", below)) => is_touched("spec") || fits(below.split('.').next().unwrap_or(below)),
        Some((top, _)) => is_touched(top),
        None => is_touched(field),
    };
    let fields = named(refusal);
    if fields.iter().any(about) {
        return Ok(());
    }
    bail!("a refusal that does not say what it is about ({touched:?}), but {fields:?}: {}", refusal.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_was_touched_or_what_has_to_fit_to_it() {
        let says = |message: &str, fields: &[&str], touched: &str| {
            let fields = fields.iter().map(|field| (*field).to_owned()).collect();
            names(&Refusal { code: 422, message: message.to_owned(), fields }, &[touched.to_owned()]).is_ok()
        };
        assert!(says("", &["spec.replicas"], "replicas"));
        assert!(says("", &["spec.template.spec.containers[0].image"], "template"));
        assert!(says("", &["spec.template.metadata.labels"], "selector"));
        assert!(!says("", &["spec.replicas"], "selector"));
        assert!(!says("", &["spec"], "replicas"));
        assert!(!says("something is wrong", &[], "replicas"));
    }
}
