//! Manifests written as a base and what is changed in it.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// What stands in a data file where a field is to be taken away: YAML's own null is a value that manifests may have.
pub const ABSENT: &str = "ABSENT";

/// Beginnings of a path that are written short.
const SHORT: [(&str, &str); 5] = [
    ("pod.", "template.spec."),
    ("main.", "template.spec.containers.0."),
    ("claim.", "volumeClaimTemplates.0."),
    ("strategy.", "updateStrategy."),
    ("rolling.", "updateStrategy.rollingUpdate."),
];

/// Puts `value` at a path such as `main.ports.0.name`, under `spec` unless it begins with `metadata`. What is missing on
/// the way becomes an object.
pub fn put(manifest: &mut Value, path: &str, value: &Value) -> Result<()> {
    let told = || format!("no place in the manifest for {path}");
    let steps = steps(path);
    let (last, way) = steps.split_last().with_context(told)?;
    let mut at = manifest;
    for step in way {
        at = match at {
            Value::Array(items) => items.get_mut(step.parse::<usize>().with_context(told)?).with_context(told)?,
            Value::Object(fields) => fields.entry(step).or_insert_with(|| json!({})),
            _ => bail!(told()),
        };
    }
    match at {
        Value::Array(items) => *items.get_mut(last.parse::<usize>()?).with_context(told)? = value.clone(),
        Value::Object(fields) if value == ABSENT => drop(fields.remove(last)),
        Value::Object(fields) => drop(fields.insert(last.clone(), value.clone())),
        _ => bail!(told()),
    }
    Ok(())
}

/// What is at a path.
pub fn get<'a>(manifest: &'a Value, path: &str) -> Option<&'a Value> {
    manifest.pointer(&format!("/{}", steps(path).join("/")))
}

/// All of `changes`, in their order.
pub fn put_all(manifest: &mut Value, changes: &Map<String, Value>) -> Result<()> {
    changes.iter().try_for_each(|(path, value)| put(manifest, path, value))
}

/// The steps of a path from the top of the manifest.
pub fn steps(path: &str) -> Vec<String> {
    let short = SHORT.iter().find_map(|(short, long)| Some(format!("{long}{}", path.strip_prefix(short)?)));
    let long = short.unwrap_or_else(|| path.to_owned());
    let rooted = if long.starts_with("metadata.") || long == "spec" { long } else { format!("spec.{long}") };
    rooted.split('.').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_into_lists_and_make_objects() {
        let mut manifest = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "tty": true}]}}}});
        put(&mut manifest, "main.resources.requests", &json!({"cpu": 1})).expect("there is a place");
        put(&mut manifest, "main.tty", &json!(ABSENT)).expect("there is a place");
        let main = json!({"name": "main", "resources": {"requests": {"cpu": 1}}});
        assert_eq!(manifest["spec"]["template"]["spec"]["containers"][0], main);
        assert!(put(&mut manifest, "pod.containers.3.name", &json!("x")).is_err());
    }
}
