//! Changes that the schema lets through, and that no set can get complete with: the API server refuses the pods, nobody can
//! run them, or they do not get ready.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Change, Choice, Effect, Generator, one};

/// Pods that never get well.
const UNWELL: [Choice; 6] = [
    ("template.metadata.annotations", |_| json!({"test.ordinal.dev/never-ready": "true"})),
    ("template.metadata.annotations", |_| json!({"test.ordinal.dev/fails": "true"})),
    ("pod.nodeSelector", |_| json!({"no": "such-node"})),
    ("pod.affinity", |_| {
        let term = json!({"matchExpressions": [{"key": "no", "operator": "In", "values": ["such-node"]}]});
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}})
    }),
    ("pod.schedulerName", |_| json!("nobody")),
    ("main.resources", |_| json!({"requests": {"cpu": "1000000"}})),
];

/// More than there is room for, or than anybody waits for. Pods are there already.
const TOO_MUCH: [Choice; 4] = [
    ("replicas", |_| json!(1000)),
    ("replicas", |_| json!(2_147_483_600)),
    ("minReadySeconds", |_| json!(86_400)),
    ("minReadySeconds", |_| json!(i32::MAX)),
];

/// Pods that the API server refuses (O-4).
const REFUSED: [Choice; 11] = [
    ("pod.dnsPolicy", |_| json!("Other")),
    ("pod.priorityClassName", |_| json!("missing")),
    ("pod.serviceAccountName", |_| json!("missing")),
    ("pod.tolerations", |_| json!([{"key": "a", "operator": "Other"}])),
    ("pod.volumes", |_| json!([{"name": "a", "hostPath": {"path": "../a"}}])),
    ("main.imagePullPolicy", |_| json!("Other")),
    ("main.env", |_| json!([{"name": "a=b"}])),
    ("main.ports", |_| json!([{"containerPort": 80, "protocol": "OTHER"}])),
    ("main.livenessProbe", |_| json!({})),
    ("main.securityContext", |_| json!({"privileged": true, "allowPrivilegeEscalation": false})),
    ("main.resources", |_| json!({"requests": {"cpu": 2}, "limits": {"cpu": 1}})),
];

/// One of them.
pub fn change(dice: &mut Rng, manifest: &Value) -> Option<Change> {
    let ((path, value), effect) = match dice.u8(..10) {
        0..4 => (one(dice, &UNWELL), Effect::Stuck),
        4..6 => (one(dice, &TOO_MUCH), Effect::StuckWithoutRestart),
        _ => (one(dice, &REFUSED), Effect::StuckWithoutRestart),
    };
    Some(Change { effect, ..Change::at(Generator::Stuck, manifest, path, &value(dice))? })
}
