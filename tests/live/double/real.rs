//! The double's calls, sent to the real API server: what the double calls a UID or a version is put into its own words.

use std::collections::BTreeMap;

use anyhow::Result;
use kube::Client;
use ordinal_sim::{
    call::{Call, Style},
    objects::Kind,
    patch,
    store::Store,
};
use ordinal_tests::{Namespace, calls};
use serde_json::{Value, json};

use super::{
    calls::NOBODY,
    mask::{Key, Masked},
};

/// A namespace of the real API server.
pub struct Real {
    client: Client,
    namespace: String,
    node: String,
    /// The double's UIDs in the real one's words.
    uids: BTreeMap<String, String>,
    /// The double's versions in the real one's words.
    versions: BTreeMap<String, String>,
    /// The versions of the objects after the last call.
    seen: BTreeMap<Key, String>,
}

/// A refusal: the API's reason, and its words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl From<kube::Error> for Refused {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self(format!("{}: {}", status.reason, status.message)),
            other => Self(other.to_string()),
        }
    }
}

impl Real {
    /// A namespace with nothing in it, and a node for its pods.
    pub fn new(ns: &Namespace, node: &str) -> Self {
        // A UID that no object has.
        let uids = BTreeMap::from([(NOBODY.to_owned(), "00000000-0000-4000-8000-000000000000".to_owned())]);
        Self {
            client: ns.client(),
            namespace: ns.name().to_owned(),
            node: node.to_owned(),
            uids,
            versions: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// The versions of the objects after the last call.
    pub fn seen(&self) -> &BTreeMap<Key, String> {
        &self.seen
    }

    /// Sends a call that the double has not got yet.
    pub async fn apply(&self, store: &Store, call: &Call) -> Result<Value, Refused> {
        let mut call = call.clone();
        match &mut call {
            Call::Replace { kind, name, object, .. } => *object = self.replaced(store, *kind, name, object).await?,
            Call::Create { object, .. } => *object = self.translated(object),
            Call::Patch { patch, .. } => *patch = self.translated(patch),
            Call::Delete { how, .. } => {
                how.uid = word(&self.uids, how.uid.take());
                how.version = word(&self.versions, how.version.take());
            }
            Call::Bind { node, .. } => node.clone_from(&self.node),
            Call::Get { .. } => {}
        }
        Ok(calls::send(&self.client, &self.namespace, &call).await?)
    }

    /// The real object has more fields: it gets the same changes.
    async fn replaced(&self, store: &Store, kind: Kind, name: &str, object: &Value) -> Result<Value, Refused> {
        let live = calls::api(&self.client, &self.namespace, kind).get(name).await;
        let mut replaced = json!({});
        if let (Some(old), Ok(live)) = (store.of(kind).get(name), live) {
            replaced = serde_json::to_value(live).map_err(|e| Refused(e.to_string()))?;
            patch::apply(&mut replaced, &self.translated(&difference(old, object)), Style::Merge);
            replaced["metadata"]["resourceVersion"] = self.translated(&object["metadata"]["resourceVersion"]);
        } else {
            patch::apply(&mut replaced, &self.translated(object), Style::Merge);
        }
        Ok(replaced)
    }

    /// All objects, in the double's words as far as it has them.
    pub async fn masked(&self, store: &Store) -> Result<Masked> {
        let listed = self.list().await?;
        let names = self.known_uids(store, &listed);
        let word = |uid: &str| names.get(uid).cloned().unwrap_or_else(|| format!("unknown {uid}"));
        let mut listed = listed;
        for (_, object) in &mut listed {
            if object["spec"]["nodeName"] == self.node {
                object["spec"]["nodeName"] = "node".into();
            }
        }
        Ok(Masked::new(listed.into_iter(), word))
    }

    /// Learns the words for what is there now.
    pub async fn remember(&mut self, store: &Store) -> Result<()> {
        let listed = self.list().await?;
        for (real, ours) in self.known_uids(store, &listed) {
            self.uids.insert(ours, real);
        }
        let masked = Masked::new(listed.into_iter(), str::to_owned);
        for ((kind, name), version) in masked.versions() {
            let ours = store.all().find(|o| format!("{:?}", o.kind()) == *kind && o.name() == name);
            if let Some(ours) = ours {
                self.versions.insert(ours.version().to_string(), version.clone());
            }
        }
        self.seen = masked.versions().clone();
        Ok(())
    }

    /// The real one's UIDs in the double's words. An object that is new on both sides is the same one.
    fn known_uids(&self, store: &Store, listed: &[(String, Value)]) -> BTreeMap<String, String> {
        let mut words: BTreeMap<String, String> =
            self.uids.iter().map(|(ours, real)| (real.clone(), ours.clone())).collect();
        for (kind, object) in listed {
            let meta = &object["metadata"];
            let ours = store.all().find(|o| format!("{:?}", o.kind()) == *kind && meta["name"] == o.name());
            if let (Some(ours), Some(uid)) = (ours, meta["uid"].as_str())
                && !self.uids.contains_key(ours.uid())
            {
                words.entry(uid.to_owned()).or_insert_with(|| ours.uid().to_owned());
            }
        }
        words
    }

    async fn list(&self) -> Result<Vec<(String, Value)>> {
        let mut all = Vec::new();
        for kind in Store::KINDS {
            let api = calls::api(&self.client, &self.namespace, kind);
            for object in api.list(&Default::default()).await?.items {
                all.push((format!("{kind:?}"), serde_json::to_value(object)?));
            }
        }
        Ok(all)
    }

    /// UIDs, versions and the node's name in the real one's words.
    fn translated(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text == "node" => self.node.as_str().into(),
            Value::String(text) => {
                let word = self.uids.get(text).or_else(|| self.versions.get(text));
                word.map_or_else(|| value.clone(), |word| word.as_str().into())
            }
            Value::Array(list) => list.iter().map(|v| self.translated(v)).collect(),
            Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), self.translated(v))).collect(),
            _ => value.clone(),
        }
    }
}

/// What the double calls by this word, if it is one of its own.
fn word(table: &BTreeMap<String, String>, ours: Option<String>) -> Option<String> {
    ours.map(|ours| table.get(&ours).cloned().unwrap_or(ours))
}

/// The merge patch that makes `new` of `old`.
fn difference(old: &Value, new: &Value) -> Value {
    let (Some(old), Some(fields)) = (old.as_object(), new.as_object()) else { return new.clone() };
    let gone = old.keys().filter(|key| !fields.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = fields.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    let changed = changed.map(|(key, value)| (key.clone(), difference(old.get(key).unwrap_or(&Value::Null), value)));
    gone.chain(changed).collect()
}
