//! Where we differ on purpose: each rule looks at the situation, and changes what the built-in did into what ours must be.
//! What is then still different is a difference that no rule explains.

use crate::{
    outcome::{Act, Outcome},
    planned::claims_first,
    situation::Situation,
    words,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use ordinal_api::{LABEL_REVISION, UpdateStrategyType};
use ordinal_plan::{name, revision::restore};
use serde_json::{Value, json};

/// A rule, and what it makes of an expectation.
pub struct Rule {
    pub name: &'static str,
    pub apply: fn(&Situation, &mut Outcome),
}

/// In the order in which they are applied: the counters first, while all deletions are still there.
pub const RULES: &[Rule] = &[
    Rule { name: "O-12 counters are not lowered on paper", apply: counters_of_pods_seen },
    Rule { name: "O-11 complete when available", apply: complete_when_available },
    Rule { name: "O-12 empty slots are not for phase D", apply: empty_slots_are_not_deleted },
    Rule { name: "O-12 missing slots come at updateRevision", apply: missing_slots_at_update_revision },
    Rule { name: "O-7 a pod that fails at once stays a while", apply: failing_fast_waits },
    Rule { name: "O-5 no pod is deleted twice", apply: deleted_once },
    Rule { name: "S-2.9 no update of a pod that changes nothing", apply: no_empty_updates },
    Rule { name: "O-10 another look when a pod's grace ends", apply: look_when_grace_ends },
];

/// O-13, which cannot be told from what the built-in did: see `verdict.rs`.
pub const BY_MEANING: &str = "O-13 equal by meaning";

/// O-12: `currentReplicas` counts pods. The built-in lowers it by one for each deletion of phase D (S-6.4), but where the
/// completion rule overwrites it.
fn counters_of_pods_seen(s: &Situation, expected: &mut Outcome) {
    let status = &expected.status;
    let n = i64::from(s.set().spec.replicas);
    if [status.replicas, status.updated_replicas, status.ready_replicas].iter().any(|count| *count != n) {
        let deletions = expected.acts.iter().filter(|a| a.is("deletePod", "D")).count();
        expected.status.current_replicas += i64::try_from(deletions).unwrap_or(i64::MAX);
        rewrite(s, expected, deletions > 0);
    }
}

/// O-11: the built-in completes a roll-out when all are ready; ours when all are available.
fn complete_when_available(s: &Situation, expected: &mut Outcome) {
    let n = i64::from(s.set().spec.replicas);
    let status = &expected.status;
    let all_ready = [status.replicas, status.updated_replicas, status.ready_replicas].iter().all(|count| *count == n);
    if !all_ready || status.available_replicas == n {
        return;
    }
    let stored = &s.stored.current_revision;
    let current = s.listed().find(|r| r.name == *stored).map_or(&status.update_revision, |r| &r.name).clone();
    let at_current =
        |pod: &&&ordinal_plan::snapshot::Pod| pod.is_created() && !pod.is_terminating() && pod.revision() == current;
    let count = i64::try_from(s.counted().iter().filter(at_current).count()).unwrap_or(i64::MAX);
    let changed = current != status.current_revision;
    if changed {
        expected.status.current_revision = current;
        expected.status.current_replicas = count;
    }
    rewrite(s, expected, changed);
}

/// A changed status is written or not by the same rule (S-6.5).
fn rewrite(s: &Situation, expected: &mut Outcome, changed: bool) {
    if changed {
        expected.written = expected.status.is_written_over(&s.stored);
    }
}

/// O-12: without a `rollingUpdate` block the built-in may "delete" in phase D what phase A has just created, or what never
/// was (S-12.31).
fn empty_slots_are_not_deleted(s: &Situation, expected: &mut Outcome) {
    let exists = |name: &str| s.snapshot.pods.iter().any(|p| p.name == name);
    remove_deletions(s, expected, |act| act.phase == "D" && !exists(&act.name));
}

/// O-12: `type: RollingUpdate` without a `rollingUpdate` block is partition 0; the built-in goes by the stored
/// `currentReplicas` (S-3.9 a).
fn missing_slots_at_update_revision(s: &Situation, expected: &mut Outcome) {
    let strategy = &s.set().spec.update_strategy;
    if strategy.type_ != UpdateStrategyType::RollingUpdate || strategy.rolling_update.is_some() {
        return;
    }
    let update = expected.status.update_revision.clone();
    let creations = expected.acts.iter_mut().filter(|a| a.op == "createPod");
    for (i, creation) in creations.enumerate() {
        if creation.detail.insert("revision", json!(update)) != Some(json!(update))
            && let Some(pod) = expected.full.as_mut().and_then(|full| full.pods.get_mut(i))
        {
            *pod = remade(s, pod, &update);
        }
    }
}

/// A created pod, as it is when made from another revision (S-2.2).
fn remade(s: &Situation, pod: &Value, revision: &str) -> Value {
    let recorded = s.revisions.iter().find(|r| r["metadata"]["name"] == revision);
    let template = recorded.and_then(|r| restore(r["data"].clone())).unwrap_or_else(|| (*s.set().template).clone());
    let mut metadata = pod["metadata"].clone();
    let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    let ordinal = pod["metadata"]["name"].as_str().and_then(|n| name::parse(n).ordinal).unwrap_or_default();
    let own_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    labels.extend(ordinal_plan::pod::identity_labels(own_name, ordinal));
    labels.insert(LABEL_REVISION.into(), revision.into());
    metadata["labels"] = labels.into();
    for field in ["annotations", "finalizers"] {
        metadata[field] = template["metadata"][field].clone();
    }
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let mut spec = template["spec"].clone();
    for field in ["hostname", "subdomain"] {
        spec[field] = pod["spec"].get(field).cloned().unwrap_or_else(|| json!(""));
    }
    spec["volumes"] = ordinal_plan::pod::volumes(s.set(), ordinal, template["spec"].get("volumes")).into();
    words::without_what_is_empty(json!({"metadata": metadata, "spec": spec}))
}

/// O-7: a pod that ended within a minute of its creation is deleted a second later at the earliest; until then it stays.
fn failing_fast_waits(s: &Situation, expected: &mut Outcome) {
    let now = s.snapshot.now;
    let young = |at: Timestamp| now.duration_since(at) <= SignedDuration::from_secs(60);
    let waits = |name: &str| {
        let pod = s.slots.values().map(|i| &s.snapshot.pods[*i]).find(|p| p.name == name);
        pod.is_some_and(|p| p.has_ended() && !p.is_terminating() && p.created.is_some_and(young))
    };
    if remove_deletions(s, expected, |act| matches!(act.phase.as_str(), "A" | "D") && waits(&act.name)) {
        sooner(expected, 1.0);
    }
}

/// O-5: what phase A has deleted the built-in may delete again in phase D (S-4.19).
fn deleted_once(s: &Situation, expected: &mut Outcome) {
    let before: Vec<String> =
        expected.acts.iter().filter(|a| a.is("deletePod", "A")).map(|act| act.name.clone()).collect();
    remove_deletions(s, expected, |act| act.phase == "D" && before.contains(&act.name));
}

fn remove_deletions(s: &Situation, expected: &mut Outcome, which: impl Fn(&Act) -> bool) -> bool {
    let goes = |act: &Act| act.op == "deletePod" && which(act);
    let names: Vec<String> = expected.acts.iter().filter(|a| goes(a)).map(|a| a.name.clone()).collect();
    expected.acts.retain(|act| !goes(act));
    names.iter().for_each(|name| forget_event(expected, &words::pod_event("Delete", name, &s.set().name)));
    !names.is_empty()
}

/// S-2.9: after a claim's repair the built-in writes the pod too, as it is. Such a write does nothing, and ours leaves it.
fn no_empty_updates(s: &Situation, expected: &mut Outcome) {
    let changes_nothing = |act: &Act| {
        let slot = name::parse(&act.name).ordinal.and_then(|ordinal| s.slots.get(&ordinal));
        let Some(before) = slot.map(|i| &s.pods[*i]) else { return false };
        let labels = before["metadata"].get("labels").cloned().unwrap_or_else(|| json!({}));
        act.op == "updatePod"
            && before["metadata"]["name"] == *act.name
            && act.detail["labels"] == labels
            && act.detail["ownerReferences"] == words::sorted(&before["metadata"]["ownerReferences"])
            && act.detail["volumes"] == json!(claims_first(s, &before["spec"]["volumes"]))
    };
    let names: Vec<String> = expected.acts.iter().filter(|a| changes_nothing(a)).map(|a| a.name.clone()).collect();
    expected.acts.retain(|act| !changes_nothing(act));
    names.iter().for_each(|name| forget_event(expected, &words::pod_event("Update", name, &s.set().name)));
}

fn forget_event(expected: &mut Outcome, event: &str) {
    let events = expected.full.as_mut().map(|full| &mut full.events);
    if let Some(events) = events
        && let Some(i) = events.iter().position(|e| e == event)
    {
        events.remove(i);
    }
}

/// O-10: a pod that is still there five seconds after its grace is shown as blocked, so that moment is waited for.
fn look_when_grace_ends(s: &Situation, expected: &mut Outcome) {
    let ends = s.members().filter_map(|p| p.deleting).map(|at| at.duration_since(s.snapshot.now).as_secs_f64() + 5.0);
    ends.filter(|left| *left > 0.0).for_each(|left| sooner(expected, left));
}

/// After a failure the back-off decides (S-8.8).
fn sooner(expected: &mut Outcome, seconds: f64) {
    if !expected.errors.is_empty() {
        return;
    }
    expected.requeue = Some(expected.requeue.map_or(seconds, |before| before.min(seconds)));
}
