//! How many calls of the operator a set may cost: no hot loop.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::observer::{Observer, Traffic};

/// Calls within a step, beside those that pods account for. A pass that fails is tried again after 5 ms, 10 ms … 30 s: some
/// fourteen times within a minute, and each try is a few calls (claims, pod, status).
const CALLS: usize = 80;

/// A pod that comes and goes: creation, deletion, its claims with their owners, and a status for each of its states.
const CALLS_PER_POD: usize = 10;

/// Calls within a minute for a set at rest that cannot get well, beside those that pods account for: by then a pass that
/// fails waits for a second and longer, up to 30 s, so there are six of them in the first minute, of a few calls each.
const CALLS_IN_VAIN: usize = 30;

/// Creations and deletions within a minute per slot of a pod that fails at once: it waits for a second at first, and ever
/// longer (O-7), so that there are six of either in the first minute.
const REPLACED_IN_VAIN: usize = 14;

/// A set that nothing will become of, and that nobody mends.
pub struct LeftBehind {
    /// Where it is.
    pub namespace: String,
    /// Since when.
    pub since: Instant,
    /// How many pods it has.
    pub slots: usize,
}

/// The calls since a step began; an error when they are more than the step can be worth.
pub fn within_step(traffic: &Traffic, begun: Instant, pods: usize) -> Result<usize> {
    let (calls, time) = (traffic.since(begun), begun.elapsed());
    let limit = CALLS * minutes(time) + CALLS_PER_POD * (traffic.pods_since(begun) + pods);
    if calls > limit {
        bail!("the last calls: {:#?}\n{calls} calls of the operator within {time:?}, {limit} at most", traffic.last);
    }
    Ok(calls)
}

impl LeftBehind {
    /// How many calls it has cost since, and within which time; an error when these are more than its back-off allows.
    pub fn calls(&self, observer: &Observer<'_>) -> Result<(usize, Duration)> {
        let time = self.since.elapsed();
        let calls = self.within(&observer.traffic(&self.namespace), time)?;
        Ok((calls, time))
    }

    fn within(&self, traffic: &Traffic, time: Duration) -> Result<usize> {
        let (calls, pods) = (traffic.since(self.since), traffic.pods_since(self.since));
        let calls_at_most = CALLS_IN_VAIN * minutes(time) + CALLS_PER_POD * pods;
        let pods_at_most = REPLACED_IN_VAIN * minutes(time) * self.slots;
        if calls > calls_at_most || pods > pods_at_most {
            bail!(
                "the last calls: {:#?}\nthe set left behind in {}: {calls} calls of the operator within {time:?} \
                 ({calls_at_most} at most), {pods} of them for pods ({pods_at_most} at most)",
                traffic.last,
                self.namespace,
            );
        }
        Ok(calls)
    }
}

fn minutes(time: Duration) -> usize {
    usize::try_from(time.as_secs() / 60).unwrap_or(usize::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_without_end_is_found() {
        let begun = Instant::now();
        let traffic = |calls: usize, pods: usize| Traffic {
            times: vec![Instant::now(); calls],
            pods: vec![Instant::now(); pods],
            ..Traffic::default()
        };
        assert_eq!(within_step(&traffic(80, 0), begun, 0).ok(), Some(80));
        assert!(within_step(&traffic(81, 0), begun, 0).is_err());
        assert!(within_step(&traffic(81, 0), begun, 1).is_ok(), "pods are worth some");
        let left = LeftBehind { namespace: String::new(), since: begun, slots: 1 };
        let minute = Duration::from_secs(60);
        assert!(left.within(&traffic(30, 0), minute / 2).is_ok());
        assert!(left.within(&traffic(31, 0), minute / 2).is_err());
        assert!(left.within(&traffic(31, 0), minute).is_ok(), "another minute");
        assert!(left.within(&traffic(100, 15), minute / 2).is_err(), "a pod that comes and goes without end");
    }
}
