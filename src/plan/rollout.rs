//! Phase D: which pods go because they are not at the update revision (S-4.6 to S-4.9), and the dry run before (O-4).

use crate::{
    action::{Action, Budget, Stage, StageKind, Templates, Which, Why},
    name,
    scale::revision_of,
    snapshot::{Memory, Pod, Verdict},
    view::View,
};
use k8s_openapi::{apimachinery::pkg::util::intstr::IntOrString, jiff::Timestamp};
use ordinal_api::UpdateStrategyType;

/// What phase D came to.
#[derive(Default)]
pub(crate) struct Rollout {
    pub stages: Vec<Stage>,
    /// The revision was refused and is not to be tried again before this.
    pub retry_at: Option<Timestamp>,
}

pub(crate) fn roll_out(view: &View<'_>, templates: &Templates, memory: &Memory, budget: Budget) -> Rollout {
    let mut rollout = Rollout::default();
    let going = outdated_to_delete(view, templates, budget);
    if going.is_empty() {
        return rollout;
    }
    match verdict(view, templates, memory) {
        Some(Verdict::Refused { retry_at, .. }) if *retry_at > view.now => {
            rollout.retry_at = Some(*retry_at);
            return rollout;
        }
        Some(Verdict::Passed) => {}
        Some(Verdict::Refused { .. }) | None => {
            let ordinal = lowest_affected(view, templates).unwrap_or(view.set.start());
            let name = name::pod(&view.set.name, ordinal);
            rollout.stages.extend(Stage::one_by_one(StageKind::Trial, [Action::TryPod { name, ordinal }]));
        }
    }
    let delete = |pod: &Pod| Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone(), why: Why::Outdated };
    rollout.stages.extend(Stage::one_by_one(StageKind::Update, going.into_iter().map(delete)));
    rollout
}

/// What the server said of the update revision, if it was asked since the set changed last.
pub(crate) fn verdict<'m>(view: &View<'_>, templates: &Templates, memory: &'m Memory) -> Option<&'m Verdict> {
    let trial = memory.trial.as_ref().filter(|t| t.revision == templates.update.revision)?;
    (trial.verdict == Verdict::Passed || trial.generation == view.set.generation).then_some(&trial.verdict)
}

/// The lowest ordinal that the roll-out replaces or creates.
fn lowest_affected(view: &View<'_>, templates: &Templates) -> Option<i32> {
    view.ordinals()
        .filter(|(ordinal, _)| revision_of(view, templates, *ordinal) == Which::Update)
        .find(|(_, pod)| pod.is_none_or(|p| p.revision() != templates.update.revision))
        .map(|(ordinal, _)| ordinal)
}

/// The pods to delete now, in order, within the budget.
fn outdated_to_delete<'a>(view: &View<'a>, templates: &Templates, budget: Budget) -> Vec<&'a Pod> {
    if view.set.spec.update_strategy.type_ == UpdateStrategyType::OnDelete {
        return Vec::new();
    }
    let is_outdated = |pod: &Pod| pod.revision() != templates.update.revision;
    // Highest first.
    let mut candidates: Vec<&Pod> =
        view.slots.iter().rev().filter(|(o, _)| view.set.is_in_update_range(*o)).map(|(_, p)| *p).collect();
    candidates.retain(|pod| is_outdated(pod) && !pod.is_terminating());

    if !view.set.parallel() {
        candidates.truncate(budget.left());
        return candidates;
    }
    // Parallel: broken outdated pods go without counting, they are part of what is unavailable; healthy ones within the
    // rest of the budget (S-4.9).
    let (broken, mut healthy): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|pod| !view.is_available(pod));
    healthy.truncate(budget.left());
    // A pod that has ended was seen to in phase A, and is not deleted twice (O-5). It has its part of the budget, ready as it
    // may still seem: it goes.
    broken.into_iter().chain(healthy).filter(|pod| !pod.has_ended()).collect()
}

/// The one ledger of what may be unavailable: a number, or a percentage of the replicas rounded down; at least 1 (O-8).
pub(crate) fn budget(view: &View<'_>) -> Budget {
    let field = view.set.spec.update_strategy.rolling_update.as_ref().and_then(|r| r.max_unavailable.as_ref());
    let number = match field {
        None => 1,
        Some(IntOrString::Int(n)) => *n,
        Some(IntOrString::String(s)) => {
            let percent: i64 = s.strip_suffix('%').and_then(|p| p.parse().ok()).unwrap_or(0);
            i32::try_from((i64::from(view.set.replicas()).saturating_mul(percent)) / 100).unwrap_or(i32::MAX)
        }
    };
    Budget { max_unavailable: number.max(1), unavailable: view.unavailable_slots() }
}
