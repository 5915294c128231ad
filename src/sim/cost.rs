//! What deciding and reading cost, counted in allocations: that does not depend on the machine or its mood. A bound that is
//! passed asks for a look at what was added; `make bench-plan` has the times.

use crate::{
    call::{Call, Part, Style},
    cluster::Cluster,
    objects::Kind,
    traces::settled,
};
use allocation_counter::measure;
use ordinal_api::lite;
use ordinal_plan::{Snapshot, plan, snapshot::Pod};
use serde_json::{Value, json};

const PODS: u64 = 1_000;

fn parallel() -> Value {
    json!({
        "replicas": PODS,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "a"}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
    })
}

/// Allocations of one plan.
fn of_plan(snapshot: &Snapshot) -> u64 {
    measure(|| drop(plan(snapshot))).count_total
}

#[test]
fn a_settled_set_is_decided_about_without_an_allocation_per_pod() {
    let count = of_plan(&settled(parallel()).snapshot());
    assert!(count <= 100, "{count} allocations for {PODS} pods");
}

#[test]
fn a_pod_to_be_made_costs_what_its_actions_hold() {
    let count = of_plan(&Cluster::new(parallel()).snapshot());
    // Names of claim, template and pod; the name for the pod; the step and its growth.
    assert!(count <= 6 * PODS + 150, "{count} allocations for {PODS} pods");
}

#[test]
fn a_pod_to_go_costs_its_name_and_uid() {
    let mut cluster = settled(parallel());
    cluster.edit(|set| set["spec"]["replicas"] = 0.into());
    let count = of_plan(&cluster.snapshot());
    assert!(count <= 3 * PODS + 150, "{count} allocations for {PODS} pods");
}

#[test]
fn a_pod_is_read_without_what_nobody_looks_at() {
    let mut cluster = settled(parallel());
    let pod = |cluster: &Cluster| cluster.pods["web-0"].to_string().into_bytes();
    let reading = |bytes: &[u8]| {
        let read = || Pod::from(serde_json::from_slice::<lite::Pod>(bytes).expect("a pod"));
        measure(|| drop(read())).count_total
    };
    let plain = reading(&pod(&cluster));
    assert!(plain <= 32, "{plain} allocations");
    let fields: Value = (0..100).map(|n| (format!("f:{n}"), json!({}))).collect::<serde_json::Map<_, _>>().into();
    let managed = json!([{"manager": "m", "operation": "Update", "fieldsV1": fields}]);
    let name = "web-0".to_owned();
    let change = json!({"metadata": {"managedFields": managed, "annotations": {"a": "b"}, "selfLink": "x"}});
    let patch = Call::Patch { kind: Kind::Pod, name, patch: change, style: Style::Merge, part: Part::Main };
    cluster.apply(&patch).expect("the patch is accepted");
    assert_eq!(reading(&pod(&cluster)), plain, "managed fields cost nothing");
}
