//! A namespace as it can be compared with that of another day or another set: without what only a past brings.

use anyhow::{Result, bail};
use ordinal_api::LABEL_REVISION;
use ordinal_tests::{
    picture,
    record::{Room, Watched},
};
use serde_json::{Value, json};

/// How often a name was taken, which UID of a name an owner has, and how revisions are called.
const PAST: [&str; 9] = [
    "lives",
    "uid",
    LABEL_REVISION,
    "revisions",
    "pod events",
    "observedGeneration",
    "collisionCount",
    "currentRevision",
    "updateRevision",
];

/// Pods, claims and status of the namespace, with what the set's conditions say.
pub fn without(room: &Room) -> Value {
    let mut picture = picture::of(room, 0);
    forget(&mut picture);
    for (_, set) in room.all(Watched::Set) {
        let conditions = set["status"]["conditions"].as_array().into_iter().flatten();
        // Whether the Service is there yet depends on the time alone (O-9).
        for condition in conditions.filter(|c| c["type"] != "ServiceReady") {
            let type_ = condition["type"].as_str().unwrap_or_default();
            picture["conditions"][type_] = json!([condition["status"], condition["reason"]]);
        }
    }
    picture
}

fn forget(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forget),
        Value::Object(fields) => {
            fields.retain(|name, _| !PAST.contains(&name.as_str()));
            fields.values_mut().for_each(forget);
        }
        _ => {}
    }
}

/// An error where one is not like the other in these parts. There may be more claims than wanted: those of pods that were
/// scaled away stay.
pub fn same(what: &str, parts: &[&str], is: &Value, wanted: &Value) -> Result<()> {
    let found = picture::differences(is, wanted);
    let counts = |place: &str, wanted: &Value| {
        let mut steps = place.split('/');
        let part = steps.next().unwrap_or_default();
        parts.contains(&part) && !(part == "claims" && steps.count() == 1 && wanted.is_null())
    };
    let told: Vec<String> = found
        .into_iter()
        .filter(|(place, (_, wanted))| counts(place, wanted))
        .map(|(place, (is, wanted))| format!("{place} is {is}, not {wanted}"))
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    bail!("{what} is not as it should be:\n{}", told.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_claims_may_be_left_over() {
        let wanted =
            json!({"pods": {"web-0": {"spec": {"image": "a"}}}, "claims": {"data-web-0": {"spec": {"size": 1}}}});
        let check = |change: fn(&mut Value)| {
            let mut is = wanted.clone();
            change(&mut is);
            same("it", &["pods", "claims"], &is, &wanted).is_ok()
        };
        assert!(check(|_| {}));
        assert!(check(|is| is["claims"]["data-web-1"] = json!({"spec": {}})));
        assert!(!check(|is| is["pods"]["web-1"] = json!({"spec": {}})));
        assert!(!check(|is| is["claims"]["data-web-0"]["spec"]["size"] = json!(2)));
        assert!(!check(|is| is["claims"] = json!({})));
        assert!(!check(|is| is["pods"]["web-0"]["spec"]["image"] = json!("b")));
    }
}
