//! One watch per kind, each driven by a task of its own, so that a failing one delays no other.

use crate::{
    cache::{Cache, Cached, Change, Key, Writer},
    kinds::{Observed, claim_family},
    metrics::Metrics,
    outcome::describe,
    sets::{Concern, Sets, object_ref},
};
use futures::{Stream, StreamExt, TryStreamExt, channel::mpsc::UnboundedSender};
use kube::{
    Api, Client, Resource,
    core::NamespaceResourceScope,
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, store},
        utils::Backoff,
        watcher,
    },
};
use ordinal_plan::{
    native::StatefulSet,
    snapshot::{Claim, Phase, Pod, Revision, SET_KIND, Service},
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeSet, fmt::Debug, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

/// A watch is tried again every second or so; what is wrong is said again after this, if it is still the same.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The longest pause before a watch is tried again. Watches that come back at different times show different worlds: with
/// kube's own 30 s, pods of a set that was deleted during an outage were made, and collected, over and over until the watch of
/// sets was back as well.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A change that lets a set do nothing but count waits so long, in which what the set waits for often comes as well: the pod
/// gets ready that appeared, or is gone that began to end.
const QUIET_PAUSE: Duration = Duration::from_millis(100);

/// Objects per page of a list: a start with 10,000 pods is not to wait for many answers, nor to need memory for all at once.
const PAGE: u32 = 1_000;

/// Kube's pauses, with a shorter longest one.
struct Pauses(watcher::DefaultBackoff);

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(LONGEST_PAUSE))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Where watches watch, and whom they tell.
#[derive(Clone)]
pub struct Site {
    /// The API server.
    pub client: Client,
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// The sets that are to be woken.
    pub sets: Arc<Sets>,
    /// What is measured.
    pub metrics: Metrics,
}

impl Site {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}

/// A stream of events that reports its errors and goes on: retries are its own.
fn watch<K>(site: &Site) -> impl Stream<Item = watcher::Event<K>> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    // The default list is a consistent read; the freshness gate relies on that.
    let events = watcher(site.api::<K>(), watcher::Config::default().page_size(PAGE));
    let metrics = site.metrics.clone();
    let mut listed = false;
    let events = events.backoff(Pauses(watcher::DefaultBackoff::default()));
    let mut reported: Option<(String, Instant)> = None;
    events.filter_map(move |event| {
        let event = match event {
            Ok(event) => {
                if matches!(event, watcher::Event::Init) && std::mem::replace(&mut listed, true) {
                    metrics.watch_restarts::<K>();
                }
                // Before each list comes Init, even if the list then fails.
                if !matches!(event, watcher::Event::Init) && reported.take().is_some() {
                    info!(kind = %K::kind(&()), "watch works again");
                }
                Some(event)
            }
            Err(problem) => {
                let text = describe(&problem);
                let known = reported.as_ref().is_some_and(|(t, at)| *t == text && at.elapsed() < SAY_AGAIN);
                if !known {
                    report::<K>(&problem);
                    reported = Some((text, Instant::now()));
                }
                None
            }
        };
        futures::future::ready(event)
    })
}

/// Says what is wrong in words that tell what to do.
fn report<K: Resource<DynamicType = ()>>(problem: &watcher::Error) {
    let (kind, plural, group) = (K::kind(&()), K::plural(&()), K::group(&()));
    let status = match problem {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    };
    match status.map(|s| s.code) {
        Some(404) if kind == SET_KIND => {
            error!("the kind {kind} is not installed: kubectl apply -f crds/ordinalsets.yaml; trying again");
        }
        Some(401) => error!(%kind, "the API server does not know who we are (401): check the kubeconfig; trying again"),
        Some(403) => {
            let words = status.map(|s| s.message.as_str()).unwrap_or_default();
            error!(%kind, "no permission to list and watch {plural} in group {group:?}: {words}; trying again");
        }
        // A watch that has become too old starts over by itself.
        Some(410) => {}
        _ => warn!(%kind, "watch failed, trying again: {}", describe(problem)),
    }
}

