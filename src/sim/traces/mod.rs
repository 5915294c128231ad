//! The worked traces B-1 … B-23 of the native specification, as Ordinal's own rules (O-x) leave them. B-21 is the trace of
//! Recreate, a strategy that does not exist here.

mod claims;
mod pods;
mod rollout;
mod scaling;

pub(crate) use pods::delete_with_orphans_and_make_again;

use crate::{cluster::Cluster, kubelet};
use serde_json::Value;

/// Passes and nodes in turn, until nothing moves.
pub(crate) fn settle(cluster: &mut Cluster) {
    for _ in 0..500 {
        let plan = cluster.pass();
        kubelet::settle(cluster);
        cluster.collect_garbage();
        if plan.actions().next().is_none() && cluster.snapshot().set.status == plan.status && cluster.pass() == plan {
            return;
        }
    }
    panic!("it does not come to rest: {}", cluster.pass());
}

/// A cluster whose set has all that its spec asks for.
pub(crate) fn settled(spec: Value) -> Cluster {
    let mut cluster = Cluster::new(spec);
    settle(&mut cluster);
    cluster
}
