//! A plan as an outcome in the vectors' form.

use crate::{
    outcome::{Act, Full, Outcome},
    situation::Situation,
    vector::array,
    words,
};
use ordinal_plan::{
    Plan,
    action::{Action, ClaimOwners, FailedPod, StageKind},
    claim, pod, revision,
};
use ring::digest;
use serde_json::{Value, json};

pub fn outcome(s: &Situation, plan: &Plan) -> Outcome {
    let set = s.set();
    let (mut acts, mut full) = (Vec::new(), Full::default());
    for stage in &plan.stages {
        let phase = match stage.kind {
            StageKind::Slots => "A",
            StageKind::CondemnedClaims => "B",
            StageKind::Condemned => "C",
            StageKind::Update => "D",
            StageKind::Adoption
            | StageKind::Claiming
            | StageKind::Service
            | StageKind::Revision
            | StageKind::Trial
            | StageKind::History => "",
        };
        for action in stage.actions() {
            acts.extend(act(s, plan, action, phase, &mut full));
        }
    }
    full.events.extend(plan.failures.iter().filter_map(|f| match f.pod.as_ref()? {
        FailedPod::Create(pod) => Some(words::pod_failure("Create", pod, &set.name, &f.message)),
        FailedPod::Update(pod) => Some(words::pod_failure("Update", pod, &set.name, &f.message)),
    }));
    full.events.extend(plan.conflicting_claims.iter().map(|claim| words::conflict_event(claim)));
    full.events.sort();
    let mut errors: Vec<String> = plan.failures.iter().flat_map(|f| messages(&f.message)).collect();
    errors.sort();
    errors.dedup();
    let status = serde_json::from_value(json!(plan.status)).unwrap_or_default();
    let written = crate::outcome::Status::is_written_over(&status, &s.stored);
    // After a failure the back-off decides (S-8.8).
    let requeue = plan.requeue_after.filter(|_| errors.is_empty()).map(|after| after.as_secs_f64());
    Outcome { acts, status, written, errors, requeue, full: Some(full) }
}

/// The several messages of one failure (S-7.3).
fn messages(joined: &str) -> Vec<String> {
    match joined.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(several) => several.split(", ").map(str::to_owned).collect(),
        None => vec![joined.to_owned()],
    }
}

fn act(s: &Situation, plan: &Plan, action: &Action, phase: &str, full: &mut Full) -> Option<Act> {
    let set = s.set();
    Some(match action {
        Action::CreateRevision { name, hash, number } => {
            let object = revision::desired(set, name, hash, *number);
            let data = digest::digest(&digest::SHA256, revision::encode(&object["data"]).as_bytes());
            let sha256: String = data.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            full.revisions.push(native(object));
            Act::new("createRevision", phase, name)
                .with("revision", *number)
                .with("hash", hash.as_str())
                .with("dataSha256", sha256)
        }
        Action::RenumberRevision { name, number, .. } => {
            Act::new("updateRevision", phase, name).with("revision", *number)
        }
        Action::DeleteRevision { name, .. } => Act::new("deleteRevision", phase, name),
        Action::CreateClaim { name, template, pod } => {
            full.claims.extend(claim::desired(set, template, name).map(native));
            full.events.push(words::claim_event(name, pod, &set.name));
            Act::new("createClaim", phase, name)
        }
        Action::UpdateClaim(change) => {
            Act::new("updateClaim", phase, &change.name).with("ownerReferences", owners(s, change))
        }
        Action::CreatePod { name, ordinal, revision } => {
            let template = plan.templates.get(*revision);
            full.pods.push(native(pod::desired(set, *ordinal, template)));
            full.events.push(words::pod_event("Create", name, &set.name));
            Act::new("createPod", phase, name).with("revision", template.revision.as_str())
        }
        Action::UpdatePod { name, ordinal, labels, volumes, .. } => {
            full.events.push(words::pod_event("Update", name, &set.name));
            repaired(s, *ordinal, Act::new("updatePod", phase, name), *labels, *volumes)
        }
        Action::DeletePod { name, .. } => {
            full.events.push(words::pod_event("Delete", name, &set.name));
            Act::new("deletePod", phase, name)
        }
        // A question, and no write (O-4).
        Action::TryPod { .. } => return None,
        // The vectors begin after claiming.
        Action::AdoptRevision { .. } => return None,
        other => Act::new(&other.to_string(), phase, ""),
    })
}

fn native(mut object: Value) -> Value {
    words::to_native(&mut object);
    words::without_what_is_empty(object)
}

/// The owner references of a claim after a change.
fn owners(s: &Situation, change: &ClaimOwners) -> Value {
    let before = s.snapshot.claims.iter().find(|c| c.name == change.name);
    let replaced = |uid: &String| change.remove.contains(uid) || change.add.iter().any(|o| o.uid == *uid);
    let kept = before.into_iter().flat_map(|c| c.owners.iter()).filter(|o| !replaced(&o.uid));
    let after: Vec<_> = kept.chain(&change.add).collect();
    let mut claim = json!({"metadata": {"ownerReferences": after}});
    words::to_native(&mut claim);
    words::sorted(&claim["metadata"]["ownerReferences"])
}

/// A pod after its repair.
fn repaired(s: &Situation, ordinal: i32, act: Act, identity: bool, volumes: bool) -> Act {
    let before = s.slots.get(&ordinal).map_or(&Value::Null, |i| &s.pods[*i]);
    let mut labels = before["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    if identity {
        labels.extend(pod::identity_labels(&act.name, ordinal));
    }
    let stored = &before["spec"]["volumes"];
    let volumes = if volumes { pod::volumes(s.set(), ordinal, Some(stored)) } else { claims_first(s, stored) };
    act.with("labels", labels)
        .with("ownerReferences", words::sorted(&before["metadata"]["ownerReferences"]))
        .with("volumes", volumes)
}

/// Volumes in the format's order: those of claim templates first.
pub fn claims_first(s: &Situation, volumes: &Value) -> Vec<Value> {
    let templates: Vec<&str> = s.set().claim_templates().map(|(name, _)| name).collect();
    let mut volumes: Vec<Value> = array(volumes).cloned().collect();
    volumes.sort_by_key(|v| templates.iter().position(|t| v["name"] == *t).unwrap_or(templates.len()));
    volumes
}
