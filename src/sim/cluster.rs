//! One set in a cluster of its own, and an operator whose caches are always up to date: for stories and traces.

pub use crate::objects::Objects;
use crate::{
    call::{Call, Deletion},
    collector,
    objects::{Kind, Object},
    operator::collect,
    pass::Pass,
    store::Store,
};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::{Plan, Snapshot, check, plan, snapshot::Memory};
use serde_json::{Value, json};
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A store with one set named `web`. The rest of its objects are reached as if they were its own: `cluster.pods`.
pub struct Cluster {
    /// The set; what a test changes in it is stored by the next pass.
    pub set: Value,
    /// What the operator remembers; a crash empties it.
    pub memory: Memory,
    store: Store,
}

impl Deref for Cluster {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl DerefMut for Cluster {
    fn deref_mut(&mut self) -> &mut Store {
        &mut self.store
    }
}

impl Cluster {
    /// A cluster with a set of this spec, named `web`, and nothing else.
    pub fn new(spec: Value) -> Self {
        let mut store = Store::default();
        let set = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet",
            "metadata": {"name": "web", "namespace": "ns", "uid": "set", "generation": 1},
            "spec": spec,
        });
        let set = store.plant(Kind::Set, set).value().clone();
        Self { set, memory: Memory::default(), store }
    }

    /// Changes the set as a user would; a changed spec is a new generation.
    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let before = self.set["spec"].clone();
        change(&mut self.set);
        if self.set["spec"] != before {
            let generation = self.set["metadata"]["generation"].as_i64().unwrap_or(0);
            self.set["metadata"]["generation"] = (generation + 1).into();
        }
        let meta = &mut self.set["metadata"];
        if !meta["deletionTimestamp"].is_null() && meta["finalizers"].is_null() {
            // Without one it would be gone.
            meta["finalizers"] = json!(["test.ordinal.dev/held"]);
        }
        self.store_set();
    }

    /// What the caches would show, all of them up to date.
    pub fn snapshot(&self) -> Snapshot {
        let set = Object::new(Kind::Set, self.set.clone()).as_set().expect("a set that can be planned for");
        let Store { now, pods, claims, revisions, services, .. } = &self.store;
        collect(set, [pods, claims, revisions, services], *now, self.memory.clone())
    }

    /// One pass: plan, check, carry out, write the status.
    ///
    /// # Panics
    /// When the plan breaks an invariant, or is another one for the same snapshot.
    pub fn pass(&mut self) -> Plan {
        let made = checked_plan(&self.snapshot());
        self.execute(&made);
        made
    }

    /// Carries a plan out as the executor does, with nothing in between.
    pub fn execute(&mut self, plan: &Plan) {
        self.store_set();
        let mut pass = Pass::new(self.snapshot().set, Arc::new(plan.clone()));
        while let Some((which, call)) = pass.next_call() {
            let answer = self.store.apply(&call);
            pass.answered(which, &answer, self.store.now);
        }
        self.memory = pass.memory(&self.memory);
        self.set = self.store.sets["web"].clone();
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).expect("a time");
    }

    /// A user or the node deletes a pod: gracefully where it runs, at once where it does not (S-9.8).
    pub fn delete_pod(&mut self, name: &str) {
        let _ = self.apply(&Call::Delete { kind: Kind::Pod, name: name.to_owned(), how: Deletion::default() });
    }

    /// What the garbage collector does: objects whose owners are all gone go. Claims in use stay (PVC protection).
    pub fn collect_garbage(&mut self) {
        collector::settle(&mut self.store);
    }

    fn store_set(&mut self) {
        if self.store.sets["web"] != self.set {
            self.set = self.store.plant(Kind::Set, self.set.clone()).value().clone();
        }
    }
}

/// A plan for a snapshot.
///
/// # Panics
/// When it breaks an invariant, or is another one for the same snapshot.
pub fn checked_plan(snapshot: &Snapshot) -> Plan {
    let made = judged_plan(snapshot);
    assert_eq!(made, plan(&as_cached(snapshot)), "the same snapshot gave two plans");
    made
}

/// The same snapshot, its pods and claims sharing what those of the operator's caches share.
pub fn as_cached(snapshot: &Snapshot) -> Snapshot {
    let mut shared = snapshot.clone();
    if let Some((first, rest)) = shared.pods.split_first_mut() {
        rest.iter_mut().for_each(|pod| Arc::make_mut(pod).share(first));
    }
    if let Some((first, rest)) = shared.claims.split_first_mut() {
        rest.iter_mut().for_each(|claim| Arc::make_mut(claim).share(first));
    }
    shared
}

/// A plan for a snapshot, made once.
///
/// # Panics
/// When it breaks an invariant.
pub fn judged_plan(snapshot: &Snapshot) -> Plan {
    let made = plan(snapshot);
    let violations = check::check(snapshot, &made);
    assert!(violations.is_empty(), "{violations:#?}\nbroken by\n{made}\nfrom {snapshot:#?}");
    made
}
