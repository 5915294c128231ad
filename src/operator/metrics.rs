//! What Prometheus is told, at `/metrics` (S-7.5).

use crate::cache::Key;
use ordinal_plan::{action::Budget, freshness::Kind, snapshot::Set};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::Arc;

/// All that is measured. Cheap to clone: clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    max_unavailable: Family<SetLabels, Gauge>,
    unavailable: Family<SetLabels, Gauge>,
    stale_passes: Family<CacheLabels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SetLabels {
    namespace: String,
    name: String,
    pod_management_policy: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CacheLabels {
    group: &'static str,
    resource: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ordinal");
        let max_unavailable = Family::default();
        let unavailable = Family::default();
        let stale_passes = Family::default();
        registry.register(
            "set_max_unavailable",
            "How many pods of the set may be unavailable during a roll-out; a percentage is resolved",
            max_unavailable.clone(),
        );
        registry.register(
            "set_unavailable_replicas",
            "How many pods of the set are missing or unavailable",
            unavailable.clone(),
        );
        registry.register(
            "stale_passes",
            "Passes put off because a cache did not have the set's own last writes yet",
            stale_passes.clone(),
        );
        Self { registry: Arc::new(registry), max_unavailable, unavailable, stale_passes }
    }
}

impl Metrics {
    /// What a set may do without, and does.
    pub fn budget(&self, set: &Set, budget: Budget) {
        let labels = labels(&set.namespace, &set.name, set.parallel());
        self.max_unavailable.get_or_create(&labels).set(budget.max_unavailable.into());
        self.unavailable.get_or_create(&labels).set(budget.unavailable.into());
    }

    /// A set is gone, and its series with it.
    pub fn forget(&self, set: &Key) {
        for parallel in [false, true] {
            let labels = labels(&set.namespace, &set.name, parallel);
            self.max_unavailable.remove(&labels);
            self.unavailable.remove(&labels);
        }
    }

    /// A pass was put off because this cache lagged (S-8.6).
    pub fn stale_pass(&self, cache: Kind) {
        let (group, resource) = match cache {
            Kind::Set => ("apps.ordinal.dev", "ordinalsets"),
            Kind::Pod => ("", "pods"),
            Kind::Claim => ("", "persistentvolumeclaims"),
            Kind::Revision => ("apps", "controllerrevisions"),
            Kind::Service => ("", "services"),
        };
        self.stale_passes.get_or_create(&CacheLabels { group, resource }).inc();
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn labels(namespace: &str, name: &str, parallel: bool) -> SetLabels {
    let pod_management_policy = if parallel { "Parallel" } else { "OrderedReady" };
    SetLabels { namespace: namespace.into(), name: name.into(), pod_management_policy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_7_5_a_pass_put_off_is_counted_by_the_cache_that_lagged() {
        let metrics = Metrics::default();
        metrics.stale_pass(Kind::Pod);
        metrics.stale_pass(Kind::Pod);
        metrics.stale_pass(Kind::Revision);
        let text = metrics.text();
        for line in [
            r#"ordinal_stale_passes_total{group="",resource="pods"} 2"#,
            r#"ordinal_stale_passes_total{group="apps",resource="controllerrevisions"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
        }
    }
}
