//! What must never happen, judged over a snapshot and the plan made from it: those of N-1 … N-14 that one plan can break.
//! Knows the invariants and nothing of how plans are made. The others are kept by what actions there are (no action deletes
//! a claim, N-1, or replaces metadata, N-10), by the operator (N-13, N-14) and by admission (N-11).

use crate::{
    action::{Action, Plan, StageKind, Which, Why},
    adoption::verify,
    native::Native,
    snapshot::{Pod, Snapshot, Verdict},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// An invariant that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `N-1` …
    pub rule: &'static str,
    /// What is wrong, with names.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// All violations, in the order of the rules.
pub fn check(s: &Snapshot, plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    let rules: [(&'static str, Rule); 9] = [
        ("N-2", one_pod_per_identity),
        ("N-3", deletes_carry_the_judged_uid),
        ("N-3", a_stateful_set_goes_as_it_was_verified),
        ("N-6", claims_are_created_only_where_none_is),
        ("N-7", available_pods_go_within_the_budget),
        ("N-8", a_set_being_deleted_keeps_its_pods),
        ("N-9", others_objects_are_left_alone),
        ("N-9", pods_of_a_stateful_set_are_its_own),
        ("N-12", healthy_pods_go_after_a_trial),
    ];
    for (rule, judge) in rules {
        found.extend(judge(s, plan).into_iter().map(|what| Violation { rule, what }));
    }
    found
}

type Rule = fn(&Snapshot, &Plan) -> Vec<String>;

fn pod<'a>(s: &'a Snapshot, name: &str) -> Option<&'a Pod> {
    s.pods.iter().find(|p| p.name == name).map(AsRef::as_ref)
}

fn one_pod_per_identity(s: &Snapshot, plan: &Plan) -> Vec<String> {
    let mut made = BTreeSet::new();
    let created = plan.actions().filter_map(|a| match a {
        Action::CreatePod { name, .. } => Some(name),
        _ => None,
    });
    created
        .filter(|name| pod(s, name).is_some() || !made.insert(*name))
        .map(|n| format!("pod {n} is created although it exists"))
        .collect()
}

fn deletes_carry_the_judged_uid(s: &Snapshot, plan: &Plan) -> Vec<String> {
    let mut gone = BTreeSet::new();
    plan.actions()
        .filter_map(|action| match action {
            Action::DeletePod { name, uid, .. } => {
                let judged = s.pods.iter().any(|p| p.name == *name && p.uid == *uid && !p.is_terminating());
                (!judged || !gone.insert(uid))
                    .then(|| format!("pod {name} is deleted by a UID that was not judged, or twice"))
            }
            Action::DeleteRevision { name, uid } => {
                let judged = s.revisions.iter().any(|r| r.name == *name && r.uid == *uid);
                (!judged).then(|| format!("revision {name} is deleted by a UID that was not judged"))
            }
            _ => None,
        })
        .collect()
}

fn claims_are_created_only_where_none_is(s: &Snapshot, plan: &Plan) -> Vec<String> {
    plan.actions()
        .filter_map(|action| match action {
            Action::CreateClaim { name, .. } if s.claims.iter().any(|c| c.name == *name) => {
                Some(format!("claim {name} is created although it exists"))
            }
            _ => None,
        })
        .collect()
}

