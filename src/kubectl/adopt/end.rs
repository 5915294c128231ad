//! How a taking over ends: done, stopped, or not yet.

use std::process::ExitCode;

use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::StatefulSet;
use ordinal_api::{AdoptionPhase, OrdinalSet};
use ordinal_plan::adoption::CONFLICT;
use serde_json::Value;

use super::Task;
use crate::{
    cluster::{code, told},
    convert::{NATIVE, OURS},
    finding, neighbours, pods, time,
};

/// The policy that says what becomes of claims.
const POLICY: &str = "/spec/persistentVolumeClaimRetentionPolicy";

impl Task<'_> {
    /// All is done: whether the pods are the same, and what is left to a person.
    pub async fn adopted(&self) -> Result<ExitCode> {
        let (cluster, target) = (self.cluster, self.target);
        println!("{target} adopted");
        let after = pods::uids(&pods::of(cluster, &target.0).await?);
        let compared = pods::compare(self.before, &after);
        let restarted = compared.is_bad() && !self.replaces;
        finding::print(&[compared]);
        println!("next:");
        let around = neighbours::of(cluster, &target.0, &Value::Null, NATIVE, OURS).await?;
        around.repoint.iter().for_each(|command| println!("  {command}"));
        println!(
            "  put the OrdinalSet where the StatefulSet's manifest is kept: kubectl ordinal convert --filename FILE"
        );
        println!("  let dashboards and alerts that name kind StatefulSet name OrdinalSet");
        println!("  the way back: kubectl ordinal release {}", target.0);
        Ok(if restarted { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Only somebody else can lead on. Nothing is said where the set has moved on meanwhile.
    pub async fn stopped(
        &self,
        set: &OrdinalSet,
        made: Option<&Value>,
        reason: &str,
        message: &str,
    ) -> Result<Option<ExitCode>> {
        let (cluster, target) = (self.cluster, self.target);
        let phase = set.status.as_ref().and_then(|status| status.adoption.as_ref()).map(|adoption| adoption.phase);
        let early = phase.is_some_and(|phase| phase < AdoptionPhase::Releasing);
        let native = cluster.stored::<StatefulSet>(&target.0).await?;
        // Where it is going or gone, the set may be the last owner that the pods have.
        let whole = native.filter(|native| native["metadata"]["deletionTimestamp"].is_null());
        if let (true, Some(before), Some(now)) = (early, made, whole) {
            if !self.take_back(set).await? {
                return Ok(None);
            }
            eprintln!("{reason}: {message}");
            eprintln!("{}", what_is_left(before, &now));
        } else {
            eprintln!("{reason}: {message}");
        }
        eprintln!("next: {}", next(reason, early, &target.0));
        Ok(Some(ExitCode::FAILURE))
    }

    /// Deletes what this run has made, if the operator has not gone on with it since it was read: before it lets go of the
    /// StatefulSet it writes that down, so this version of the set has not.
    async fn take_back(&self, set: &OrdinalSet) -> Result<bool> {
        match self.cluster.orphan(set).await {
            Err(error) if code(&error) == 404 => Ok(true),
            done => done
                .map_err(|error| told(error, &format!("it was refused, and {} cannot be deleted again", self.target))),
        }
    }

    /// It has taken too long for whoever watches.
    pub fn late(&self, set: &OrdinalSet, last: &str) -> Result<ExitCode> {
        let (target, name) = (self.target, &self.target.0);
        let last = if last.is_empty() { "no operator has looked at it yet" } else { last };
        let phase = set.status.as_ref().and_then(|s| s.adoption.as_ref()).map(|a| a.phase);
        let off = match phase {
            Some(phase) if phase >= AdoptionPhase::Releasing => "",
            _ => ", or call it off: kubectl delete ordinalset NAME --cascade=orphan",
        };
        bail!(
            "timed out after {}: {last}. {target} stays, and the taking over goes on without this command. \
             kubectl ordinal status {name} shows it; kubectl ordinal adopt {name} watches it again{}",
            time::span(i64::try_from(self.timeout.as_secs()).unwrap_or(i64::MAX)),
            off.replace("NAME", name)
        )
    }
}

/// What remains of a try that was called off.
fn what_is_left(before: &Value, now: &Value) -> String {
    if now.pointer(POLICY) == before.pointer(POLICY) {
        return "the OrdinalSet was deleted again; the StatefulSet is as it was".into();
    }
    let policy = before.pointer(POLICY).map(Value::to_string).unwrap_or_default();
    format!(
        "the OrdinalSet was deleted again; the StatefulSet keeps its pods, but was told to retain its claims: to have \
         the policy back: kubectl patch statefulset {} --type=merge -p \
         '{{\"spec\":{{\"persistentVolumeClaimRetentionPolicy\":{policy}}}}}'",
        now["metadata"]["name"].as_str().unwrap_or_default()
    )
}

/// What a person does after a refusal.
fn next(reason: &str, early: bool, name: &str) -> String {
    match reason {
        "AdoptionDisabled" => format!(
            "let the operator see StatefulSets (helm upgrade … --set adoption.enabled=true, or its flag --adoption), \
             then: kubectl ordinal adopt {name}"
        ),
        "Drift" => format!(
            "the set stays, does nothing, and its pods run: look with kubectl ordinal explain {name}, then set its spec \
             right, or accept the replacement of pods: kubectl ordinal adopt {name} --accept=TemplateChange"
        ),
        CONFLICT if !early => format!(
            "stop whoever has put the StatefulSet back (Argo CD, Flux, Helm), then give it the pods: kubectl delete \
             ordinalset {name} --cascade=orphan; then: kubectl ordinal adopt {name}"
        ),
        "NotFound" => format!(
            "to let the set take the pods that are left: kubectl patch ordinalset {name} --type=merge -p \
             '{{\"spec\":{{\"adoptFrom\":null}}}}'"
        ),
        "Abandoned" => format!("look with kubectl ordinal status {name}"),
        _ => format!("mend what is named, then: kubectl ordinal adopt {name} --dry-run"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_changed_before_it_was_called_off_is_told() {
        let native = |policy: &str| {
            json!({"metadata": {"name": "web"},
                "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy, "whenScaled": "Retain"}}})
        };
        let same = what_is_left(&native("Delete"), &native("Delete"));
        assert!(same.ends_with("the StatefulSet is as it was"), "{same}");
        let other = what_is_left(&native("Delete"), &native("Retain"));
        assert!(other.contains(r#"{"whenDeleted":"Delete","whenScaled":"Retain"}"#), "{other}");
    }

    #[test]
    fn each_refusal_has_a_next_command() {
        assert!(next("AdoptionDisabled", true, "web").contains("adoption.enabled=true"));
        assert!(next("Drift", false, "web").contains("--accept=TemplateChange"));
        assert!(next(CONFLICT, false, "web").contains("--cascade=orphan"));
        assert!(next("Refused", true, "web").contains("--dry-run"));
    }
}
