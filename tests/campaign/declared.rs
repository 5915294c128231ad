//! Whether a pod has what its template declares. The API server adds defaults, tolerations, a volume and its mounts, and
//! writes quantities in its own way; it takes nothing away but fields that it does not know.

use std::collections::BTreeSet;

use serde_json::Value;

/// Fields that are the set's to fill in, whatever the template says (S-2.2), and the one that no API server knows.
const OTHERS: [&str; 5] =
    ["/spec/hostname", "/spec/subdomain", "/metadata/name", "/metadata/namespace", "/spec/madeUp"];

/// Where `pod` lacks something of `template`. A volume of a claim's name gives way to the claim (S-2.6).
pub fn missing(template: &Value, pod: &Value, claims: &BTreeSet<&str>) -> Vec<String> {
    let mut template = template.clone();
    if let Some(volumes) = template.pointer_mut("/spec/volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !volume["name"].as_str().is_some_and(|name| claims.contains(name)));
    }
    let mut found = Vec::new();
    for part in ["metadata", "spec"] {
        walk(&format!("/{part}"), &template[part], &pod[part], &mut found);
    }
    found
}

fn walk(path: &str, declared: &Value, actual: &Value, found: &mut Vec<String>) {
    if OTHERS.contains(&path) || is_nothing(declared) {
        return;
    }
    match (declared, actual) {
        // The API server makes 1 s of it.
        (Value::Number(n), _)
            if path.ends_with("/terminationGracePeriodSeconds") && n.as_i64() < Some(0) && *actual == 1 => {}
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().for_each(|(name, value)| walk(&format!("{path}/{name}"), value, &actual[name], found));
        }
        (Value::Array(items), Value::Array(actual)) => {
            // In their order, others may be between them.
            let mut rest = actual.iter();
            for (index, item) in items.iter().enumerate() {
                let place = format!("{path}/{index}");
                if !rest.any(|actual| has(&place, item, actual)) {
                    found.push(place);
                }
            }
        }
        _ if same(declared, actual) => {}
        _ => found.push(format!("{path}: {declared} is {actual}")),
    }
}

fn has(path: &str, declared: &Value, actual: &Value) -> bool {
    let mut found = Vec::new();
    walk(path, declared, actual, &mut found);
    found.is_empty()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Equal, as quantities if need be.
fn same(declared: &Value, actual: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    declared == actual || quantity(&text(declared)).is_some_and(|q| Some(q) == quantity(&text(actual)))
}

/// The value of such quantities as the generators write.
fn quantity(text: &str) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_declared_is_found_whatever_is_added() {
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {
            "hostname": "x", "volumes": [{"name": "data"}], "containers": [{"name": "a", "resources": {"requests": {"cpu": 0.5}}}],
        }});
        let mut pod = json!({"metadata": {"labels": {"app": "web", "more": ""}}, "spec": {
            "hostname": "web-0", "containers": [{"name": "s"}, {"name": "a", "resources": {"requests": {"cpu": "500m"}}, "tty": false}],
        }});
        let claims = BTreeSet::from(["data"]);
        assert_eq!(missing(&template, &pod, &claims), Vec::<String>::new());
        pod["spec"]["containers"][1]["resources"]["requests"]["cpu"] = "1".into();
        assert_eq!(missing(&template, &pod, &claims), ["/spec/containers/0"]);
        assert_eq!(missing(&template, &pod, &BTreeSet::new()).len(), 2);
    }
}
