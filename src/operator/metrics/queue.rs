//! The queue of sets, seen from outside: kube's own tells nothing. Names and meanings are those of controller-runtime.

use super::durations;
use crate::cache::Key;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Sets that wait for a pass, and since when.
pub struct Queue {
    waiting: Mutex<HashMap<Key, Instant>>,
    depth: Gauge,
    adds: Counter,
    retries: Counter,
    wait: Histogram,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Name {
    name: &'static str,
}

const NAME: Name = Name { name: "ordinalset" };

impl Queue {
    /// An empty one.
    pub fn new(registry: &mut Registry) -> Self {
        let (depths, adds, retries) = (Family::default(), Family::default(), Family::default());
        let waits: Family<Name, Histogram> = Family::new_with_constructor(durations);
        let new = Self {
            waiting: Mutex::default(),
            depth: depths.get_or_create_owned(&NAME),
            adds: adds.get_or_create_owned(&NAME),
            retries: retries.get_or_create_owned(&NAME),
            wait: waits.get_or_create_owned(&NAME),
        };
        registry.register("workqueue_depth", "Sets that wait for a pass", depths);
        registry.register("workqueue_adds", "How often a set came into the queue", adds);
        registry.register("workqueue_retries", "Passes that are to be tried again", retries);
        registry.register("workqueue_queue_duration_seconds", "How long sets wait for a pass", waits);
        new
    }

    /// A set is woken.
    pub fn add(&self, set: &Key) {
        let mut waiting = self.lock();
        if !waiting.contains_key(set) {
            waiting.insert(set.clone(), Instant::now());
            self.adds.inc();
        }
        self.tell(&waiting);
    }

    /// A pass over a set begins. One that was not woken comes by a timer, and has not waited.
    pub fn take(&self, set: &Key) {
        let mut waiting = self.lock();
        match waiting.remove(set) {
            Some(since) => self.wait.observe(since.elapsed().as_secs_f64()),
            None => {
                self.adds.inc();
            }
        }
        self.tell(&waiting);
    }

    /// A pass is to be tried again.
    pub fn retry(&self) {
        self.retries.inc();
    }

    /// A set is gone.
    pub fn forget(&self, set: &Key) {
        let mut waiting = self.lock();
        waiting.remove(set);
        self.tell(&waiting);
    }

    fn tell(&self, waiting: &HashMap<Key, Instant>) {
        self.depth.set(waiting.len().try_into().unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn a_set_woken_twice_waits_once() {
        let mut registry = Registry::default();
        let queue = Queue::new(&mut registry);
        let key = |name: &str| Key { namespace: "ns".into(), name: name.into() };
        queue.add(&key("web"));
        queue.add(&key("web"));
        queue.add(&key("db"));
        queue.take(&key("db"));
        let mut text = String::new();
        encode(&mut text, &registry).expect("strings take all");
        for line in [
            r#"workqueue_depth{name="ordinalset"} 1"#,
            r#"workqueue_adds_total{name="ordinalset"} 2"#,
            r#"workqueue_queue_duration_seconds_count{name="ordinalset"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
        }
    }
}
