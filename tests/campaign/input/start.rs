//! Sets to begin with. What never changes afterwards is decided here.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{claim, one, retention, with};

/// What every set is called.
pub const NAME: &str = "web";

/// A valid set.
pub fn start(dice: &mut Rng) -> Value {
    let selector = one(
        dice,
        &[
            json!({"matchLabels": {"app": NAME}}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": [NAME, "other"]}]}),
            json!({"matchLabels": {"app": NAME}, "matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}),
        ],
    );
    let set = json!({
        "metadata": {"name": NAME},
        "spec": {
            "replicas": dice.i32(0..4),
            "selector": selector,
            "podManagementPolicy": one(dice, &["OrderedReady", "Parallel"]),
            "template": {
                "metadata": {"labels": {"app": NAME}},
                "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
            },
        },
    });
    let mut more = Vec::new();
    let claims: Vec<Value> = ["data", "log"].iter().take(dice.usize(..3)).map(|name| claim(name, "1Mi")).collect();
    if !claims.is_empty() {
        more.push(("volumeClaimTemplates", claims.into()));
        more.push(("main.volumeMounts", json!([{"name": "data", "mountPath": "/data"}])));
    }
    if dice.bool() {
        more.push(("serviceName", NAME.into()));
    }
    if dice.bool() {
        more.push(("persistentVolumeClaimRetentionPolicy", retention(dice)));
    }
    with(&set, &more).unwrap_or(set)
}
