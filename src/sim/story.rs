//! Roll-outs and scalings as texts that a person can read: one line per pass, what is there, what is done, what is waited
//! for. Compared with the files in `golden/`; `UPDATE_GOLDEN=1` writes them anew.

use crate::{cluster::Cluster, kubelet};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::{Plan, action::Action};
use serde_json::Value;
use std::fmt::Write;

/// Passes after which a story that goes on is told to be endless.
const ENDLESS: usize = 200;

/// A story as it is told.
#[derive(Default)]
pub struct Story(String);

impl Story {
    /// A heading: what somebody does.
    pub fn chapter(&mut self, heading: &str) {
        let _ = writeln!(self.0, "\n# {heading}");
    }

    /// Passes, with the nodes following each, until nothing moves.
    ///
    /// # Panics
    /// When it does not come to rest, or still acts when it has.
    pub fn until_quiet(&mut self, cluster: &mut Cluster) {
        for _ in 0..ENDLESS {
            let before = shown(cluster);
            let plan = cluster.pass();
            let acts: Vec<String> = plan.actions().map(told).collect();
            let done = if acts.is_empty() { "-".to_owned() } else { acts.join("; ") };
            let wait = plan.wait.as_ref().map(|w| format!(" ({w})")).unwrap_or_default();
            let _ = writeln!(self.0, "{before:<44} | {done}{wait}");
            let moved = follow(cluster, &plan);
            if acts.is_empty() && !moved {
                let _ = writeln!(self.0, "= {}", counted(cluster));
                return;
            }
        }
        panic!("endless:\n{}", self.0);
    }

    /// Compares with `golden/<name>.txt`.
    ///
    /// # Panics
    /// When it differs, with both texts.
    pub fn compare(self, name: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, self.0.trim_start()).expect("the golden file can be written");
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            golden == self.0.trim_start(),
            "{} tells another story; UPDATE_GOLDEN=1 accepts the new one:\n{}",
            path.display(),
            self.0
        );
    }
}

/// Pods move one step each, in fixed order; where none can, time does.
fn follow(cluster: &mut Cluster, plan: &Plan) -> bool {
    let mut dice = kubelet::Dice::new(0);
    let moved = kubelet::step(cluster, &mut dice);
    let timer = plan.requeue_after.filter(|_| !moved);
    if let Some(after) = timer {
        cluster.wait(after.max(SignedDuration::from_secs(1)));
    }
    moved || timer.is_some()
}

/// Adding pods and claims shall not make every story change; UIDs and hashes are left out, reasons are told.
fn told(action: &Action) -> String {
    match action {
        Action::CreateRevision { number, .. } => format!("create revision {number}"),
        Action::RenumberRevision { number, .. } => format!("renumber a revision to {number}"),
        Action::DeleteRevision { .. } => "forget a revision".to_owned(),
        other => other.to_string(),
    }
}

/// `0:a+ 1:b- 2:b~`: ordinal, image, and + ready, - not ready, . pending, ~ terminating, ! failed.
fn shown(cluster: &Cluster) -> String {
    let pod = |(name, pod): (&String, &Value)| {
        let ordinal = name.rsplit('-').next().unwrap_or_default().to_owned();
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or("?").to_owned();
        let sign = match pod["status"]["phase"].as_str() {
            _ if !pod["metadata"]["deletionTimestamp"].is_null() => '~',
            Some("Pending") => '.',
            Some("Running") if pod["status"]["conditions"][0]["status"] == "True" => '+',
            Some("Running") => '-',
            _ => '!',
        };
        format!("{ordinal}:{image}{sign}")
    };
    cluster.pods.iter().map(pod).collect::<Vec<_>>().join(" ")
}

fn counted(cluster: &Cluster) -> String {
    let status = &cluster.set["status"];
    let counters = ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"];
    let numbers = counters.map(|c| format!("{c} {}", status[c]));
    let promoted = if status["currentRevision"] == status["updateRevision"] { "complete" } else { "not complete" };
    format!("{}, {promoted}, claims {:?}", numbers.join(", "), cluster.claims.keys().collect::<Vec<_>>())
}
