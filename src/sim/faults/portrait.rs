//! What there is at the end, without what differs between two runs of the same work.

use crate::{
    objects::{Kind, Object},
    store::Store,
};
use ordinal_api::LABEL_REVISION;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What there is at the end of some work.
pub struct Portrait {
    /// Objects by kind and name.
    objects: BTreeMap<String, Value>,
    /// How many pods there have been of each name.
    pub lives: BTreeMap<String, usize>,
}

impl Portrait {
    /// Of all objects, less the revisions that nothing uses.
    pub fn of(store: &Store) -> Self {
        let label = |pod: &Value| pod["metadata"]["labels"][LABEL_REVISION].clone();
        let status = |field: &str| store.sets.values().map(|set| set["status"][field].clone()).collect::<Vec<_>>();
        let used: BTreeSet<String> = store
            .pods
            .values()
            .map(label)
            .chain(status("currentRevision"))
            .chain(status("updateRevision"))
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        let revisions = store.revisions.objects().filter(|o| used.contains(o.name()));
        let others = [store.sets.objects(), store.pods.objects(), store.claims.objects(), store.services.objects()];
        let all = revisions.chain(others.into_iter().flatten());
        let mut lives = BTreeMap::new();
        for born in store.history.iter().filter(|change| change.kind == Kind::Pod && change.before.is_none()) {
            *lives.entry(born.name.clone()).or_default() += 1;
        }
        Self { objects: all.map(|o| (format!("{:?} {}", o.kind(), o.name()), masked(o))).collect(), lives }
    }
}

/// What one has and the other has not; nothing when they are the same.
pub fn difference(wanted: &Portrait, found: &Portrait) -> String {
    let names: BTreeSet<&String> = wanted.objects.keys().chain(found.objects.keys()).collect();
    let told =
        |portrait: &Portrait, name: &String| portrait.objects.get(name).map_or("nothing".into(), Value::to_string);
    let other = names.into_iter().filter(|name| wanted.objects.get(*name) != found.objects.get(*name));
    other.map(|name| format!("{name}: wanted {}\n  found {}\n", told(wanted, name), told(found, name))).collect()
}

fn masked(object: &Object) -> Value {
    let (value, meta) = (object.value(), &object.value()["metadata"]);
    let owners: BTreeSet<String> = object.owners().iter().map(|o| format!("{} {}", o.kind, o.name)).collect();
    let mut labels = meta["labels"].clone();
    // What somebody else wrote is kept, and part of no reference.
    labels.as_object_mut().into_iter().for_each(|labels| drop(labels.remove("theirs")));
    let mut status = value["status"].clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        *condition = json!([condition["type"], condition["status"], condition["reason"]]);
    }
    json!({
        "labels": labels,
        "annotations": meta["annotations"],
        "owners": owners,
        "deleting": object.is_deleting(),
        "finalizers": meta["finalizers"],
        "spec": value["spec"],
        "data": value["data"],
        "status": status,
    })
}
