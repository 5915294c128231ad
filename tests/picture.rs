//! A namespace as it can be compared: all that differs by chance (UIDs, times, names of revisions, nodes) is taken out or
//! given a name that both kinds share.

use std::collections::BTreeMap;

use ordinal_api::{LABEL_REVISION, LABEL_REVISION_HASH};
use ordinal_plan::{meaning::Meaning, revision};
use serde_json::{Map, Value, json};

use crate::record::{Room, Watched};

/// The counters of the status; what is not written is 0.
const COUNTERS: [&str; 7] = [
    "observedGeneration",
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "currentReplicas",
    "updatedReplicas",
    "collisionCount",
];

/// What a namespace with one set holds, as JSON by kind and name, and which pods came and went since the log had `since`
/// entries.
pub fn of(room: &Room, since: usize) -> Value {
    let draw = |kind, picture: &dyn Fn(&Value) -> Value| -> Map<String, Value> {
        room.all(kind).map(|(name, object)| (name.to_owned(), picture(object))).collect()
    };
    let mut picture = json!({
        "pods": draw(Watched::Pod, &|pod| of_pod(room, pod)),
        "claims": draw(Watched::Claim, &|claim| of_claim(room, claim)),
        "pod events": events(room, since),
    });
    let set = room.all(Watched::Set).map(|(_, set)| set).next();
    let deleting = set.is_some_and(|set| set["metadata"]["deletionTimestamp"].is_string());
    // Of a set being deleted the garbage collector takes the revisions, and any pass of either controller makes the last one
    // again (S-4.2): which of them came last is chance.
    if !deleting {
        let revisions = room.all(Watched::Revision);
        let revisions = revisions.map(|(name, object)| (letter(room, name), of_revision(room, object)));
        picture["revisions"] = revisions.collect::<Map<_, _>>().into();
    }
    if let Some(set) = set {
        picture["status"] = of_status(room, &set["status"]);
        picture["status"]["being deleted"] = deleting.into();
    }
    picture
}

/// Creations and deletions of pods, each as a word, a name and a revision.
fn events(room: &Room, since: usize) -> Value {
    let told = room.log.iter().skip(since).map(|event| {
        let verb = if event.created { "create" } else { "delete" };
        json!(format!("{verb} {}@{}", event.name, letter(room, &event.revision)))
    });
    told.collect()
}

/// A revision's name in a word: A is the first that came up. Revisions are told apart, and their names are hashes.
fn letter(room: &Room, name: &str) -> String {
    match room.revisions.iter().position(|n| n == name) {
        Some(index) => char::from(b'A' + u8::try_from(index % 26).unwrap_or_default()).to_string(),
        None => name.to_owned(),
    }
}

fn of_pod(room: &Room, pod: &Value) -> Value {
    let mut spec = pod["spec"].clone();
    let scheduled = spec["nodeName"].is_string();
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("nodeName");
    }
    without_chance(room, &mut spec);
    // The built-in takes claim templates in no order (S-2.6).
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.sort_by_key(|volume| volume["name"].to_string());
    }
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.filter(|c| c["type"] == "Ready").map(|c| c["status"].clone()).next();
    let mut picture = metadata(room, Watched::Pod, pod);
    picture["spec"] = spec;
    picture["phase"] = pod["status"]["phase"].clone();
    picture["ready"] = ready.unwrap_or_default();
    picture["scheduled"] = scheduled.into();
    picture
}

fn of_claim(room: &Room, claim: &Value) -> Value {
    let mut spec = claim["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("volumeName");
    }
    let mut picture = metadata(room, Watched::Claim, claim);
    picture["spec"] = spec;
    picture["phase"] = claim["status"]["phase"].clone();
    picture
}

