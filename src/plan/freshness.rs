//! A pass sees its own earlier writes (S-8.6, N-3): what a set's last pass wrote is compared with how far the caches have
//! come, and the set waits until they have it. Nothing is polled: the awaited event itself wakes the set. It is not part of a
//! plan, and here only because the operator and the simulation both need it.

use crate::snapshot::Pod;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How far a cache has come.
#[derive(Debug, Default)]
pub struct Horizon {
    /// The highest resourceVersion of any object seen.
    seen: AtomicU64,
    /// The highest one in the list under way.
    listing: AtomicU64,
    /// How many lists have begun.
    begun: AtomicU64,
    /// How many had begun when the last complete one began.
    listed: AtomicU64,
}

impl Horizon {
    /// A list begins; it is a consistent read, so it brings everything written before now.
    pub fn list_begins(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// A list brought an object.
    pub fn lists(&self, resource_version: Option<&str>) {
        if let Some(version) = resource_version.and_then(|v| v.parse().ok()) {
            self.listing.fetch_max(version, Ordering::SeqCst);
        }
    }

    /// The list that began last is complete, and the cache has it.
    pub fn list_ends(&self) {
        self.seen.fetch_max(self.listing.load(Ordering::SeqCst), Ordering::SeqCst);
        self.listed.store(self.begun.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// An object was taken over. Call it after the cache has it.
    pub fn saw(&self, resource_version: Option<&str>) {
        if let Some(version) = resource_version.and_then(|v| v.parse().ok()) {
            self.seen.fetch_max(version, Ordering::SeqCst);
        }
    }

    /// Whether a first list is complete.
    pub fn is_synced(&self) -> bool {
        self.listed.load(Ordering::SeqCst) > 0
    }

    /// The mark of a write, to be taken when its answer is there.
    pub fn mark(&self, resource_version: &str) -> Mark {
        Mark { version: resource_version.parse().ok(), begun: self.begun.load(Ordering::SeqCst) }
    }

    /// Whether a write is in the cache: by its version, or by a list that began after it. Versions that are no numbers
    /// cannot be compared, and never block.
    pub fn has(&self, mark: &Mark) -> bool {
        let listed_since = self.listed.load(Ordering::SeqCst) > mark.begun;
        listed_since || mark.version.is_none_or(|version| self.seen.load(Ordering::SeqCst) >= version)
    }
}

/// When something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    version: Option<u64>,
    begun: u64,
}

/// A kind with a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Set,
    Pod,
    Claim,
    Revision,
    Service,
    Native,
}

/// Writes that the next pass must see.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// Creations and changes.
    pub marks: Vec<(Kind, Mark)>,
    /// Pods that were deleted: name and UID (O-5).
    pub deleted: Vec<(String, String)>,
}

impl Writes {
    /// The cache that does not have all of them yet, if there is one. `pod` looks a pod up there, by name.
    pub fn unseen<'h>(
        &self,
        horizon: impl Fn(Kind) -> &'h Horizon,
        pod: impl Fn(&str) -> Option<Arc<Pod>>,
    ) -> Option<Kind> {
        let there = |name: &str, uid: &str| pod(name).is_some_and(|pod| pod.uid == uid && !pod.is_terminating());
        let unseen = self.marks.iter().find(|(kind, mark)| !horizon(*kind).has(mark));
        let deleted = || self.deleted.iter().any(|(name, uid)| there(name, uid)).then_some(Kind::Pod);
        unseen.map(|(kind, _)| *kind).or_else(deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_8_6_a_write_is_there_when_its_version_is_seen() {
        let horizon = Horizon::default();
        horizon.list_begins();
        horizon.saw(Some("10"));
        horizon.list_ends();
        let mark = horizon.mark("12");
        assert!(!horizon.has(&mark));
        horizon.saw(Some("11"));
        assert!(!horizon.has(&mark));
        horizon.saw(Some("12"));
        assert!(horizon.has(&mark));
    }

    #[test]
    fn s_8_6_a_list_under_way_proves_nothing() {
        let horizon = Horizon::default();
        horizon.list_begins();
        horizon.list_ends();
        let mark = horizon.mark("12");
        horizon.list_begins();
        horizon.lists(Some("20"));
        assert!(!horizon.has(&mark), "the object of version 12 may come later in it");
        horizon.list_ends();
        assert!(horizon.has(&mark));
    }

    #[test]
    fn s_8_6_a_list_that_began_after_the_write_has_it_too() {
        let horizon = Horizon::default();
        horizon.list_begins();
        let during = horizon.mark("12");
        horizon.list_ends();
        assert!(!horizon.has(&during), "that list may have been read before the write");
        horizon.list_begins();
        horizon.list_ends();
        assert!(horizon.has(&during));
    }

    #[test]
    fn s_8_6_a_cache_is_synced_once_a_first_list_is_complete() {
        let horizon = Horizon::default();
        assert!(!horizon.is_synced());
        horizon.list_begins();
        assert!(!horizon.is_synced());
        horizon.list_ends();
        assert!(horizon.is_synced());
        horizon.list_begins();
        assert!(horizon.is_synced(), "what was there stays while another is under way");
    }

    #[test]
    fn s_8_6_a_lists_newest_object_is_seen_with_its_end() {
        let horizon = Horizon::default();
        let mark = horizon.mark("12");
        horizon.lists(Some("12"));
        assert!(!horizon.has(&mark));
        horizon.list_ends();
        assert!(horizon.has(&mark));
    }

    /// The cache that lacks a write, when the one of pods has seen version 12 and has this pod.
    fn unseen(writes: Writes, pod: Option<Pod>) -> Option<Kind> {
        let (pods, others) = (Horizon::default(), Horizon::default());
        pods.saw(Some("12"));
        let pod = pod.map(Arc::new);
        writes.unseen(|kind| if kind == Kind::Pod { &pods } else { &others }, |_| pod.clone())
    }

    #[test]
    fn s_8_6_the_cache_that_lacks_a_write_is_named() {
        let wrote = |kind, version| Writes { marks: vec![(kind, Horizon::default().mark(version))], deleted: vec![] };
        assert_eq!(unseen(Writes::default(), None), None);
        assert_eq!(unseen(wrote(Kind::Pod, "12"), None), None);
        assert_eq!(unseen(wrote(Kind::Pod, "13"), None), Some(Kind::Pod));
        assert_eq!(unseen(wrote(Kind::Claim, "12"), None), Some(Kind::Claim));
    }

    #[test]
    fn o_5_a_deletion_is_unseen_while_that_very_pod_is_there_and_not_going() {
        let pod = |uid: &str, going: bool| {
            let time = going.then_some("2026-01-01T00:00:00Z");
            let object = serde_json::json!({"metadata": {"name": "web-0", "uid": uid, "deletionTimestamp": time}});
            let pod: ordinal_api::lite::Pod = serde_json::from_value(object).expect("a pod");
            Some(Pod::from(pod))
        };
        let deleted = || Writes { marks: vec![], deleted: vec![("web-0".into(), "a".into())] };
        assert_eq!(unseen(deleted(), pod("a", false)), Some(Kind::Pod));
        assert_eq!(unseen(deleted(), pod("a", true)), None);
        assert_eq!(unseen(deleted(), pod("b", false)), None);
        assert_eq!(unseen(deleted(), None), None);
    }

    #[test]
    fn s_8_6_incomparable_versions_never_block() {
        let horizon = Horizon::default();
        assert!(horizon.has(&horizon.mark("")) && horizon.has(&horizon.mark("abc")));
    }
}
