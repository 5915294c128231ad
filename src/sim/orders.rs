//! Events in an order that a seed decides: pods, time, the collector, passes, crashes amid a pass, until nothing moves.

use crate::{
    cluster::Cluster,
    kubelet::{self, Dice},
};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::{plan, snapshot::Memory};

/// Events after which a run that goes on is told to be endless.
const ENDLESS: usize = 5_000;

/// Lets things happen until nothing moves, or `over` says so, which is asked after every event. True when it said so.
///
/// # Panics
/// When an invariant breaks, or it does not come to rest; `at` says where that was.
pub fn wander(cluster: &mut Cluster, dice: &mut Dice, at: &str, over: impl Fn(&Cluster) -> bool) -> bool {
    for _ in 0..ENDLESS {
        if over(cluster) {
            return true;
        }
        match dice.throw(40) {
            0 => crash(cluster, dice),
            1 | 2 => cluster.wait(SignedDuration::from_secs(1)),
            3 | 4 => cluster.collect_garbage(),
            5..16 => drop(cluster.pass()),
            _ if kubelet::step(cluster, dice) => {}
            _ => {
                let before = cluster.set["status"].clone();
                let plan = cluster.pass();
                let quiet = plan.actions().next().is_none() && cluster.set["status"] == before;
                match plan.requeue_after {
                    Some(after) if quiet => cluster.wait(after.max(SignedDuration::from_secs(1))),
                    None if quiet => return false,
                    _ => {}
                }
            }
        }
    }
    let pods: Vec<_> = cluster.pods.keys().collect();
    panic!("{at}: endless, with pods {pods:?} and status {:#}", cluster.set["status"]);
}

/// The operator carries out some of a pass, in order, and dies: the status is not written, and what it knew is lost.
fn crash(cluster: &mut Cluster, dice: &mut Dice) {
    let mut plan = plan(&cluster.snapshot());
    let mut left = dice.throw(plan.actions().count() + 1);
    for step in plan.stages.iter_mut().flat_map(|stage| &mut stage.steps) {
        step.0.truncate(left);
        left -= step.0.len();
    }
    let status = cluster.set["status"].clone();
    cluster.execute(&plan);
    cluster.set["status"] = status;
    cluster.memory = Memory::default();
}