/// Data by meaning: the built-in records the template with its defaults, we record what was written (O-13).
fn of_revision(room: &Room, object: &Value) -> Value {
    let mut picture = metadata(room, Watched::Revision, object);
    if picture["labels"][LABEL_REVISION_HASH].is_string() {
        picture["labels"][LABEL_REVISION_HASH] = "(hash)".into();
    }
    picture["number"] = object["revision"].clone();
    picture["replaces"] = object["data"]["spec"]["template"]["$patch"].clone();
    let template = revision::restore(object["data"].clone());
    picture["meaning"] = template.map_or(Value::Null, |template| json!(format!("{:?}", Meaning::of(&template))));
    picture
}

fn of_status(room: &Room, status: &Value) -> Value {
    let number = |field: &str| json!(status[field].as_i64().unwrap_or(0));
    let mut picture: Value = COUNTERS.iter().map(|field| ((*field).to_owned(), number(field))).collect();
    for field in ["currentRevision", "updateRevision"] {
        picture[field] = status[field].as_str().map(|name| letter(room, name)).into();
    }
    picture
}

/// The metadata that controllers have a hand in, and how many objects of the name there have been.
fn metadata(room: &Room, kind: Watched, object: &Value) -> Value {
    let from = &object["metadata"];
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let mut labels = from["labels"].clone();
    if let Some(revision) = labels[LABEL_REVISION].as_str().map(|name| letter(room, name)) {
        labels[LABEL_REVISION] = revision.into();
    }
    let lives = room.lives.get(&(kind, text(&from["name"]))).map_or(0, Vec::len);
    let owners = from["ownerReferences"].as_array().into_iter().flatten();
    json!({
        "labels": labels,
        "annotations": from["annotations"],
        "finalizers": from["finalizers"],
        "generateName": from["generateName"],
        "owners": owners.map(|owner| of_owner(room, owner)).collect::<Vec<_>>(),
        "being deleted": from["deletionTimestamp"].is_string(),
        "lives": lives,
    })
}

fn of_owner(room: &Room, owner: &Value) -> Value {
    let kind = match (owner["apiVersion"].as_str(), owner["kind"].as_str()) {
        (Some("apps/v1"), Some("StatefulSet")) | (Some("apps.ordinal.dev/v1"), Some("OrdinalSet")) => {
            Some(Watched::Set)
        }
        (Some("v1"), Some("Pod")) => Some(Watched::Pod),
        _ => None,
    };
    let name = owner["name"].as_str().unwrap_or_default().to_owned();
    let lives = kind.and_then(|kind| room.lives.get(&(kind, name)));
    // Which one of that name: whether the reference fits is the same question for both kinds.
    let which = lives.and_then(|uids| uids.iter().position(|uid| owner["uid"] == uid.as_str()));
    let mut picture = owner.clone();
    picture["uid"] = json!(which);
    if kind == Some(Watched::Set) {
        picture["apiVersion"] = "(set)".into();
        picture["kind"] = "(set)".into();
    }
    picture
}

/// The service account's volume has a random name; and the API server writes the revision into spread constraints that ask for it.
fn without_chance(room: &Room, value: &mut Value) {
    const RANDOM: &str = "kube-api-access-";
    match value {
        Value::String(text) if text.starts_with(RANDOM) => *text = RANDOM.to_owned(),
        Value::String(text) => *text = letter(room, text),
        Value::Array(items) => items.iter_mut().for_each(|item| without_chance(room, item)),
        Value::Object(fields) => fields.values_mut().for_each(|field| without_chance(room, field)),
        _ => {}
    }
}

/// Every place at which two pictures differ, with both values.
pub fn differences(native: &Value, ours: &Value) -> BTreeMap<String, (Value, Value)> {
    let mut found = BTreeMap::new();
    walk("", native, ours, &mut found);
    found
}

fn walk(path: &str, native: &Value, ours: &Value, found: &mut BTreeMap<String, (Value, Value)>) {
    match (native, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names {
                let place = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                let of = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                walk(&place, &of(a), &of(b), found);
            }
        }
        (a, b) if is_nothing(a) && is_nothing(b) => {}
        (a, b) if a != b => drop(found.insert(path.to_owned(), (a.clone(), b.clone()))),
        _ => {}
    }
}

/// Absent and empty are one.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || *value == json!([]) || *value == json!({}) || *value == json!("")
}