/// Drives the watch of one kind into its cache, and wakes the sets that each change concerns.
pub async fn drive<V: Woken>(site: Site, cache: Arc<Cache<V>>, queue: UnboundedSender<ObjectRef<Observed>>) {
    let Site { sets, metrics, .. } = &site;
    let mut writer = Writer::new(cache);
    let mut events = pin!(watch::<V::Wire>(&site));
    let (mut listed, mut later) = (BTreeSet::new(), BTreeSet::new());
    let mut flush = pin!(sleep(Duration::ZERO));
    loop {
        let now: BTreeSet<Key> = tokio::select! {
            event = events.next() => {
                let Some(event) = event else { return };
                // Of thousands of objects each would wake somebody who can only wait for the others.
                let amid_a_list = matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
                let (quiet, loud): (Vec<_>, Vec<_>) =
                    writer.apply(event).into_iter().filter(Change::is_seen).partition(V::is_quiet);
                let concerned = |changes: &[Change<V>]| changes.iter().flat_map(|c| V::concerned(c, sets)).collect();
                let (now, quiet): (BTreeSet<Key>, BTreeSet<Key>) = (concerned(&loud), concerned(&quiet));
                if later.is_empty() && !quiet.is_empty() {
                    flush.as_mut().reset(Instant::now() + QUIET_PAUSE);
                }
                later.extend(quiet);
                listed.extend(now);
                if amid_a_list {
                    continue;
                }
                let now = std::mem::take(&mut listed);
                later.retain(|key| !now.contains(key));
                now
            }
            () = &mut flush, if !later.is_empty() => std::mem::take(&mut later),
        };
        for key in now {
            metrics.queue().add(&key);
            if queue.unbounded_send(object_ref(&key)).is_err() {
                return; // the controller has ended
            }
        }
    }
}

/// The watch of sets, kept in their cache; each set that changed is to be looked at.
pub fn sets(
    site: &Site,
    writer: store::Writer<Observed>,
) -> impl Stream<Item = Result<Observed, watcher::Error>> + Send + use<> {
    let (sets, metrics, counted) = (site.sets.clone(), site.metrics.clone(), site.metrics.clone());
    let namespace = site.namespace.clone();
    let elsewhere = move |key: &Key| namespace.as_ref().is_some_and(|namespace| *namespace != key.namespace);
    watch::<Observed>(site)
        .map(Ok)
        .reflect(writer)
        .inspect(move |event| {
            if let Ok(event) = event {
                sets.follow(event);
                if matches!(event, watcher::Event::InitDone) {
                    metrics.retain(|key| elsewhere(key) || sets.contains(key));
                }
            }
        })
        .touched_objects()
        .inspect_ok(move |set| counted.queue().add(&Key::of(set)))
}

/// A kind whose changes wake sets.
pub trait Woken: Cached {
    /// The sets that a change concerns.
    fn concerned(change: &Change<Self>, sets: &Sets) -> Vec<Key>;

    /// Whether a change lets sets do nothing but count.
    fn is_quiet(_: &Change<Self>) -> bool {
        false
    }
}

impl Woken for Pod {
    /// The owner before and after (S-8.3, S-8.4), and the set whose slot the name is: it alone may adopt the pod, or waits for
    /// its name (S-12.8).
    fn concerned(change: &Change<Self>, sets: &Sets) -> Vec<Key> {
        let versions = [&change.before, &change.after];
        let pods = || versions.into_iter().flatten();
        let controllers = pods().filter_map(|pod| pod.controller.as_ref());
        let owners = controllers.filter_map(|c| owner(change, c, &[SET_KIND]).filter(|key| sets.has_uid(key, &c.uid)));
        let parents = pods()
            .map(|pod| Key { namespace: change.key.namespace.clone(), name: pod.parsed.parent(&pod.name).to_owned() });
        owners.chain(parents.filter(|key| sets.contains(key))).collect()
    }

    /// A pod that only appears, or begins to end.
    fn is_quiet(change: &Change<Self>) -> bool {
        match (&change.before, &change.after) {
            (None, Some(pod)) => matches!(pod.phase, Phase::None | Phase::Pending),
            (Some(before), Some(pod)) => before.deleting.is_none() && pod.deleting.is_some(),
            _ => false,
        }
    }
}

impl Woken for Claim {
    /// The sets whose claims have such a name (O-6).
    fn concerned(change: &Change<Self>, sets: &Sets) -> Vec<Key> {
        claim_family(&change.key).map(|family| sets.concerned(&Concern::Claims(family))).unwrap_or_default()
    }

    /// A claim that appears, or is bound: sets tell of it (O-10), and wait for neither.
    fn is_quiet(change: &Change<Self>) -> bool {
        match (&change.before, &change.after) {
            (None, Some(claim)) => !claim.deleting,
            (Some(before), Some(claim)) => {
                (&before.uid, &before.owners, before.deleting) == (&claim.uid, &claim.owners, claim.deleting)
            }
            _ => false,
        }
    }
}

