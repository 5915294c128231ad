//! Whether a StatefulSet can be taken over with no pod restarted: what the operator asks before it writes anything, and what
//! `kubectl ordinal adopt --dry-run` prints.

use crate::{
    difference::differences,
    meaning::Meaning,
    native::StatefulSet,
    pod,
    snapshot::{Pod, Set, Snapshot, controller_of},
};
use kube::core::ObjectMeta;
use ordinal_api::{Accept, AdoptFrom, UpdateStrategyType};
use serde_json::json;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What shall be so.
    pub what: &'static str,
    /// Why it is not; empty if it is.
    pub problems: Vec<String>,
    /// What to do then.
    pub next: &'static str,
}

/// All that is looked at, in order. Nothing is written.
pub fn verify(s: &Snapshot, native: &StatefulSet, from: &AdoptFrom) -> Vec<Check> {
    let free = Check {
        what: "nobody else has a say in the StatefulSet",
        problems: held_by_others(&native.metadata),
        next: "take it from its owner first, or adopt what that owner is made from",
    };
    let theirs = match &native.set {
        Ok(theirs) => theirs,
        Err(why) => {
            let problems = vec![format!("it cannot be an OrdinalSet: {why}")];
            return vec![
                free,
                Check { what: "the StatefulSet can be an OrdinalSet", problems, next: "change it first" },
            ];
        }
    };
    vec![
        free,
        Check {
            what: "the StatefulSet is settled",
            problems: unsettled(theirs, from.accept.contains(&Accept::PartialRollout)),
            next: "wait until `kubectl rollout status statefulset` is done; a roll-out held by its partition may be \
                   accepted (--accept=PartialRollout)",
        },
        Check { what: "its pods are there and well", problems: pods(s, theirs), next: "wait, or repair them, first" },
        Check {
            what: "the OrdinalSet's spec is the StatefulSet's",
            problems: spec(&s.set, theirs, from),
            next: "make the specs equal, or adopt with the live spec (without --filename); a changed template may be \
                   accepted (--accept=TemplateChange) and replaces pods after the end",
        },
        Check {
            what: "its pods mount the claims that the OrdinalSet's would",
            problems: claims(s, theirs),
            next: "make the claim templates equal",
        },
    ]
}

/// Who would keep a set of either kind from going, or make it anew.
pub fn held_by_others(set: &ObjectMeta) -> Vec<String> {
    let mut problems = Vec::new();
    if set.deletion_timestamp.is_some() {
        problems.push("it is being deleted".to_owned());
    }
    if let Some(owner) = controller_of(set) {
        problems.push(format!("it is controlled by {} {}, which would make it anew", owner.kind, owner.name));
    }
    // These are the API server's own, and go by themselves.
    let own = ["orphan", "foregroundDeletion"];
    let finalizers = set.finalizers.iter().flatten().map(String::as_str).filter(|name| !own.contains(name));
    let finalizers: Vec<&str> = finalizers.collect();
    if !finalizers.is_empty() {
        problems.push(format!("finalizers would hold it: {}", finalizers.join(", ")));
    }
    problems
}

/// Why a set is not at rest; `partial` accepts a roll-out that its strategy holds.
pub fn unsettled(theirs: &Set, partial: bool) -> Vec<String> {
    let (status, wanted) = (&theirs.status, theirs.replicas());
    let mut problems = Vec::new();
    if status.observed_generation < theirs.generation {
        problems.push("its controller has not seen its newest version".to_owned());
    }
    let counters = [
        ("exist", status.replicas),
        ("are ready", status.ready_replicas),
        ("are available", status.available_replicas),
    ];
    for (what, count) in counters.into_iter().filter(|(_, count)| *count != wanted) {
        problems.push(format!("{count} of {wanted} pods {what}"));
    }
    let on_delete = theirs.spec.update_strategy.type_ == UpdateStrategyType::OnDelete;
    // What nobody would go on with by itself: pods below a partition, and with OnDelete all of them.
    let held = if !partial {
        0
    } else if on_delete {
        wanted
    } else {
        theirs.partition().clamp(0, wanted)
    };
    let (updated, due) = (status.updated_replicas, wanted - held);
    if updated < due {
        problems.push(format!("{updated} of {due} pods are updated"));
    }
    // The built-in controller completes no roll-out of OnDelete.
    if !partial && !on_delete && status.current_revision != status.update_revision {
        let (current, update) = (&status.current_revision, &status.update_revision);
        problems.push(format!("it is amid a roll-out from {current} to {update}"));
    }
    problems
}

fn pods(s: &Snapshot, theirs: &Set) -> Vec<String> {
    let mut problems = Vec::new();
    let mut own = 0;
    for pod in s.pods.iter().filter(|p| p.parsed.parent(&p.name) == theirs.name) {
        let is_theirs = pod.controller.as_ref().is_some_and(|o| o.uid == theirs.uid);
        let in_range = pod.parsed.ordinal.is_some_and(|o| crate::view::in_range(theirs, o));
        if is_theirs && pod.is_terminating() {
            problems.push(format!("{} is terminating", pod.name));
        } else if is_theirs && !in_range {
            problems.push(format!("{} is out of range", pod.name));
        } else if !is_theirs && in_range {
            problems.push(format!("{} is not the StatefulSet's", pod.name));
        }
        own += usize::from(is_theirs);
    }
    // Not by counting: somebody may ask for billions.
    let wanted = usize::try_from(theirs.replicas()).unwrap_or(0);
    if own < wanted && problems.is_empty() {
        problems.push(format!("{} of {wanted} pods are missing", wanted - own));
    }
    problems
}

fn spec(ours: &Set, theirs: &Set, from: &AdoptFrom) -> Vec<String> {
    let fields = |set: &Set| {
        let spec = &set.spec;
        let mut fields = json!({
            "selector": spec.selector,
            "serviceName": spec.service_name,
            "podManagementPolicy": spec.pod_management_policy,
            "replicas": set.replicas(),
            "ordinals": {"start": set.start()},
            "volumeClaimTemplates":
                spec.volume_claim_templates.iter().map(|t| Meaning::of_claim(t).value()).collect::<Vec<_>>(),
        });
        if from.accept.contains(&Accept::PartialRollout) {
            fields["updateStrategy"] = json!({
                "type": spec.update_strategy.type_,
                "partition": set.partition(),
            });
        }
        if !from.accept.contains(&Accept::TemplateChange) {
            fields["template"] = set.meaning.value();
        }
        fields
    };
    differences("spec", &fields(ours), &fields(theirs))
}

fn claims(s: &Snapshot, theirs: &Set) -> Vec<String> {
    let templates: Vec<&str> = s.set.claim_templates().map(|(name, _)| name).collect();
    let mounts = |pod: &&Pod| {
        let ordinal = pod.parsed.ordinal.filter(|o| crate::view::in_range(theirs, *o));
        ordinal.is_none_or(|ordinal| pod::storage_matches(&s.set, &templates, ordinal, pod))
    };
    let pods = s.pods.iter().map(AsRef::as_ref);
    let pods = pods.filter(|p: &&Pod| p.controller.as_ref().is_some_and(|o| o.uid == theirs.uid));
    let others = pods.filter(|pod| !mounts(pod));
    others.map(|pod| format!("{} mounts {:?}", pod.name, pod.mounts.all(&pod.name))).collect()
}
