//! What Prometheus is told, at `/metrics` (S-7.5). Users build on these names: docs/metrics.md has them all.

mod calls;
mod queue;
mod sets;

use crate::cache::Key;
use calls::Calls;
use kube::Resource;
use ordinal_api::OrdinalSetStatus;
use ordinal_plan::{action::Budget, freshness::Kind, snapshot::Set};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use queue::Queue;
use sets::Figures;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// All that is measured. Cheap to clone: clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    leader: Gauge,
    queue: Queue,
    passes: Family<Outcome, Counter>,
    pass_time: Histogram,
    calls: Calls,
    stale_passes: Family<Watched, Counter>,
    watch_restarts: Family<Watched, Counter>,
    cache_objects: Family<Watched, Gauge>,
    /// Absent when sets are not told of one by one.
    sets: Option<Arc<Figures>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// A kind with a watch.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Watched {
    group: String,
    resource: String,
}

impl Watched {
    fn of<K: Resource<DynamicType = ()>>() -> Self {
        Self { group: K::group(&()).into_owned(), resource: K::plural(&()).into_owned() }
    }
}

impl From<Kind> for Watched {
    fn from(kind: Kind) -> Self {
        use ordinal_api::{OrdinalSet, lite};
        match kind {
            Kind::Set => Self::of::<OrdinalSet>(),
            Kind::Pod => Self::of::<lite::Pod>(),
            Kind::Claim => Self::of::<lite::Claim>(),
            Kind::Revision => Self::of::<lite::Revision>(),
            Kind::Service => Self::of::<lite::Service>(),
            Kind::Native => Self::of::<ordinal_plan::native::StatefulSet>(),
        }
    }
}

/// What comes of a pass.
const RESULTS: [&str; 3] = ["success", "error", "skipped"];

/// From a millisecond to half a minute: what calls and passes take.
fn durations() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

impl Metrics {
    /// Nothing measured yet; with `per_set`, sets are told of one by one.
    pub fn new(per_set: bool) -> Self {
        let mut all = Registry::default();
        let queue = Queue::new(&mut all);
        let ours = all.sub_registry_with_prefix("ordinal");
        let leader = Gauge::default();
        ours.register("leader", "Whether this operator works: it holds the Lease, or needs none", leader.clone());
        let passes = Family::default();
        // A series that begins with its first failure has no rate then.
        for result in RESULTS {
            let _ = passes.get_or_create_owned(&Outcome { result });
        }
        ours.register(
            "reconcile",
            "Passes over a set, by what came of them: success, error, or skipped where the set cannot be read",
            passes.clone(),
        );
        let pass_time = durations();
        ours.register("reconcile_duration_seconds", "What a pass took, its calls included", pass_time.clone());
        let (stale_passes, watch_restarts) = (Family::default(), Family::default());
        for kind in [Kind::Set, Kind::Pod, Kind::Claim, Kind::Revision, Kind::Service] {
            for family in [&stale_passes, &watch_restarts] {
                let _: Counter = family.get_or_create_owned(&Watched::from(kind));
            }
        }
        ours.register(
            "stale_passes",
            "Passes put off because a cache did not have the set's own last writes yet",
            stale_passes.clone(),
        );
        ours.register("watch_restarts", "Watches that had to begin anew, with a list", watch_restarts.clone());
        let cache_objects = Family::default();
        ours.register("cache_objects", "Objects in the caches", cache_objects.clone());
        let calls = Calls::new(ours);
        let sets = per_set.then(Arc::<Figures>::default);
        if let Some(figures) = &sets {
            ours.register_collector(Box::new(figures.clone()));
        }
        Self(Arc::new(Inner {
            registry: all,
            leader,
            queue,
            passes,
            pass_time,
            calls,
            stale_passes,
            watch_restarts,
            cache_objects,
            sets,
        }))
    }

    /// This operator begins to work.
    pub fn leads(&self) {
        self.0.leader.set(1);
    }

    /// The queue of sets.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Counts a client's calls.
    pub fn calls(&self) -> Calls {
        self.0.calls.clone()
    }

    /// A pass has ended, in one of [`RESULTS`].
    pub fn passed(&self, result: &'static str, took: Duration) {
        self.0.passes.get_or_create(&Outcome { result }).inc();
        self.0.pass_time.observe(took.as_secs_f64());
    }

    /// What a pass found out about its set.
    pub fn judged(&self, set: &Set, status: &OrdinalSetStatus, budget: Budget) {
        if let Some(sets) = &self.0.sets {
            sets.put(set, status, budget);
        }
    }

    /// A set is gone, and its series with it.
    pub fn forget(&self, set: &Key) {
        self.0.queue.forget(set);
        if let Some(sets) = &self.0.sets {
            sets.remove(set);
        }
    }

    /// Only these sets are there: some may have gone unseen.
    pub fn retain(&self, there: impl Fn(&Key) -> bool) {
        if let Some(sets) = &self.0.sets {
            sets.retain(there);
        }
    }

    /// A pass was put off because this cache lagged (S-8.6).
    pub fn stale_pass(&self, cache: Kind) {
        self.0.stale_passes.get_or_create(&cache.into()).inc();
    }

    /// A watch begins anew.
    pub fn watch_restarts<K: Resource<DynamicType = ()>>(&self) {
        self.0.watch_restarts.get_or_create(&Watched::of::<K>()).inc();
    }

    /// The text that Prometheus reads, with the sizes of all caches; of several of one kind the sum.
    pub fn text(&self, cached: impl IntoIterator<Item = (Kind, usize)>) -> String {
        let mut sums: BTreeMap<Kind, usize> = BTreeMap::new();
        for (kind, objects) in cached {
            *sums.entry(kind).or_default() += objects;
        }
        for (kind, objects) in sums {
            self.0.cache_objects.get_or_create(&kind.into()).set(objects.try_into().unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_7_5_a_pass_put_off_is_counted_by_the_cache_that_lagged() {
        let metrics = Metrics::new(true);
        metrics.stale_pass(Kind::Pod);
        metrics.stale_pass(Kind::Pod);
        metrics.stale_pass(Kind::Revision);
        let text = metrics.text([(Kind::Pod, 1), (Kind::Pod, 2)]);
        for line in [
            r#"ordinal_stale_passes_total{group="",resource="pods"} 2"#,
            r#"ordinal_stale_passes_total{group="apps",resource="controllerrevisions"} 1"#,
            r#"ordinal_cache_objects{group="",resource="pods"} 3"#,
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
        }
    }
}
