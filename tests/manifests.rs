//! Sets that tests apply.

use serde_json::{Value, json};

/// A set of one container; `more` goes over its spec.
pub fn set(name: &str, replicas: i32, more: Value) -> Value {
    let mut set = json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
            },
        },
    });
    if let (Some(spec), Value::Object(more)) = (set["spec"].as_object_mut(), more) {
        spec.extend(more);
    }
    set
}

/// One claim template of the default class.
pub fn claims() -> Value {
    json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }])
}

/// A patch of the template's image.
pub fn image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}})
}
