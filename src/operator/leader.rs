//! Leader election on a Lease: optimistic writes by resourceVersion, and expiry judged by how long *we* have seen the
//! record unchanged, so that no two clocks are ever compared. One of the files that write.
//!
//! There is no fencing (S-8.12): requests that a former leader has under way may still succeed, so names,
//! resourceVersions and UIDs protect (N-13). Whoever loses the lease must end its process.

use crate::{config::Run, outcome::describe};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tracing::{debug, info, warn};

/// One contender for a Lease.
pub struct Contender {
    api: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Timing {
    /// Others wait this long after the last change they saw.
    lease: Duration,
    /// The holder gives up when it could not renew for this long.
    renew_deadline: Duration,
    retry: Duration,
}

/// What we last saw, and when by our clock it last changed.
#[derive(Clone, Debug)]
struct Seen {
    spec: LeaseSpec,
    changed_at: Instant,
}

/// What one try came to.
enum Attempt {
    Held,
    HeldByOther,
    /// Somebody wrote the Lease meanwhile, perhaps only a label of it: the next try tells.
    Overtaken,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Renew,
    TakeOver,
    Wait,
}

impl Contender {
    /// The contender that the flags describe.
    pub fn new(client: Client, run: &Run, identity: String) -> Self {
        Self {
            api: Api::namespaced(client, &run.lease_namespace),
            name: run.lease_name.clone(),
            identity,
            timing: Timing { lease: run.lease_duration, renew_deadline: run.renew_deadline, retry: run.retry_period },
            seen: None,
        }
    }

    /// Contends until `stop` is done, telling `leading`. Gives the lease back in the end.
    ///
    /// Returns false when the lease was held and lost; the caller must end the process then.
    pub async fn run(mut self, leading: watch::Sender<bool>, stop: impl Future<Output = ()>) -> bool {
        let mut stop = std::pin::pin!(stop);
        let mut renewed_at: Option<Instant> = None;
        loop {
            let started = Instant::now();
            // A holder that hears nothing must end before others may take over: nothing below outlasts this.
            let give_up = renewed_at.map_or(started + self.timing.lease, |at| at + self.timing.renew_deadline);
            match timeout_at(give_up, self.attempt()).await {
                Ok(Ok(Attempt::Held)) => {
                    if renewed_at.is_none() {
                        info!(lease = self.name, identity = self.identity, "leading");
                    }
                    renewed_at = Some(started);
                    leading.send_replace(true);
                }
                Ok(Ok(Attempt::HeldByOther)) if renewed_at.is_some() => {
                    warn!(lease = self.name, "another operator took the lease");
                    break;
                }
                Ok(Ok(Attempt::HeldByOther | Attempt::Overtaken)) => {}
                // Could not tell: the deadline below decides.
                Ok(Err(kube::Error::Api(status))) if status.is_not_found() => warn!(
                    lease = self.name,
                    "lease: {}: create the namespace, or name another by --lease-namespace, or use --leader-elect=false",
                    status.message
                ),
                Ok(Err(error)) => warn!(lease = self.name, "lease: {}", describe(&error)),
                Err(_) => warn!(lease = self.name, "lease: no answer"),
            }
            if renewed_at.is_some_and(|at| at.elapsed() >= self.timing.renew_deadline) {
                warn!(lease = self.name, "the lease could not be renewed in time");
                break;
            }
            let next = Instant::now() + self.timing.retry;
            let next = renewed_at.map_or(next, |at| next.min(at + self.timing.renew_deadline));
            tokio::select! {
                biased;
                () = &mut stop => {
                    leading.send_replace(false);
                    if renewed_at.is_some()
                        && let Err(error) = self.release().await
                    {
                        debug!("lease not released: {}", describe(&error));
                    }
                    return true;
                }
                () = sleep_until(next) => {}
            }
        }
        leading.send_replace(false);
        false
    }

    /// Takes or renews the lease.
    async fn attempt(&mut self) -> kube::Result<Attempt> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let mut lease = Lease::default();
            lease.metadata.name = Some(self.name.clone());
            lease.spec = Some(self.claim(None));
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let now = Instant::now();
        let seen = match self.seen.take().filter(|seen| seen.spec == spec) {
            Some(seen) => seen,
            None => Seen { spec, changed_at: now },
        };
        let step = decide(&self.identity, &seen, now, self.timing.lease);
        let before = (step == Step::Renew).then_some(&seen.spec);
        lease.spec = Some(match before {
            Some(spec) => self.renewal(spec),
            None => self.claim(Some(&seen.spec)),
        });
        self.seen = Some(seen);
        match step {
            Step::Wait => Ok(Attempt::HeldByOther),
            // The resourceVersion of the read goes along: of several contenders one wins.
            Step::Renew | Step::TakeOver => won(self.api.replace(&self.name, &PostParams::default(), &lease).await),
        }
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let mut spec = self.renewal(&before.cloned().unwrap_or_default());
        spec.acquire_time = spec.renew_time.clone();
        spec.lease_transitions = Some(before.map_or(0, |b| b.lease_transitions.unwrap_or(0).saturating_add(1)));
        spec
    }

    fn renewal(&self, before: &LeaseSpec) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.timing.lease.as_secs().max(1)).ok(),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..before.clone()
        }
    }

    /// Makes the lease free at once instead of after its duration.
    async fn release(&self) -> kube::Result<()> {
        let mut lease = self.api.get(&self.name).await?;
        let held = lease.spec.as_mut().filter(|s| s.holder_identity.as_ref() == Some(&self.identity));
        let Some(spec) = held else { return Ok(()) };
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
    }
}

fn won<T>(answer: kube::Result<T>) -> kube::Result<Attempt> {
    match answer {
        Ok(_) => Ok(Attempt::Held),
        Err(kube::Error::Api(s)) if s.is_conflict() || s.is_already_exists() => Ok(Attempt::Overtaken),
        Err(error) => Err(error),
    }
}

fn decide(me: &str, seen: &Seen, now: Instant, lease: Duration) -> Step {
    match seen.spec.holder_identity.as_deref() {
        Some(holder) if holder == me => Step::Renew,
        None | Some("") => Step::TakeOver,
        Some(_) if now.duration_since(seen.changed_at) >= lease => Step::TakeOver,
        Some(_) => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_8_12_a_live_holder_is_waited_out() {
        let start = Instant::now();
        let lease = Duration::from_secs(15);
        let spec = LeaseSpec { holder_identity: Some("other".into()), ..LeaseSpec::default() };
        let seen = Seen { spec, changed_at: start };
        assert_eq!(decide("me", &seen, start + Duration::from_secs(14), lease), Step::Wait);
        assert_eq!(decide("me", &seen, start + lease, lease), Step::TakeOver);
        assert_eq!(decide("other", &seen, start, lease), Step::Renew);
    }

    #[test]
    fn s_8_12_a_lease_that_was_given_back_is_free_at_once() {
        let start = Instant::now();
        for holder in [None, Some(String::new())] {
            let seen = Seen { spec: LeaseSpec { holder_identity: holder, ..LeaseSpec::default() }, changed_at: start };
            assert_eq!(decide("me", &seen, start, Duration::from_secs(15)), Step::TakeOver);
        }
    }
}
