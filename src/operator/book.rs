//! What is remembered of each set between two passes. Losing it costs time, nothing else (N-13).

use crate::{cache::Key, collect::Caches};
use ordinal_plan::{
    freshness::{Horizon, Kind, Mark, Writes},
    snapshot::Memory,
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The notes of all sets.
#[derive(Default)]
pub struct Book(Mutex<HashMap<Key, Notes>>);

/// The notes of one set.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// UID of the set they are about: a namesake starts afresh.
    pub uid: String,
    /// What the planner remembers.
    pub memory: Memory,
    /// What the last passes wrote that the caches may not have yet.
    pub writes: Writes,
    /// How many passes in a row have failed.
    pub failed: u32,
    /// When the status was last written.
    pub status_written: Option<Instant>,
}

impl Caches {
    /// The mark of a write of `kind`.
    pub fn mark(&self, kind: Kind, resource_version: &str) -> (Kind, Mark) {
        (kind, self.horizon(kind).mark(resource_version))
    }

    /// The cache that does not have all of a set's writes yet, if there is one.
    pub fn lagging(&self, namespace: &str, writes: &Writes) -> Option<Kind> {
        let pod = |name: &str| self.pods.get(&Key { namespace: namespace.to_owned(), name: name.to_owned() });
        writes.unseen(|kind| self.horizon(kind), pod)
    }

    fn horizon(&self, kind: Kind) -> &Horizon {
        match kind {
            Kind::Set => &self.sets.horizon,
            Kind::Pod => &self.pods.horizon,
            Kind::Claim => &self.claims.horizon,
            Kind::Revision => &self.revisions.horizon,
            Kind::Service => &self.services.horizon,
            Kind::Native => &self.natives.horizon,
        }
    }
}

impl Book {
    /// The notes of a set; empty ones for a set not known, or a namesake of one that is gone.
    pub fn read(&self, key: &Key, uid: &str) -> Notes {
        let known = self.lock().get(key).filter(|notes| notes.uid == uid).cloned();
        known.unwrap_or_else(|| Notes { uid: uid.to_owned(), ..Notes::default() })
    }

    /// Replaces the notes of a set.
    pub fn write(&self, key: Key, notes: Notes) {
        self.lock().insert(key, notes);
    }

    /// Forgets a set that is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// How long a set that has just failed waits, and counts the failure.
    pub fn failed(&self, key: &Key) -> Duration {
        let mut book = self.lock();
        let notes = book.entry(key.clone()).or_default();
        notes.failed = notes.failed.saturating_add(1);
        pause(notes.failed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Notes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 5 ms, doubling, as natively (S-8.8); but at most 30 s, not 1000: what lets a set go on, a quota raised, an API server
/// that is back, often wakes nobody.
fn pause(failed: u32) -> Duration {
    let doublings = failed.saturating_sub(1).min(20);
    Duration::from_millis(5 << doublings).min(Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_8_8_pauses_grow_from_5_ms_to_30_s() {
        assert_eq!(pause(1), Duration::from_millis(5));
        assert_eq!(pause(2), Duration::from_millis(10));
        assert_eq!(pause(13), Duration::from_millis(20_480));
        assert_eq!(pause(14), Duration::from_secs(30));
        assert_eq!(pause(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn notes_of_a_namesake_are_not_taken_over() {
        let (book, key) = (Book::default(), Key { namespace: "ns".into(), name: "web".into() });
        let notes = Notes { uid: "old".into(), failed: 3, ..Notes::default() };
        book.write(key.clone(), notes);
        assert_eq!(book.read(&key, "old").failed, 3);
        assert_eq!(book.read(&key, "new").failed, 0);
    }
}
