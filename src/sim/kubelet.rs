//! What scheduler and nodes do to pods, one step at a time, in an order that a seed decides.

use crate::{
    call::{Call, Deletion, Part, Style},
    collector,
    objects::Kind,
    store::Store,
};
use serde_json::{Value, json};

/// A small generator of random numbers (SplitMix64), so that a printed seed replays a run on any version of anything.
pub struct Dice(u64);

impl Dice {
    /// The same seed gives the same throws.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % (sides.max(1) as u64)).unwrap_or(0)
    }

    /// One of several.
    pub fn pick<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        all.get(self.throw(all.len()))
    }

    /// One of several that there are.
    pub fn of<T: Clone, const N: usize>(&mut self, all: [T; N]) -> T {
        all[self.throw(N)].clone()
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.throw(times) == 0
    }
}

/// Moves one pod one step on: Pending, Running, ready; terminating, gone. False when no pod has anywhere to go.
pub fn step(store: &mut Store, dice: &mut Dice) -> bool {
    let movable = movable(store);
    let Some(name) = dice.pick(&movable) else { return false };
    advance(store, name);
    true
}

/// Moves every pod as far as it goes, and what hangs on those that go.
pub fn settle(store: &mut Store) {
    loop {
        let movable = movable(store);
        if movable.is_empty() {
            return;
        }
        for pod in movable {
            while store.pods.get(&pod).is_some_and(can_move) {
                advance(store, &pod);
            }
        }
        collector::settle(store);
    }
}

/// The pods whose next step is up to their node. One whose claims are not there, or are going, is scheduled nowhere.
fn movable(store: &Store) -> Vec<String> {
    let claim = |volume: &Value| volume["persistentVolumeClaim"]["claimName"].as_str().map(str::to_owned);
    let has_claims = |pod: &Value| {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        volumes.filter_map(claim).all(|name| store.claims.object(&name).is_some_and(|claim| !claim.is_deleting()))
    };
    let is_new = |pod: &Value| pod["status"]["phase"] == "Pending" && pod["spec"]["nodeName"].is_null();
    let pods = store.pods.iter().filter(|(_, pod)| can_move(pod));
    pods.filter(|(_, pod)| is_terminating(pod) || !is_new(pod) || has_claims(pod)).map(|(n, _)| n.clone()).collect()
}

/// Ends a pod in this phase.
pub fn end(store: &mut Store, name: &str, phase: &str) {
    report(store, name, json!({"phase": phase, "conditions": null}));
}

/// Makes a running pod unready.
pub fn sicken(store: &mut Store, name: &str) {
    report(store, name, json!({"phase": "Running", "conditions": [ready(store, "False")]}));
    if let Some(pod) = store.pods.get_mut(name) {
        pod["sick"] = true.into();
    }
}

/// The condition Ready, changed now.
fn ready(store: &Store, status: &str) -> Value {
    json!({"type": "Ready", "status": status, "lastTransitionTime": store.now})
}

/// A node's report of a pod.
pub fn report(store: &mut Store, name: &str, status: Value) {
    let (kind, name, patch) = (Kind::Pod, name.to_owned(), json!({"status": status}));
    // A pod that is gone has nothing to be said of it.
    let _ = store.apply(&Call::Patch { kind, name, patch, style: Style::Merge, part: Part::Status });
}

fn is_terminating(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether the node has let it go, and only finalizers hold it.
fn is_let_go(pod: &Value) -> bool {
    pod["metadata"]["deletionGracePeriodSeconds"] == 0
}

/// Whether the next step of a pod's life is up to its node. Nodes here have no labels: who asks for one waits.
pub fn can_move(pod: &Value) -> bool {
    let broken = pod["sick"] == true || pod["metadata"]["annotations"]["sim"] == "broken";
    let ready = pod["status"]["phase"] == "Running" && pod["status"]["conditions"][0]["status"] == "True";
    let ended = pod["status"]["phase"] == "Failed" || pod["status"]["phase"] == "Succeeded";
    let picky = pod["spec"]["nodeSelector"].as_object().is_some_and(|labels| !labels.is_empty());
    let stuck = broken && pod["status"]["phase"] == "Running" || picky && pod["status"]["phase"] == "Pending";
    if is_terminating(pod) { !is_let_go(pod) } else { !(ready || ended || stuck) }
}

/// The next step of a pod's life.
pub fn advance(store: &mut Store, name: &str) {
    let Some(pod) = store.pods.get(name) else { return };
    if is_terminating(pod) {
        let how = Deletion { grace: Some(0), ..Deletion::default() };
        let _ = store.apply(&Call::Delete { kind: Kind::Pod, name: name.to_owned(), how });
        collector::settle(store);
    } else if pod["status"]["phase"] == "Pending" {
        let _ = store.apply(&Call::Bind { pod: name.to_owned(), node: "node".into() });
        report(store, name, json!({"phase": "Running"}));
    } else {
        let conditions = json!([ready(store, "True")]);
        report(store, name, json!({"phase": "Running", "conditions": conditions}));
    }
}
