//! What is compared of an object: UIDs by identity, versions by whether they changed, times by presence.

use std::{collections::BTreeMap, fmt};

use ordinal_sim::store::Store;
use serde_json::{Value, json};

/// Kind and name.
pub type Key = (String, String);

/// All objects of one side, masked, and their versions.
pub struct Masked {
    objects: BTreeMap<Key, Value>,
    versions: BTreeMap<Key, String>,
}

impl Masked {
    /// The double's.
    pub fn of(store: &Store) -> Self {
        let all = store.all().map(|o| (format!("{:?}", o.kind()), o.value().clone()));
        Self::new(all, |uid| uid.to_owned())
    }

    /// Objects by kind, with what the double calls a UID.
    pub fn new(all: impl Iterator<Item = (String, Value)>, uid: impl Fn(&str) -> String) -> Self {
        let (mut objects, mut versions) = (BTreeMap::new(), BTreeMap::new());
        for (kind, object) in all {
            let meta = &object["metadata"];
            let text = |field: &str| meta[field].as_str().unwrap_or_default().to_owned();
            let key = (kind.clone(), text("name"));
            versions.insert(key.clone(), text("resourceVersion"));
            objects.insert(key, mask(&kind, &object, &uid));
        }
        Self { objects, versions }
    }

    /// Versions as text.
    pub fn told(versions: &BTreeMap<Key, String>) -> String {
        versions.iter().map(|((kind, name), version)| format!("{kind} {name} {version}\n")).collect()
    }

    /// Versions by key.
    pub fn versions(&self) -> &BTreeMap<Key, String> {
        &self.versions
    }

    /// Whether both have the same objects, versions aside.
    pub fn same_objects(&self, other: &Self) -> bool {
        self.objects == other.objects
    }

    /// Whether the same objects have new versions since `before` here, and since `seen` there. The object that was written
    /// may have one there although nothing changed: the real server compares it in another form.
    pub fn same_changes_since(&self, before: &Self, other: &Self, seen: &BTreeMap<Key, String>, written: &Key) -> bool {
        let (ours, theirs) = (changed(&self.versions, &before.versions), changed(&other.versions, seen));
        ours.iter().all(|key| theirs.contains(key)) && theirs.iter().all(|key| ours.contains(key) || *key == written)
    }
}

fn changed<'v>(now: &'v BTreeMap<Key, String>, before: &BTreeMap<Key, String>) -> Vec<&'v Key> {
    now.iter().filter(|(key, version)| before.get(*key) != Some(*version)).map(|(key, _)| key).collect()
}

fn mask(kind: &str, object: &Value, uid: impl Fn(&str) -> String) -> Value {
    let meta = &object["metadata"];
    let owner = |o: &Value| {
        let mut owner = o.clone();
        owner["uid"] = uid(o["uid"].as_str().unwrap_or_default()).into();
        owner
    };
    let list = |field: &str| meta[field].as_array().cloned().unwrap_or_default();
    // In which order a merge puts them is nobody's concern.
    let mut owners: Vec<Value> = list("ownerReferences").iter().map(owner).collect();
    owners.sort_by_key(|o| o["uid"].to_string());
    let spec = &object["spec"];
    let claims = spec["volumes"].as_array().into_iter().flatten().map(|v| &v["persistentVolumeClaim"]["claimName"]);
    let what = match kind {
        "Set" => json!([spec["replicas"], object["status"]["replicas"], meta["generation"]]),
        "Pod" => json!({
            "image": spec["containers"][0]["image"],
            "node": spec["nodeName"],
            "phase": object["status"]["phase"],
            "claims": claims.filter(|name| name.is_string()).collect::<Vec<_>>(),
        }),
        "Claim" => json!([object["status"]["phase"], spec["accessModes"]]),
        "Revision" => json!([object["revision"], object["data"]]),
        _ => Value::Null,
    };
    json!({
        "uid": uid(meta["uid"].as_str().unwrap_or_default()),
        "created": meta["creationTimestamp"].is_string(),
        "deleted": meta["deletionTimestamp"].is_string(),
        "grace": meta["deletionGracePeriodSeconds"],
        "labels": meta["labels"],
        "finalizers": list("finalizers"),
        "owners": owners,
        "what": what,
    })
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, name), object) in &self.objects {
            writeln!(f, "{kind} {name} {} {object}", self.versions[&(kind.clone(), name.clone())])?;
        }
        Ok(())
    }
}
