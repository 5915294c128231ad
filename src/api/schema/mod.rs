//! The CRD of `OrdinalSet`: what is derived from the Rust types, and laid over it what a derive cannot say.

mod embedded;
mod overlay;
mod rules;

pub(crate) use embedded::{claim_templates, pod_template};

use crate::OrdinalSet;
use kube::CustomResourceExt;
use serde_json::{Map, Value};

/// The CRD to install.
pub fn crd() -> Value {
    let mut crd = serde_json::to_value(OrdinalSet::crd()).expect("a CRD is JSON");
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = overlay::columns();
    let root = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").expect("the derived CRD has a schema");
    each_schema(root, &mut |schema| {
        // The API server drops the nulls of what may not be null, as the built-in does.
        schema.remove("nullable");
        // Before 1.37 the format alone lets greater ones in.
        if schema.get("format").is_some_and(|format| format == "int32") {
            schema.entry("maximum").or_insert(i32::MAX.into());
        }
        if let Some(Value::String(description)) = schema.get_mut("description") {
            *description = without_rule_numbers(description);
        }
    });
    overlay::lay(root);
    let description = root["description"].as_str().unwrap_or_default();
    root["description"] = format!("{description} {}{}.", crate::SCHEMA_OF, env!("CARGO_PKG_VERSION")).into();
    rules::add(root);
    crd
}

/// Calls `visit` with a schema and each schema within it.
fn each_schema(schema: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some(schema) = schema.as_object_mut() else { return };
    visit(schema);
    for (keyword, value) in schema {
        match keyword.as_str() {
            "properties" => {
                value.as_object_mut().into_iter().flatten().for_each(|(_, schema)| each_schema(schema, visit))
            }
            "items" | "additionalProperties" => each_schema(value, visit),
            _ => {}
        }
    }
}

/// JSON merge patch (RFC 7396): objects are merged, null removes, everything else replaces.
fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(&key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

/// Doc comments cite rules of the specification, which say nothing to readers of `kubectl explain`.
fn without_rule_numbers(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(start) = [" (O-", " (S-"].iter().find_map(|cited| text.find(cited)) {
        let Some(length) = text[start..].find(')') else { break };
        text.replace_range(start..=start + length, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn descriptions_lose_their_rule_numbers() {
        assert_eq!(without_rule_numbers("Names (O-10), taken (S-3.4)."), "Names, taken.");
        assert_eq!(without_rule_numbers("unclosed (O-1"), "unclosed (O-1");
    }

    #[test]
    fn merge_removes_by_null_and_replaces_lists() {
        let mut target = json!({"a": {"b": 1, "c": [1, 2]}});
        merge(&mut target, json!({"a": {"b": null, "c": [3]}, "d": {"e": 4}}));
        assert_eq!(target, json!({"a": {"c": [3]}, "d": {"e": 4}}));
    }

    /// Client-side apply keeps the whole object in an annotation, and all annotations together have 262,144 bytes.
    #[test]
    fn o_3_crd_fits_client_side_apply() {
        let size = crd().to_string().len();
        assert!(size < 100_000, "{size} bytes of JSON");
    }
}
