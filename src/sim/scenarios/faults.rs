//! Passes some of whose writes the API server fails.

use crate::cluster::Cluster;
use ordinal_plan::{
    Plan,
    action::{Action, Pace, Stage, StageKind},
    check, plan,
    scale::Batch,
};

/// A pass in which the API server fails the writes that `fails` picks. What is due in spite of them is carried out: the
/// rest of a batch, history and status.
pub(crate) fn pass_failing(cluster: &mut Cluster, fails: impl Fn(&Action) -> bool) -> Plan {
    let snapshot = cluster.snapshot();
    let whole = plan(&snapshot);
    assert_eq!(check::check(&snapshot, &whole), []);
    let mut done = whole.clone();
    let mut failed = false;
    done.stages.retain_mut(|stage| {
        let due = !failed || stage.kind == StageKind::History;
        failed |= due && cut(stage, &fails);
        due
    });
    cluster.execute(&done);
    whole
}

/// Leaves of a stage what comes before a failure or beside it in its batch; true when there was one.
fn cut(stage: &mut Stage, fails: impl Fn(&Action) -> bool) -> bool {
    let Some(first) = stage.steps.iter().position(|step| step.0.iter().any(&fails)) else { return false };
    let mut end = first + 1;
    if stage.pace == Pace::SlowStart {
        let mut batch = Batch::default();
        end = 0;
        while end <= first {
            end += batch.grow();
        }
    }
    stage.steps.truncate(end);
    for step in &mut stage.steps {
        let before = step.0.iter().position(&fails).unwrap_or(step.0.len());
        step.0.truncate(before);
    }
    true
}
