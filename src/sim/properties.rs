//! Random sets, edits and node events: the invariants hold at every pass (the cluster checks them), and every run comes to
//! rest where its spec says.

use crate::{
    cluster::Cluster,
    kubelet::{self, Dice},
    stories::spec,
    traces::settle,
};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::snapshot::Memory;
use serde_json::{Value, json};

const RUNS: u64 = 400;

fn random_spec(dice: &mut Dice) -> Value {
    let policy = ["OrderedReady", "Parallel"][dice.throw(2)];
    let max = [json!(1), json!(2), json!("50%")][dice.throw(3)].clone();
    let strategy = match dice.throw(4) {
        0 => json!({"type": "OnDelete"}),
        1 => json!({"type": "RollingUpdate"}),
        _ => {
            let partition = dice.throw(4);
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition, "maxUnavailable": max}})
        }
    };
    let retention = ["Retain", "Delete"];
    let (deleted, scaled) = (retention[dice.throw(2)], retention[dice.throw(2)]);
    let mut more = json!({
        "podManagementPolicy": policy,
        "updateStrategy": strategy,
        "ordinals": {"start": dice.throw(3)},
        "revisionHistoryLimit": dice.throw(3),
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled},
    });
    if dice.throw(2) == 0 {
        more["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    }
    spec(i32::try_from(dice.throw(5)).unwrap_or(0), more)
}

/// One thing that happens: an edit, a node event, a deletion by hand, a crash of the operator, time.
fn happen(cluster: &mut Cluster, dice: &mut Dice) {
    let names: Vec<String> = cluster.pods.keys().cloned().collect();
    let pod = names.get(dice.throw(names.len())).cloned().unwrap_or_default();
    match dice.throw(12) {
        0 => cluster.edit(|set| set["spec"]["replicas"] = dice.throw(5).into()),
        1 => {
            let image = ["a", "b", "c"][dice.throw(3)];
            cluster.edit(|set| set["spec"]["template"]["spec"]["containers"][0]["image"] = image.into());
        }
        2 => cluster.edit(|set| set["spec"]["ordinals"]["start"] = dice.throw(3).into()),
        3 => cluster.delete_pod(&pod),
        4 => kubelet::end(cluster, &pod, ["Failed", "Succeeded"][dice.throw(2)]),
        5 => cluster.memory = Memory::default(),
        6 => cluster.wait(SignedDuration::from_secs(i64::try_from(dice.throw(400)).unwrap_or(0))),
        7 => cluster.collect_garbage(),
        _ => drop(kubelet::step(cluster, dice)),
    }
}

// also: N-2, N-3, N-6, N-7, N-9, N-12
#[test]
fn n_13_random_runs_keep_the_invariants_and_come_to_rest() {
    for seed in 0..RUNS {
        let mut dice = Dice::new(seed);
        let mut cluster = Cluster::new(random_spec(&mut dice));
        for _ in 0..60 {
            happen(&mut cluster, &mut dice);
            // Not after every event: several may come to a pass at once.
            if dice.throw(3) > 0 {
                cluster.pass();
            }
        }
        // Nodes do their part and, where OrderedReady waits for a person (S-12.4), a person does.
        for _ in 0..40 {
            cluster.wait(SignedDuration::from_secs(301));
            cluster.pass();
            kubelet::settle(&mut cluster);
            cluster.collect_garbage();
            remove_ended_pods(&mut cluster);
        }
        settle(&mut cluster);
        let set = cluster.snapshot().set.clone();
        let expected: Vec<String> = (set.start()..set.start() + set.replicas()).map(|o| format!("web-{o}")).collect();
        assert_eq!(cluster.pods.keys().cloned().collect::<Vec<_>>(), expected, "seed {seed}");
        assert_eq!(set.status.ready_replicas, set.replicas(), "seed {seed}");
        let plan = cluster.pass();
        assert_eq!(plan.actions().count(), 0, "seed {seed}: it acts although it is at rest:\n{plan}");
    }
}

fn remove_ended_pods(cluster: &mut Cluster) {
    let ended = |pod: &Value| pod["status"]["phase"] == "Failed" || pod["status"]["phase"] == "Succeeded";
    cluster.pods.retain(|_, pod| !ended(pod));
}
