//! Waits that grow. A pod that fails at once is not replaced at once (O-7): per slot, the deletion of a failed pod waits, ever longer.

use crate::{
    snapshot::{Failure, Failures, Pod},
    view::View,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A pod that ends within this of its creation failed at once.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(60);
/// After this without a failure a slot starts afresh.
const QUIET: SignedDuration = SignedDuration::from_secs(600);
/// The wait after the first failure; it doubles with each.
const FIRST: SignedDuration = SignedDuration::from_secs(1);
/// The wait after the first dry run that was refused (O-4); it doubles with each.
pub(crate) const TRIAL_FIRST: SignedDuration = SignedDuration::from_secs(5);
/// The longest wait.
pub(crate) const LONGEST: SignedDuration = SignedDuration::from_secs(300);

/// The failures after this pass has looked at its slots.
pub(crate) fn count(view: &View<'_>, before: &Failures, update_revision: &str) -> Failures {
    let mut after = Failures { revision: update_revision.into(), ..Failures::default() };
    if before.revision == update_revision {
        after.slots = before.slots.clone();
    }
    for (ordinal, pod) in view.slots.iter().filter(|(_, pod)| pod.has_ended() && !pod.is_terminating()) {
        let known = after.slots.get(ordinal);
        if known.is_some_and(|f| f.uid == pod.uid) {
            continue;
        }
        if pod.created.is_some_and(|created| view.now.duration_since(created) <= AT_ONCE) {
            let count = known.map_or(1, |f| f.count.saturating_add(1));
            after.slots.insert(*ordinal, Failure { uid: pod.uid.clone(), count, seen: view.now });
        }
    }
    after.slots.retain(|_, f| view.now.duration_since(f.seen) < QUIET);
    after
}

/// Until when the deletion of a failed pod waits, if it does.
pub(crate) fn wait_until(failures: &Failures, ordinal: i32, pod: &Pod, now: Timestamp) -> Option<Timestamp> {
    let failure = failures.slots.get(&ordinal).filter(|f| f.uid == pod.uid)?;
    let until = failure.seen.checked_add(delay(failure.count, FIRST, LONGEST)).ok()?;
    (until > now).then_some(until)
}

/// `first`, doubled with every further count, at most `longest`.
pub(crate) fn delay(count: u32, first: SignedDuration, longest: SignedDuration) -> SignedDuration {
    let doublings = count.saturating_sub(1).min(30);
    first.checked_mul(1 << doublings).map_or(longest, |d| d.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o_7_the_wait_doubles_from_one_second_to_five_minutes() {
        let seconds: Vec<i64> = (1..=11).map(|n| delay(n, FIRST, LONGEST).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(delay(u32::MAX, FIRST, LONGEST), LONGEST);
    }
}
