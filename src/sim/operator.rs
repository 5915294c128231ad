//! The operator in the simulation: a cache per kind that follows the store's history at its own pace, the freshness gate, and
//! passes whose calls are made one at a time. Mirrors `src/operator/{collect,reconcile,book}.rs`.

use crate::{
    call::Answer,
    cluster::checked_plan,
    objects::{Kind, Objects},
    pass::Pass,
    store::Store,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use ordinal_plan::{
    Snapshot,
    freshness::{Horizon, Writes},
    gather::{self, Everything},
    snapshot::{Memory, Set},
};
use std::sync::Arc;

/// An operator for one set.
pub struct Operator {
    /// The name of the set.
    set: String,
    caches: [Cache; 5],
    notes: Notes,
    /// A pass under way.
    pass: Option<Pass>,
    /// When time alone makes it look again.
    pub look_again: Option<Timestamp>,
}

/// What is remembered between passes, about the set of this UID.
#[derive(Default)]
struct Notes {
    uid: String,
    memory: Memory,
    writes: Writes,
}

/// A cache of one kind.
struct Cache {
    objects: Objects,
    /// How much of the store's history it has followed.
    read: usize,
    /// The version of the change that it followed last.
    followed: u64,
    horizon: Horizon,
}

impl Cache {
    /// Takes the answer to a list, made after so many changes.
    fn list(&mut self, store: &Store, objects: Objects, changes: usize) {
        self.horizon.list_begins();
        objects.objects().for_each(|o| self.horizon.lists(Some(&o.version().to_string())));
        self.horizon.list_ends();
        self.followed = changes.checked_sub(1).map_or(0, |last| store.history[last].version);
        (self.objects, self.read) = (objects, changes);
    }
}

/// The objects of a kind after so many changes.
fn as_of(store: &Store, kind: Kind, changes: usize) -> Objects {
    if changes == store.history.len() {
        return store.of(kind).clone();
    }
    let mut objects = Objects::new(kind);
    store.history[..changes].iter().filter(|change| change.kind == kind).for_each(|change| objects.follow(change));
    objects
}

/// What came of an attempt to begin a pass.
#[derive(Debug, PartialEq)]
pub enum Begun {
    /// It is under way.
    Yes,
    /// The caches do not have the last pass's writes yet.
    Stale,
    /// There is no set, as far as the cache knows, or none that can be planned for.
    NoSet,
}

impl Operator {
    /// One that has just started, and listed everything.
    pub fn start(store: &Store, set: &str) -> Self {
        Self::start_as_of(store, set, store.history.len())
    }

    /// One that has just started, and listed everything as it was after so many changes: its API server lags.
    pub fn start_as_of(store: &Store, set: &str, changes: usize) -> Self {
        let caches = Store::KINDS.map(|kind| {
            let mut cache = Cache { objects: Objects::new(kind), read: 0, followed: 0, horizon: Horizon::default() };
            cache.list(store, as_of(store, kind, changes), changes);
            cache
        });
        Self { set: set.to_owned(), caches, notes: Notes::default(), pass: None, look_again: None }
    }

    /// The watch of a kind breaks, and all of it is listed again.
    pub fn relist(&mut self, store: &Store, kind: Kind) {
        self.caches[index(kind)].list(store, store.of(kind).clone(), store.history.len());
    }

    /// The same, and the answer is well-formed, empty and wrong.
    pub fn relist_in_vain(&mut self, store: &Store, kind: Kind) {
        self.caches[index(kind)].list(store, Objects::new(kind), store.history.len());
    }

    /// The cache of a kind follows one change of it; false when it has all.
    pub fn follow(&mut self, store: &Store, kind: Kind) -> bool {
        let cache = &mut self.caches[index(kind)];
        while let Some(change) = store.history.get(cache.read) {
            cache.read += 1;
            if change.kind == kind {
                cache.objects.follow(change);
                cache.followed = change.version;
                cache.horizon.saw(Some(&change.version.to_string()));
                return true;
            }
        }
        false
    }

    /// Whether something happened that its caches have not followed.
    pub fn is_behind(&self, store: &Store) -> bool {
        self.caches.iter().any(|cache| cache.read < store.history.len())
    }

    /// All caches follow all changes.
    pub fn catch_up(&mut self, store: &Store) {
        for kind in Store::KINDS {
            while self.follow(store, kind) {}
        }
    }

    /// What its caches hold now, in the order of [`Store::KINDS`].
    pub fn caches(&self) -> [Objects; 5] {
        self.caches.each_ref().map(|cache| cache.objects.clone())
    }

    /// Whether its cache of a kind has followed all changes up to a version.
    pub fn has_seen(&self, kind: Kind, version: u64) -> bool {
        self.caches[index(kind)].followed >= version
    }

    /// UID of the set of the last pass.
    pub fn planned_for(&self) -> Option<String> {
        (!self.notes.uid.is_empty()).then(|| self.notes.uid.clone())
    }

    /// Whether a pass is under way.
    pub fn is_busy(&self) -> bool {
        self.pass.is_some()
    }

    /// The pass under way.
    pub fn pass(&self) -> Option<&Pass> {
        self.pass.as_ref()
    }

    /// Begins a pass over what the caches show, if they have the last one's writes (S-8.6).
    pub fn begin(&mut self, now: Timestamp) -> Begun {
        let cached = self.caches[index(Kind::Set)].objects.object(&self.set).map(|o| o.as_set());
        let Some(Ok(set)) = cached else { return Begun::NoSet };
        if self.notes.uid != set.uid {
            self.notes = Notes { uid: set.uid.clone(), ..Notes::default() };
        }
        let pod = |name: &str| self.caches[index(Kind::Pod)].objects.object(name).and_then(|o| o.as_pod());
        if self.notes.writes.unseen(|kind| &self.caches[index(kind)].horizon, pod).is_some() {
            return Begun::Stale;
        }
        self.notes.writes = Writes::default();
        let [_, pods, claims, revisions, services] = self.caches.each_ref().map(|c| &c.objects);
        let snapshot = collect(set.clone(), [pods, claims, revisions, services], now, self.notes.memory.clone());
        let plan = checked_plan(&snapshot);
        self.look_again = plan.requeue_after.and_then(|after| now.checked_add(after).ok());
        self.pass = Some(Pass::new(set, Arc::new(plan)));
        self.end_if_over(now);
        Begun::Yes
    }

    /// Takes the answer to a call of the pass.
    pub fn answered(&mut self, which: usize, answer: &Answer, now: Timestamp) {
        let Some(pass) = &mut self.pass else { return };
        pass.answered(which, answer, now);
        for (kind, version) in pass.report.written.drain(..) {
            self.notes.writes.marks.push((kind, self.caches[index(kind)].horizon.mark(&version)));
        }
        self.notes.writes.deleted.append(&mut pass.report.deleted);
        self.end_if_over(now);
    }

    fn end_if_over(&mut self, now: Timestamp) {
        if let Some(pass) = self.pass.take_if(|pass| pass.is_over()) {
            let after = pass.memory(&self.notes.memory);
            let before = std::mem::replace(&mut self.notes.memory, after);
            // The next plan may say something else because of it; and what failed is tried again, after its pause.
            let report = &pass.report;
            if !report.failures.is_empty() || report.other_than_seen || self.notes.memory != before {
                let soon = now.checked_add(SignedDuration::from_secs(1)).ok();
                self.look_again = [self.look_again, soon].into_iter().flatten().min();
            }
        }
    }
}

fn index(kind: Kind) -> usize {
    kind as usize
}

/// What a plan for a set is made from, out of pods, claims, revisions and Services.
pub fn collect(
    set: Arc<Set>,
    [pods, claims, revisions, services]: [&Objects; 4],
    now: Timestamp,
    memory: Memory,
) -> Snapshot {
    let all = Everything {
        pods: pods.objects().filter_map(|o| o.as_pod()).collect(),
        claims: claims.objects().filter_map(|o| o.as_claim()).collect(),
        revisions: revisions.objects().filter_map(|o| o.as_revision()).collect(),
        services: services.objects().filter_map(|o| o.as_service()).collect(),
        natives: None,
    };
    gather::snapshot(set, all, now, memory)
}