fn available_pods_go_within_the_budget(s: &Snapshot, plan: &Plan) -> Vec<String> {
    let set = &*s.set;
    let available = |p: &Pod| !p.is_unavailable(set.spec.min_ready_seconds, s.now);
    let in_range = |p: &Pod| p.parsed.ordinal.is_some_and(|o| crate::view::in_range(set, o));
    let going: Vec<&str> = plan
        .actions()
        .filter_map(|a| match a {
            Action::DeletePod { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .filter(|name| pod(s, name).is_some_and(|p| available(p) && in_range(p) && !p.has_ended()))
        .collect();
    let there = s.pods.iter().filter(|p| available(p) && in_range(p)).count();
    let max = match set.spec.update_strategy.rolling_update.as_ref().and_then(|r| r.max_unavailable.as_ref()) {
        None => 1,
        Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(n)) => i64::from(*n),
        Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(p)) => {
            i64::from(set.replicas()).saturating_mul(p.trim_end_matches('%').parse().unwrap_or(0)) / 100
        }
    };
    let floor = i64::from(set.replicas()).saturating_sub(max.max(1));
    let left = i64::try_from(there.saturating_sub(going.len())).unwrap_or(i64::MAX);
    let broken = !going.is_empty() && left < floor;
    broken
        .then(|| format!("{going:?} go, which leaves {left} available pods where {floor} must stay"))
        .into_iter()
        .collect()
}

fn a_set_being_deleted_keeps_its_pods(s: &Snapshot, plan: &Plan) -> Vec<String> {
    if !s.set.deleting {
        return Vec::new();
    }
    let allowed = |kind| matches!(kind, StageKind::Revision | StageKind::History);
    plan.stages
        .iter()
        .filter(|st| !allowed(st.kind))
        .map(|st| format!("stage {:?} on a set being deleted", st.kind))
        .collect()
}

fn others_objects_are_left_alone(s: &Snapshot, plan: &Plan) -> Vec<String> {
    let foreign = |uid: &str| {
        let pods = s.pods.iter().map(|p| (&p.uid, p.controller.as_deref()));
        let mut all = pods.chain(s.revisions.iter().map(|r| (&r.uid, r.controller.as_ref())));
        all.any(|(u, owner)| u == uid && owner.is_some_and(|o| o.uid != s.set.uid))
    };
    plan.actions()
        .filter(|action| match action {
            Action::AdoptPod { uid, .. }
            | Action::ReleasePod { uid, .. }
            | Action::AdoptRevision { uid, .. }
            | Action::RenumberRevision { uid, .. }
            | Action::DeleteRevision { uid, .. }
            | Action::UpdatePod { uid, .. }
            | Action::DeletePod { uid, .. } => foreign(uid),
            _ => false,
        })
        .map(|action| format!("{action}, which somebody else controls"))
        .collect()
}

/// Only the one that is to be taken over, in the version that passed, and only once all that it owns has another owner.
fn a_stateful_set_goes_as_it_was_verified(s: &Snapshot, plan: &Plan) -> Vec<String> {
    let from = s.set.spec.adopt_from.as_ref();
    let lacks = |uid: &str, resource_version: &str| {
        let (Native::There(native), Some(from)) = (&s.native, from) else { return Some("which is not there") };
        let owned = |owner: Option<&OwnerReference>| owner.is_some_and(|o| o.uid == uid);
        let ours = |promised: &Option<Arc<str>>| promised.as_deref() == Some(&s.set.uid);
        let pods = s.pods.iter().filter(|p| owned(p.controller.as_deref())).all(|p| ours(&p.promised));
        let revisions = s.revisions.iter().filter(|r| owned(r.controller.as_ref())).all(|r| ours(&r.promised));
        let claims = s.claims.iter().all(|c| c.owners.iter().all(|o| o.uid != uid));
        if native.uid() != uid || from.uid != uid || native.resource_version() != resource_version {
            Some("which is another one, or another version")
        } else if verify(s, native, from).iter().any(|check| !check.problems.is_empty()) {
            Some("which was refused")
        } else if !(pods && revisions && claims) {
            Some("whose objects have no other owner")
        } else {
            None
        }
    };
    plan.actions()
        .filter_map(|action| match action {
            Action::ReleaseNative { name, uid, resource_version } => {
                lacks(uid, resource_version).map(|why| format!("StatefulSet {name} is deleted, {why}"))
            }
            _ => None,
        })
        .collect()
}

/// While there is one of the set's name, nothing but an adoption is begun.
fn pods_of_a_stateful_set_are_its_own(s: &Snapshot, plan: &Plan) -> Vec<String> {
    let Native::There(native) = &s.native else { return Vec::new() };
    let meant = s.set.spec.adopt_from.as_ref().is_some_and(|from| from.uid == native.uid());
    let stages = plan.stages.iter().filter(|st| st.kind != StageKind::Adoption || !meant);
    stages.map(|st| format!("stage {:?} beside StatefulSet {}", st.kind, s.set.name)).collect()
}

fn healthy_pods_go_after_a_trial(s: &Snapshot, plan: &Plan) -> Vec<String> {
    let update = &plan.templates.get(Which::Update).revision;
    let trial = s.memory.trial.as_ref().filter(|t| t.revision == *update);
    let mut tried = trial.is_some_and(|t| t.verdict == Verdict::Passed);
    let mut found = Vec::new();
    for action in plan.actions() {
        match action {
            Action::TryPod { .. } => tried = true,
            Action::DeletePod { name, why: Why::Outdated, .. } if !tried => {
                found.push(format!("pod {name} goes for revision {update}, which was not tried"));
            }
            _ => {}
        }
    }
    found
}
