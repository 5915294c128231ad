//! Where two JSON values differ, in words.

use serde_json::Value;

/// More than a person reads.
const AT_MOST: usize = 12;

/// What longer values are cut to.
const WIDTH: usize = 80;

/// One line for each place that differs: `path: ours, not theirs`. Lists of named things are compared by name.
pub fn differences(path: &str, ours: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(path, ours, theirs, &mut found);
    let more = found.len().saturating_sub(AT_MOST);
    if more > 0 {
        found.truncate(AT_MOST);
        found.push(format!("and {more} more"));
    }
    found
}

fn compare(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (ours, theirs) if ours == theirs => {}
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                compare(&format!("{path}.{key}"), &ours[key], &theirs[key], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if names(a).is_some() && names(a) == names(b) => {
            for (ours, theirs) in a.iter().zip(b) {
                let name = ours["name"].as_str().unwrap_or_default();
                compare(&format!("{path}[{name}]"), ours, theirs, found);
            }
        }
        _ => found.push(format!("{path}: {}, not {}", shown(ours), shown(theirs))),
    }
}

/// The names of a list's items, if each has one.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    list.iter().map(|item| item["name"].as_str()).collect()
}

fn shown(value: &Value) -> String {
    if value.is_null() {
        return "absent".into();
    }
    let text = value.to_string();
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_named_as_people_name_them() {
        let with =
            |image: &str, replicas: i32| json!({"containers": [{"name": "main", "image": image}], "n": replicas});
        let found = differences("spec", &with("a:1", 3), &with("a:2", 3));
        assert_eq!(found, [r#"spec.containers[main].image: "a:1", not "a:2""#]);
        assert!(differences("spec", &with("a", 1), &with("a", 1)).is_empty());
        assert_eq!(differences("x", &json!({"a": 1}), &json!({})), ["x.a: 1, not absent"]);
    }

    #[test]
    fn lists_that_name_other_things_differ_as_a_whole() {
        let cases = [
            (json!([1]), json!([1, 2])),
            (json!([{"name": "a"}]), json!([{"name": "b"}])),
            (json!([{"name": "a"}]), json!([{"name": "a"}, {"name": "b"}])),
            (json!([{"name": "a"}]), json!([{"n": "a"}])),
        ];
        for (ours, theirs) in cases {
            assert_eq!(differences("x", &ours, &theirs), [format!("x: {ours}, not {theirs}")]);
        }
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let many =
            |value: i32| json!((0..40).map(|n| (n.to_string(), value)).collect::<std::collections::BTreeMap<_, _>>());
        let found = differences("x", &many(1), &many(2));
        assert_eq!((found.len(), found.last().map(String::as_str)), (AT_MOST + 1, Some("and 28 more")));
        assert!(shown(&json!("y".repeat(500))).ends_with('…'));
    }
}
