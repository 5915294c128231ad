//! Watching the operator take a StatefulSet over: a line for each step.

use std::{pin::pin, process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use futures::StreamExt;
use kube::{
    ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use ordinal_api::{AdoptionPhase, OrdinalSet};
use ordinal_plan::adoption::{CONDITION, HELD};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::Task;
use crate::time;

/// So long an operator that runs may take until it looks at a new set.
const OPERATOR_LOOKS: Duration = Duration::from_secs(15);

/// Where it stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Stand {
    /// Nobody has looked at this version of the set.
    Unseen,
    /// It goes on.
    Going(String),
    /// Only somebody else can lead on from here.
    Stopped { reason: String, message: String },
    /// The pods are the set's.
    Adopted,
}

/// Judges a set's status.
pub fn stand(set: &OrdinalSet) -> Stand {
    let Some(status) = &set.status else { return Stand::Unseen };
    let phase = status.adoption.as_ref().map(|adoption| adoption.phase);
    if phase == Some(AdoptionPhase::Adopted) && set.spec.adopt_from.is_none() {
        return Stand::Adopted;
    }
    let find = |type_: &str| status.conditions.iter().find(|c| c.type_ == type_);
    let Some(condition) = find(CONDITION).filter(|_| phase.is_some()) else { return Stand::Unseen };
    // What was said of an earlier version may have been mended by this one.
    if condition.observed_generation.unwrap_or(0) < set.metadata.generation.unwrap_or(0) {
        return Stand::Unseen;
    }
    let [reason, message] = [&condition.reason, &condition.message].map(|text| text.clone().unwrap_or_default());
    if HELD.contains(&reason.as_str()) || reason == "Abandoned" {
        return Stand::Stopped { reason, message };
    }
    let stalled = find("Stalled").filter(|c| c.status == "True").and_then(|c| c.message.as_deref());
    Stand::Going(match stalled {
        Some(why) => format!("{reason}: {message}, but is held up: {why}"),
        None => format!("{reason}: {message}"),
    })
}

impl Task<'_> {
    /// Watches until it is done, stops, or has taken too long. `made` is the StatefulSet as it was before this run made the
    /// OrdinalSet, if it did.
    pub async fn follow(&self, first: OrdinalSet, made: Option<Value>) -> Result<ExitCode> {
        let target = self.target;
        let deadline = time::deadline(self.timeout);
        let this = watcher::Config::default().fields(&format!("metadata.name={}", target.0));
        let mut sets = pin!(watcher(self.cluster.api::<OrdinalSet>(), this).default_backoff());
        let silence = Instant::now() + OPERATOR_LOOKS;
        let (uid, mut set) = (first.uid(), first);
        let (mut told, mut listed, mut complained) = (String::new(), false, false);
        loop {
            match stand(&set) {
                Stand::Unseen => {}
                Stand::Going(line) if line == told => {}
                Stand::Going(line) => {
                    println!("{line}");
                    told = line;
                }
                Stand::Adopted => return self.adopted().await,
                Stand::Stopped { reason, message } => {
                    // The answer is none where the set has moved on meanwhile.
                    if let Some(code) = self.stopped(&set, made.as_ref(), &reason, &message).await? {
                        return Ok(code);
                    }
                }
            }
            let unseen = !complained && told.is_empty();
            tokio::select! {
                () = sleep_until(deadline) => return self.late(&set, &told),
                () = sleep_until(silence), if unseen => {
                    complained = true;
                    eprintln!(
                        "no operator has looked at {target} for {}: does one run, with --adoption, and watch this \
                         namespace? kubectl ordinal doctor tells; still waiting",
                        time::span(OPERATOR_LOOKS.as_secs().cast_signed())
                    );
                }
                Some(event) = sets.next() => match event {
                    Ok(Event::Init) => listed = false,
                    Ok(Event::Apply(now) | Event::InitApply(now)) => {
                        listed = true;
                        if now.uid() != uid {
                            bail!("{target} was deleted by somebody else, and another one of its name was made");
                        }
                        set = now;
                    }
                    Ok(Event::InitDone) if listed => {}
                    Ok(Event::InitDone | Event::Delete(_)) => bail!("{target} was deleted by somebody else"),
                    Err(error) => eprintln!("watching {target}: {error}; trying again"),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(adopt_from: bool, phase: &str, reason: &str, observed: i64) -> OrdinalSet {
        let from = adopt_from.then(|| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": "u"}));
        let condition = json!({"type": CONDITION, "status": "False", "reason": reason, "message": "words",
            "observedGeneration": observed});
        serde_json::from_value(json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": "web", "generation": 2},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {}, "adoptFrom": from},
            "status": {"adoption": {"uid": "u", "phase": phase}, "conditions": [condition]},
        }))
        .expect("a set")
    }

    #[test]
    fn it_is_done_when_the_operator_has_taken_the_field_away() {
        assert_eq!(stand(&set(false, "Adopted", "Adopted", 3)), Stand::Adopted);
        assert_eq!(stand(&set(false, "Finishing", "Finishing", 2)), Stand::Going("Finishing: words".into()));
        assert_eq!(stand(&set(true, "Staging", "Staging", 2)), Stand::Going("Staging: words".into()));
    }

    #[test]
    fn what_was_refused_of_an_earlier_version_is_no_news() {
        assert_eq!(stand(&set(true, "Verifying", "Refused", 1)), Stand::Unseen);
        let stopped = Stand::Stopped { reason: "Refused".into(), message: "words".into() };
        assert_eq!(stand(&set(true, "Verifying", "Refused", 2)), stopped);
    }

    #[test]
    fn what_holds_the_operator_up_is_told() {
        let mut held = set(true, "Staging", "Staging", 2);
        let stalled = json!({"type": "Stalled", "status": "True", "message": "no right"});
        held.status.as_mut().expect("a status").conditions.push(serde_json::from_value(stalled).expect("a condition"));
        assert_eq!(stand(&held), Stand::Going("Staging: words, but is held up: no right".into()));
    }
}
