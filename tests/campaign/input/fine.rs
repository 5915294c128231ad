//! Changes that must go through.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Change, Choice, Effect, Generator, list, one, retention};

/// A list, and an entry of a name for it.
type Entry = (&'static str, fn(&str) -> Value);

/// Changes that restart pods, or make more or fewer of them.
const MOVING: [Choice; 20] = [
    ("replicas", |d| json!(d.i32(0..5))),
    ("replicas", |d| json!(d.i32(0..5))),
    ("replicas", |_| Value::Null),
    ("ordinals.start", |d| json!(d.i32(0..4))),
    ("ordinals", |d| one(d, &[Value::Null, json!({}), json!({"start": 2_147_483_600})])),
    ("main.image", |d| json!(format!("nginx:{}", d.u8(1..5)))),
    ("main.image", |d| json!(format!("nginx:{}", d.u8(1..5)))),
    ("main.resources", resources),
    ("main.readinessProbe", probe),
    ("main.livenessProbe", probe),
    ("main.securityContext", |d| one(d, &[Value::Null, json!({}), json!({"runAsUser": 1})])),
    ("pod.securityContext", |d| {
        one(d, &[Value::Null, json!({"fsGroup": 7}), json!({"runAsNonRoot": true, "runAsUser": 3})])
    }),
    ("pod.tolerations", |d| one(d, &[Value::Null, json!([]), json!([{"key": "a", "operator": "Exists"}])])),
    ("pod.nodeSelector", |d| one(d, &[Value::Null, json!({}), json!({"kubernetes.io/hostname": "node-2"})])),
    ("pod.affinity", |d| one(d, &[Value::Null, json!({}), preferred()])),
    ("pod.terminationGracePeriodSeconds", |d| one(d, &[Value::Null, json!(0), json!(5)])),
    ("template.metadata.annotations", |d| one(d, &[Value::Null, json!({}), json!({"note": "any thing"})])),
    ("template.metadata.labels.tier", |d| one(d, &[Value::Null, json!("a"), json!("")])),
    ("updateStrategy", strategy),
    ("updateStrategy", strategy),
];

/// Changes that no pod notices.
const STILL: [Choice; 9] = [
    ("revisionHistoryLimit", |d| one(d, &[Value::Null, json!(0), json!(1), json!(-1), json!(i32::MAX)])),
    ("minReadySeconds", |d| one(d, &[Value::Null, json!(0), json!(1)])),
    ("persistentVolumeClaimRetentionPolicy", |d| one(d, &[Value::Null, json!({}), json!({"whenScaled": "Delete"})])),
    ("persistentVolumeClaimRetentionPolicy", retention),
    ("metadata.labels", |d| one(d, &[json!({}), json!({"a": "b"}), json!({"a": "c", "d": ""})])),
    ("metadata.annotations", |d| one(d, &[json!({}), json!({"a": "b c"}), json!({"kubernetes.io/change-cause": "x"})])),
    // Written-out defaults are no roll-out (O-13).
    ("pod.restartPolicy", |d| one(d, &[Value::Null, json!("Always")])),
    ("pod.dnsPolicy", |d| one(d, &[Value::Null, json!("ClusterFirst")])),
    ("pod.schedulerName", |d| one(d, &[Value::Null, json!("default-scheduler")])),
];

/// Lists that entries are pushed to and popped from, with an entry and what tells it apart.
const LISTS: [Entry; 5] = [
    ("pod.containers", |name| json!({"name": name, "image": "sidecar:1"})),
    ("pod.initContainers", |name| json!({"name": format!("init-{name}"), "image": "init:1"})),
    ("pod.volumes", |name| json!({"name": name, "emptyDir": {}})),
    ("main.env", |name| json!({"name": name, "value": name})),
    ("main.ports", |name| json!({"name": name, "containerPort": 8000 + name.len()})),
];

/// One of them.
pub fn change(dice: &mut Rng, manifest: &Value) -> Option<Change> {
    let (path, value, effect) = match dice.u8(..10) {
        0..6 => place(dice, &MOVING, Effect::Fine),
        6..8 => place(dice, &STILL, Effect::NoRestart),
        _ => push_or_pop(dice, manifest),
    };
    Some(Change { effect, ..Change::at(Generator::Fine, manifest, path, &value)? })
}

fn place(dice: &mut Rng, choices: &[Choice], effect: Effect) -> (&'static str, Value, Effect) {
    let (path, choose) = one(dice, choices);
    (path, choose(dice), effect)
}

fn push_or_pop(dice: &mut Rng, manifest: &Value) -> (&'static str, Value, Effect) {
    let (path, entry) = one(dice, &LISTS);
    let mut items = list(manifest, path);
    // The first container stays: other changes are about it.
    let keep = usize::from(path == "pod.containers");
    if items.len() > keep + usize::from(dice.bool()) {
        items.pop();
    } else {
        items.push(entry(&"x".repeat(items.len() + 1)));
    }
    (path, items.into(), Effect::Fine)
}

fn resources(dice: &mut Rng) -> Value {
    one(
        dice,
        &[
            Value::Null,
            json!({}),
            json!({"requests": {"cpu": 0.5}}),
            json!({"requests": {"cpu": "500m"}}),
            json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}}),
        ],
    )
}

fn probe(dice: &mut Rng) -> Value {
    one(dice, &[Value::Null, json!({"tcpSocket": {"port": 80}}), json!({"httpGet": {"port": 80}, "periodSeconds": 3})])
}

fn preferred() -> Value {
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}});
    json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}})
}

fn strategy(dice: &mut Rng) -> Value {
    let max = one(dice, &[json!(1), json!(2), json!(1000), json!("1%"), json!("50%"), json!("100%")]);
    let partition = one(dice, &[json!(0), json!(1), json!(2), json!(50), json!(i32::MAX)]);
    one(
        dice,
        &[
            Value::Null,
            json!({}),
            json!({"type": "OnDelete"}),
            json!({"type": "RollingUpdate"}),
            json!({"rollingUpdate": {"maxUnavailable": max}}),
            json!({"rollingUpdate": {"maxUnavailable": max, "partition": partition}}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}),
        ],
    )
}
