//! What deciding costs: `plan()` over sets of growing size, in each kind of situation. The time must grow with the number
//! of pods and no faster: compare the columns "thrpt" (pods a second) of one situation.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::{Snapshot, plan};
use ordinal_sim::{
    cluster::{Cluster, as_cached},
    kubelet,
};
use serde_json::{Value, json};
use std::{cell::LazyCell, hint::black_box, time::Duration};

const SIZES: [i32; 4] = [10, 100, 1_000, 10_000];

fn parallel(replicas: i32) -> Value {
    json!({
        "replicas": replicas,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "a", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]},
        },
        "updateStrategy": {"rollingUpdate": {"maxUnavailable": "25%"}},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
    })
}

fn image(set: &mut Value) {
    set["spec"]["template"]["spec"]["containers"][0]["image"] = "b".into();
}

fn nothing_there(replicas: i32) -> Cluster {
    Cluster::new(parallel(replicas))
}

fn settled(replicas: i32) -> Cluster {
    let mut cluster = nothing_there(replicas);
    while cluster.pass().actions().next().is_some() {
        kubelet::settle(&mut cluster);
        cluster.wait(SignedDuration::from_secs(1));
    }
    cluster
}

fn new_template(replicas: i32) -> Cluster {
    let mut cluster = settled(replicas);
    cluster.edit(image);
    cluster
}

fn scaled_to_nothing(replicas: i32) -> Cluster {
    let mut cluster = settled(replicas);
    cluster.edit(|set| set["spec"]["replicas"] = 0.into());
    cluster
}

fn deciding(c: &mut Criterion) {
    type Situation = (&'static str, fn(i32) -> Cluster);
    let situations: [Situation; 4] = [
        ("create", nothing_there),
        ("settled", settled),
        ("new template", new_template),
        ("scale to 0", scaled_to_nothing),
    ];
    for (name, situation) in situations {
        let mut group = c.benchmark_group(name);
        for size in SIZES {
            let snapshot: LazyCell<Snapshot, _> = LazyCell::new(|| as_cached(&situation(size).snapshot()));
            group.throughput(Throughput::Elements(size.unsigned_abs().into()));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                let snapshot = &*snapshot;
                b.iter(|| plan(black_box(snapshot)));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = deciding
}
criterion_main!(benches);
