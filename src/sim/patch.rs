//! What a PATCH makes of an object.

use crate::call::Style;
use serde_json::{Map, Value};

/// Lists that a strategic merge patch merges, and the field that tells their elements apart. Others are replaced.
const MERGED: [(&str, &str); 3] = [("ownerReferences", "uid"), ("conditions", "type"), ("volumes", "name")];

/// Lists of words that a strategic merge patch adds to.
const ADDED_TO: [&str; 1] = ["finalizers"];

/// Applies a patch.
pub fn apply(object: &mut Value, patch: &Value, style: Style) {
    let Some(patch) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(fields) = object.as_object_mut() else { return };
    for (key, change) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/").filter(|_| style == Style::Strategic) {
            take_off(fields.get_mut(list), change);
        } else if change.is_null() {
            fields.remove(key);
        } else {
            let field = fields.entry(key.clone()).or_insert(Value::Null);
            match (style, field.is_array(), change.as_array()) {
                (Style::Strategic, _, Some(changes)) if merge_list(key, field, changes) => {}
                (_, _, None) => apply(field, change, style),
                _ => *field = change.clone(),
            }
        }
    }
}

/// Merges a list by its key; false when it is one of those that are replaced.
fn merge_list(list: &str, field: &mut Value, changes: &[Value]) -> bool {
    let key = MERGED.iter().find(|(name, _)| *name == list).map(|(_, key)| *key);
    if key.is_none() && !ADDED_TO.contains(&list) {
        return false;
    }
    if !field.is_array() {
        *field = Value::Array(Vec::new());
    }
    let Some(elements) = field.as_array_mut() else { return false };
    for change in changes {
        let same = |e: &Value| key.map_or(e == change, |key| e[key] == change[key]);
        let at = elements.iter().position(same);
        match at {
            Some(at) if change["$patch"] == "delete" => drop(elements.remove(at)),
            Some(at) if key.is_some() => apply(&mut elements[at], change, Style::Strategic),
            None if change["$patch"] != "delete" => elements.push(change.clone()),
            _ => {}
        }
    }
    true
}

fn take_off(field: Option<&mut Value>, words: &Value) {
    if let Some(elements) = field.and_then(Value::as_array_mut) {
        elements.retain(|e| !words.as_array().is_some_and(|w| w.contains(e)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_strategic_patch_takes_one_owner_off_and_puts_one_on() {
        let mut object =
            json!({"metadata": {"ownerReferences": [{"uid": "a", "kind": "X"}, {"uid": "b"}], "labels": {"l": "1"}}});
        let owners = json!([{"$patch": "delete", "uid": "a"}, {"uid": "c"}]);
        apply(&mut object, &json!({"metadata": {"ownerReferences": owners}}), Style::Strategic);
        assert_eq!(
            object,
            json!({"metadata": {"ownerReferences": [{"uid": "b"}, {"uid": "c"}], "labels": {"l": "1"}}})
        );
    }

    #[test]
    fn a_merge_patch_replaces_lists_and_removes_by_null() {
        let mut object = json!({"a": [1, 2], "b": {"c": 1, "d": 2}});
        apply(&mut object, &json!({"a": [3], "b": {"c": null}}), Style::Merge);
        assert_eq!(object, json!({"a": [3], "b": {"d": 2}}));
    }
}
