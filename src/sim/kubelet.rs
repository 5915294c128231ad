//! What nodes do to pods, one step at a time, in an order that a seed decides.

use crate::cluster::Cluster;
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
}

/// Moves one pod one step on: Pending, Running, ready; terminating, gone. False when no pod has anywhere to go.
pub fn step(cluster: &mut Cluster, dice: &mut Dice) -> bool {
    let movable: Vec<String> = cluster.pods.iter().filter(|(_, pod)| can_move(pod)).map(|(n, _)| n.clone()).collect();
    let Some(name) = movable.get(dice.throw(movable.len())) else { return false };
    advance(cluster, name);
    true
}

/// Moves every pod as far as it goes.
pub fn settle(cluster: &mut Cluster) {
    let mut dice = Dice::new(0);
    while step(cluster, &mut dice) {}
}

/// Ends a pod in this phase.
pub fn end(cluster: &mut Cluster, name: &str, phase: &str) {
    if let Some(pod) = cluster.pods.get_mut(name) {
        pod["status"] = json!({"phase": phase});
    }
}

/// Makes a running pod unready.
pub fn sicken(cluster: &mut Cluster, name: &str) {
    let now = cluster.now;
    if let Some(pod) = cluster.pods.get_mut(name) {
        pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": now}]});
        pod["sick"] = true.into();
    }
}

fn is_terminating(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

fn can_move(pod: &Value) -> bool {
    let broken = pod["sick"] == true || pod["metadata"]["annotations"]["sim"] == "broken";
    let ready = pod["status"]["conditions"][0]["status"] == "True";
    let ended = pod["status"]["phase"] == "Failed" || pod["status"]["phase"] == "Succeeded";
    let stuck = broken && pod["status"]["phase"] == "Running";
    is_terminating(pod) || !(ready || ended || stuck)
}

fn advance(cluster: &mut Cluster, name: &str) {
    let now = cluster.now;
    let Some(pod) = cluster.pods.get_mut(name) else { return };
    if is_terminating(pod) {
        cluster.pods.remove(name);
        cluster.collect_garbage();
    } else if pod["status"]["phase"] == "Pending" {
        pod["status"] = json!({"phase": "Running"});
    } else {
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "lastTransitionTime": now}]);
    }
}