impl Woken for Revision {
    /// The owner, before and after; one of a predecessor too: its names may be those that a set would use (S-3.4). So may those
    /// of a StatefulSet of the set's name, which keeps it waiting.
    fn concerned(change: &Change<Self>, sets: &Sets) -> Vec<Key> {
        let versions = [&change.before, &change.after];
        let controllers = versions.into_iter().flatten().filter_map(|r| r.controller.as_ref());
        let owners = controllers.filter_map(|c| owner(change, c, &[SET_KIND, "StatefulSet"]));
        // One that goes with its set is no loss: recorded again, it would only have to be collected again.
        let collected = |key: &Key| change.after.is_none() && sets.is_deleting(key);
        owners.filter(|key| sets.contains(key) && !collected(key)).collect()
    }
}

impl Woken for StatefulSet {
    /// The set of its name: it is in its way, or is to be taken over.
    fn concerned(change: &Change<Self>, sets: &Sets) -> Vec<Key> {
        Some(change.key.clone()).filter(|key| sets.contains(key)).into_iter().collect()
    }
}

impl Woken for Service {
    /// The sets that name it (O-9).
    fn concerned(change: &Change<Self>, sets: &Sets) -> Vec<Key> {
        sets.concerned(&Concern::Service(change.key.clone()))
    }
}

/// The controller of an object, if it is of one of these kinds.
fn owner<V>(
    change: &Change<V>,
    controller: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference,
    kinds: &[&str],
) -> Option<Key> {
    kinds
        .contains(&controller.kind.as_str())
        .then(|| Key { namespace: change.key.namespace.clone(), name: controller.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordinal_api::lite;
    use serde_json::json;

    fn pod(status: serde_json::Value, deleting: bool) -> Option<Arc<Pod>> {
        let deleted = deleting.then_some("2026-01-01T00:00:00Z");
        let wire = json!({"metadata": {"name": "web-0", "deletionTimestamp": deleted}, "status": status});
        let wire: lite::Pod = serde_json::from_value(wire).expect("a pod");
        Some(Arc::new(wire.into()))
    }

    fn claim(phase: &str, deleting: bool, uid: &str) -> Option<Arc<Claim>> {
        let deleted = deleting.then_some("2026-01-01T00:00:00Z");
        let metadata = json!({"name": "data-web-0", "uid": uid, "deletionTimestamp": deleted});
        let wire = json!({"metadata": metadata, "status": {"phase": phase}});
        let wire: lite::Claim = serde_json::from_value(wire).expect("a claim");
        Some(Arc::new(wire.into()))
    }

    // also: O-6
    #[test]
    fn s_8_3_a_claim_that_appears_or_is_bound_can_wait() {
        let cases = [
            ("it appears", None, claim("Pending", false, "c"), true),
            ("it is bound", claim("Pending", false, "c"), claim("Bound", false, "c"), true),
            ("it begins to end", claim("Bound", false, "c"), claim("Bound", true, "c"), false),
            ("it is another one", claim("Bound", false, "c"), claim("Pending", false, "d"), false),
            ("it is gone", claim("Bound", true, "c"), None, false),
        ];
        for (what, before, after, quiet) in cases {
            let key = Key { namespace: "ns".into(), name: "data-web-0".into() };
            assert_eq!(Claim::is_quiet(&Change { key, before, after }), quiet, "{what}");
        }
    }

    #[test]
    fn s_8_3_what_lets_a_set_do_nothing_but_count_can_wait() {
        let (pending, running) = (json!({"phase": "Pending"}), json!({"phase": "Running"}));
        let cases = [
            ("it appears", None, pod(pending.clone(), false), true),
            ("it appears running", None, pod(running.clone(), false), false),
            ("it runs", pod(pending.clone(), false), pod(running.clone(), false), false),
            ("it begins to end", pod(running.clone(), false), pod(running.clone(), true), true),
            ("it ends", pod(running, true), pod(json!({"phase": "Failed"}), true), false),
            ("it is gone", pod(pending, true), None, false),
        ];
        for (what, before, after, quiet) in cases {
            let key = Key { namespace: "ns".into(), name: "web-0".into() };
            assert_eq!(Pod::is_quiet(&Change { key, before, after }), quiet, "{what}");
        }
    }
}
