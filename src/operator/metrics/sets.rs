//! What is told of each set: read from its last pass when Prometheus asks, so that no series outlives what it tells of.

use crate::cache::Key;
use ordinal_api::{Condition, OrdinalSetStatus};
use ordinal_plan::{action::Budget, snapshot::Set};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The last pass's figures of each set.
#[derive(Debug, Default)]
pub struct Figures(Mutex<BTreeMap<Key, Figure>>);

#[derive(Debug)]
struct Figure {
    policy: &'static str,
    desired: i32,
    ready: i32,
    updated: i32,
    available: i32,
    budget: Budget,
    /// Unix time; absent when the set is at its goal.
    rollout_since: Option<i64>,
    /// Absent when nobody knows, or there is no Service to judge.
    service_ready: Option<bool>,
    blocked: BTreeMap<String, i64>,
}

impl Figures {
    /// What a pass found.
    pub fn put(&self, set: &Set, status: &OrdinalSetStatus, budget: Budget) {
        let condition = |type_: &str| status.conditions.iter().find(|c| c.type_ == type_);
        let mut blocked = BTreeMap::new();
        for pod in &status.blocked_pods {
            *blocked.entry(pod.reason.clone()).or_default() += 1;
        }
        // One that is stalled is not there either (O-10).
        let rollout = ["Reconciling", "Stalled"].into_iter().filter_map(condition).find(|c| c.status == "True");
        let figure = Figure {
            policy: if set.parallel() { "Parallel" } else { "OrderedReady" },
            desired: set.replicas(),
            ready: status.ready_replicas,
            updated: status.updated_replicas,
            available: status.available_replicas,
            budget,
            rollout_since: rollout.and_then(|c| c.last_transition_time.as_ref()).map(|t| t.0.as_second()),
            service_ready: condition("ServiceReady").and_then(truth),
            blocked,
        };
        self.lock().insert(Key { namespace: set.namespace.clone(), name: set.name.clone() }, figure);
    }

    /// A set is gone.
    pub fn remove(&self, set: &Key) {
        self.lock().remove(set);
    }

    /// Only these sets are there.
    pub fn retain(&self, there: impl Fn(&Key) -> bool) {
        self.lock().retain(|set, _| there(set));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Figure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn truth(condition: &Condition) -> Option<bool> {
    match condition.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// A gauge of every set: its name, its help, and its value where it has one.
type SetGauge = (&'static str, &'static str, fn(&Figure) -> Option<i64>);

const GAUGES: [SetGauge; 8] = [
    ("set_desired_replicas", "How many pods the set should have", |f| Some(f.desired.into())),
    ("set_ready_replicas", "How many pods of the set are ready", |f| Some(f.ready.into())),
    ("set_updated_replicas", "How many pods of the set are at its update revision", |f| Some(f.updated.into())),
    ("set_available_replicas", "How many pods of the set are available", |f| Some(f.available.into())),
    (
        "set_max_unavailable",
        "How many pods of the set may be unavailable during a roll-out; a percentage is resolved",
        |f| Some(f.budget.max_unavailable.into()),
    ),
    ("set_unavailable_replicas", "How many pods of the set are missing or unavailable", |f| {
        Some(f.budget.unavailable.into())
    }),
    (
        "set_rollout_start_time_seconds",
        "Since when the set is on its way to its goal, in Unix time; absent when it is there",
        |f| f.rollout_since,
    ),
    (
        "set_service_ready",
        "Whether the set's governing Service is as it must be; absent where none is asked for",
        |f| f.service_ready.map(i64::from),
    ),
];

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sets = self.lock();
        for (name, help, value) in GAUGES {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (set, figure) in &*sets {
                if let Some(value) = value(figure) {
                    metric.encode_family(&labels(set, figure))?.encode_gauge(&value)?;
                }
            }
        }
        let help = "How many pods of the set something keeps from running; ten of a set are counted";
        let mut metric = encoder.encode_descriptor("set_blocked_pods", help, None, MetricType::Gauge)?;
        for (set, figure) in &*sets {
            let [namespace, name, policy] = labels(set, figure);
            for (reason, pods) in &figure.blocked {
                metric.encode_family(&[namespace, name, policy, ("reason", reason)])?.encode_gauge(pods)?;
            }
        }
        Ok(())
    }
}

fn labels<'a>(set: &'a Key, figure: &Figure) -> [(&'static str, &'a str); 3] {
    [("namespace", &set.namespace), ("name", &set.name), ("pod_management_policy", figure.policy)]
}
