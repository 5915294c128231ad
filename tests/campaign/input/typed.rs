//! Changes by the type of a field alone, without a thought about what it means.

use fastrand::Rng;
use serde_json::{Value, json};

use ordinal_tests::edit;

use super::{Change, Effect, Generator, list, one};

#[derive(Clone, Copy)]
enum Type {
    Integer,
    /// An integer or a percentage.
    Percentage,
    /// One of these.
    Word(&'static [&'static str]),
    Text,
    List,
    Object,
}

use Type::{Integer, List, Object, Percentage, Text, Word};

const FIELDS: [(&str, Type); 33] = [
    ("replicas", Integer),
    ("minReadySeconds", Integer),
    ("revisionHistoryLimit", Integer),
    ("ordinals", Object),
    ("ordinals.start", Integer),
    ("updateStrategy", Object),
    ("strategy.type", Word(&["RollingUpdate", "OnDelete"])),
    ("strategy.rollingUpdate", Object),
    ("rolling.partition", Integer),
    ("rolling.maxUnavailable", Percentage),
    ("podManagementPolicy", Word(&["OrderedReady", "Parallel"])),
    ("serviceName", Text),
    ("persistentVolumeClaimRetentionPolicy", Object),
    ("persistentVolumeClaimRetentionPolicy.whenDeleted", Word(&["Retain", "Delete"])),
    ("persistentVolumeClaimRetentionPolicy.whenScaled", Word(&["Retain", "Delete"])),
    ("selector", Object),
    ("selector.matchLabels", Object),
    ("selector.matchExpressions", List),
    ("volumeClaimTemplates", List),
    ("claim.spec.resources.requests.storage", Text),
    ("claim.spec.storageClassName", Text),
    ("claim.spec.accessModes", List),
    ("template.metadata.labels", Object),
    ("template.metadata.annotations", Object),
    ("pod.terminationGracePeriodSeconds", Integer),
    ("pod.restartPolicy", Word(&["Always", "OnFailure"])),
    ("pod.containers", List),
    ("main.name", Text),
    ("main.image", Text),
    ("main.env", List),
    ("main.volumeMounts", List),
    ("pod.volumes", List),
    ("pod.tolerations", List),
];

/// One of them: usually of the field's type, now and then of another.
pub fn change(dice: &mut Rng, manifest: &Value) -> Option<Change> {
    let (path, type_) = one(dice, &FIELDS);
    let now = edit::get(manifest, path).cloned().unwrap_or_default();
    let value = match dice.u8(..10) {
        0 => Value::Null,
        1 | 2 => absurd(dice),
        _ => match type_ {
            Integer => json!(integer(dice, now.as_i64().unwrap_or(0))),
            Percentage if dice.bool() => json!(integer(dice, now.as_i64().unwrap_or(1))),
            Percentage => json!(format!("{}%", dice.u8(..120))),
            Word(words) => {
                let word = one(dice, words);
                one(dice, &[json!(word), json!(word), json!(""), json!("INVALID"), json!(word.to_lowercase())])
            }
            Text => text(dice, now.as_str().unwrap_or_default()),
            Object => one(dice, &[json!({}), json!({"madeUp": 1}), json!({"madeUp": "b"})]),
            List => items(dice, list(manifest, path)).into(),
        },
    };
    Some(Change { effect: effect(path, &value), ..Change::at(Generator::Typed, manifest, path, &value)? })
}

/// What it means that no rule forbids: more pods than there is room for, or a wait that nobody sees the end of.
fn effect(path: &str, value: &Value) -> Effect {
    let is_large = value.as_i64().is_some_and(|n| n > 8);
    if is_large && ["replicas", "minReadySeconds"].contains(&path) { Effect::StuckWithoutRestart } else { Effect::Fine }
}

fn integer(dice: &mut Rng, now: i64) -> i64 {
    let edges = [0, 1, -1, i64::from(i32::MAX), i64::from(i32::MIN), i64::from(i32::MAX) + 1, i64::MAX];
    match dice.u8(..6) {
        0 => now.saturating_add(2),
        1 => now.saturating_mul(2),
        2 => now.saturating_sub(1),
        _ => one(dice, &edges),
    }
}

fn text(dice: &mut Rng, now: &str) -> Value {
    let long = "x".repeat(one(dice, &[63, 64, 254, 5000]));
    one(
        dice,
        &[json!(""), json!("other"), json!("A_b"), json!("é"), json!("a b"), json!(long), json!(format!("{now}x"))],
    )
}

fn items(dice: &mut Rng, mut items: Vec<Value>) -> Vec<Value> {
    match dice.u8(..5) {
        0 => items.clear(),
        1 => drop(items.pop()),
        2 => items.extend(items.last().cloned()),
        3 => items.push(json!({})),
        _ => items.push(json!("x")),
    }
    items
}

fn absurd(dice: &mut Rng) -> Value {
    let deep = (0..50).fold(json!(1), |inner, _| json!({"a": inner}));
    one(dice, &[json!(true), json!(1.5), json!("1"), json!([[]]), json!({"a": {}}), json!(-9e300), json!(["x"]), deep])
}
