//! Gathers what a plan is made from, out of the caches alone: no call is made (O-14).

use crate::{
    cache::{Cache, Group, Key},
    sets::Sets,
};
use k8s_openapi::jiff::Timestamp;
use ordinal_plan::{
    Snapshot,
    freshness::Kind,
    native::{Native, StatefulSet},
    snapshot::{Claim, Memory, Pod, Revision, Service, Set},
};
use std::sync::Arc;

/// All caches.
pub struct Caches {
    /// Pods of the whole cluster.
    pub pods: Arc<Cache<Pod>>,
    /// Claims of the whole cluster.
    pub claims: Arc<Cache<Claim>>,
    /// ControllerRevisions of the whole cluster.
    pub revisions: Arc<Cache<Revision>>,
    /// Services of the whole cluster.
    pub services: Arc<Cache<Service>>,
    /// StatefulSets of the whole cluster, where the operator may see them.
    pub natives: Arc<Cache<StatefulSet>>,
    /// Whether it may.
    pub adoption: bool,
    /// OrdinalSets of the whole cluster.
    pub sets: Arc<Sets>,
}

impl Caches {
    /// The kinds whose first list is not complete yet.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("OrdinalSet", &self.sets.horizon),
            ("Pod", &self.pods.horizon),
            ("PersistentVolumeClaim", &self.claims.horizon),
            ("ControllerRevision", &self.revisions.horizon),
            ("Service", &self.services.horizon),
        ];
        let natives = self.adoption.then_some(("StatefulSet", &self.natives.horizon));
        all.into_iter().chain(natives).filter(|(_, horizon)| !horizon.is_synced()).map(|(kind, _)| kind).collect()
    }

    /// How many objects of each kind there are.
    pub fn sizes(&self) -> Vec<(Kind, usize)> {
        let natives = self.adoption.then_some((Kind::Native, self.natives.len()));
        let all = [
            (Kind::Set, self.sets.store.len()),
            (Kind::Pod, self.pods.len()),
            (Kind::Claim, self.claims.len()),
            (Kind::Revision, self.revisions.len()),
            (Kind::Service, self.services.len()),
        ];
        all.into_iter().chain(natives).collect()
    }

    /// What there is for one set, now.
    pub fn snapshot(&self, set: &Arc<Set>, memory: Memory) -> Snapshot {
        let key = |name: &str| Key { namespace: set.namespace.clone(), name: name.to_owned() };
        let own = Group::Owner(key(&set.uid));
        let named = Group::Family(key(&set.name));
        let orphans = Group::Orphans(set.namespace.clone());
        let families = set.claim_templates().map(|(t, _)| Group::Family(key(&format!("{t}-{}", set.name))));
        Snapshot {
            now: Timestamp::now(),
            pods: self.pods.union(&[own.clone(), named.clone()]),
            claims: self.claims.union(&families.collect::<Vec<_>>()),
            revisions: self.revisions.union(&[own, named, orphans]),
            service: self.services.get(&key(&set.spec.service_name)),
            native: match self.adoption {
                true => self.natives.get(&key(&set.name)).map_or(Native::Absent, Native::There),
                false => Native::Unwatched,
            },
            set: set.clone(),
            memory,
        }
    }
}
