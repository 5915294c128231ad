//! Changes that must be refused at once: what never changes, what contradicts itself, what is no set at all.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Change, Choice, Effect, Generator, claim, list, one, with};

/// What is wrong wherever it stands.
const WRONG: [Choice; 51] = [
    ("spec", |_| Value::Null),
    ("spec", |_| json!([])),
    ("template", |_| Value::Null),
    ("template", |_| json!("web")),
    ("template.metadata", |_| json!({"labels": {"app": "other"}})),
    ("template.metadata", |_| json!([1])),
    ("template.metadata.labels", |_| json!({"app": "other"})),
    ("template.metadata.labels.app", |_| json!("a b")),
    ("template.metadata.annotations", |_| json!({"a b": "c"})),
    ("template.spec", |_| Value::Null),
    ("pod.containers", |_| Value::Null),
    ("pod.containers", |_| json!([])),
    ("pod.containers", |_| json!([{"name": "a", "image": "b"}, {"name": "a", "image": "c"}])),
    ("main.image", |_| json!("")),
    ("main.name", |_| json!("A_b")),
    ("main.volumeMounts", |_| json!([{"name": "nope", "mountPath": "/x"}])),
    ("main.ports", |_| json!([{"containerPort": 70000}])),
    ("pod.restartPolicy", |_| json!("Never")),
    ("pod.hostNetwork", |_| json!("true")),
    ("pod.activeDeadlineSeconds", |_| json!(5)),
    ("pod.ephemeralContainers", |_| json!([{"name": "x", "image": "y"}])),
    ("selector", |_| Value::Null),
    ("selector", |_| json!({})),
    ("selector", |_| json!({"matchLabels": {"app": "other"}})),
    ("selector", |_| json!({"matchExpressions": [{"key": "app", "operator": "Gt"}]})),
    ("replicas", |_| json!(-1)),
    ("replicas", |_| json!(3_000_000_000_u32)),
    ("minReadySeconds", |_| json!(-1)),
    ("ordinals", |_| json!({"start": -1})),
    ("podManagementPolicy", |_| json!("Other")),
    ("serviceName", |_| json!("other")),
    ("serviceName", |_| json!("A_b")),
    ("updateStrategy", |_| json!({"type": "INVALID"})),
    ("updateStrategy", |_| json!({"type": "OnDelete", "rollingUpdate": {"partition": 0}})),
    ("updateStrategy", |_| json!({"rollingUpdate": {"partition": -1}})),
    ("updateStrategy", |_| json!({"rollingUpdate": {"maxUnavailable": 0}})),
    ("updateStrategy", |_| json!({"rollingUpdate": {"maxUnavailable": -1}})),
    ("updateStrategy", |_| json!({"rollingUpdate": {"maxUnavailable": "0%"}})),
    ("updateStrategy", |_| json!({"rollingUpdate": {"maxUnavailable": "101%"}})),
    ("updateStrategy", |_| json!({"rollingUpdate": {"maxUnavailable": "1"}})),
    ("updateStrategy", |_| json!({"rollingUpdate": {"maxUnavailable": "-5%"}})),
    ("persistentVolumeClaimRetentionPolicy", |_| json!({"whenDeleted": "Other"})),
    ("persistentVolumeClaimRetentionPolicy", |_| json!({"whenScaled": 3})),
    ("volumeClaimTemplates", |_| json!([{"metadata": {"name": "data"}}])),
    ("volumeClaimTemplates", |_| json!([claim("a", "1Mi"), claim("a", "1Mi")])),
    ("volumeClaimTemplates", |_| json!([claim("A_b", "1Mi")])),
    ("volumeClaimTemplates", |_| json!([claim("new", "1Mi")])),
    ("volumeClaimTemplates", |_| json!([claim("data", "-1Mi")])),
    ("volumeClaimTemplates", |_| json!([claim("data", "x")])),
    ("volumeClaimTemplates", |_| json!("data")),
    ("madeUp", |_| json!(1)),
];

/// What it is called, what it touches, and what comes of a manifest.
type Cross = (&'static str, &'static [&'static str], fn(&Value) -> Option<Value>);

/// Changes that depend on what there is.
const CROSS: [Cross; 6] = [
    ("start and replicas beyond int32", &["ordinals", "replicas"], |set| {
        with(set, &[("ordinals.start", json!(i32::MAX)), ("replicas", json!(i32::MAX))])
    }),
    ("the other policy", &["podManagementPolicy"], |set| {
        let other = if set["spec"]["podManagementPolicy"] == "Parallel" { "OrderedReady" } else { "Parallel" };
        with(set, &[("podManagementPolicy", json!(other))])
    }),
    ("one more claim template", &["volumeClaimTemplates"], |set| {
        let mut claims = list(set, "volumeClaimTemplates");
        claims.push(claim("more", "1Mi"));
        with(set, &[("volumeClaimTemplates", claims.into())])
    }),
    ("larger claims of another class", &["volumeClaimTemplates"], |set| {
        with(
            set,
            &[
                ("claim.spec.resources.requests.storage", json!("5Gi")),
                ("claim.spec.storageClassName", json!("no-such-class")),
            ],
        )
    }),
    ("selector and labels renamed", &["selector"], |set| {
        with(
            set,
            &[("selector", json!({"matchLabels": {"app": "other"}})), ("template.metadata.labels.app", json!("other"))],
        )
    }),
    ("a second container of the first one's name", &["template"], |set| {
        let mut containers = list(set, "pod.containers");
        containers.extend(containers.first().cloned());
        with(set, &[("pod.containers", containers.into())])
    }),
];

/// One of them.
pub fn change(dice: &mut Rng, manifest: &Value) -> Option<Change> {
    let of = dice.usize(..WRONG.len() + CROSS.len());
    match CROSS.get(of) {
        Some((title, touched, apply)) => {
            let touched = touched.iter().map(|field| (*field).to_owned()).collect();
            let manifest = apply(manifest)?;
            Some(Change {
                generator: Generator::Invalid,
                title: (*title).to_owned(),
                manifest,
                touched,
                effect: Effect::Fine,
            })
        }
        None => {
            let (path, value) = one(dice, &WRONG);
            Change::at(Generator::Invalid, manifest, path, &value(dice))
        }
    }
}
