//! The double's calls, sent to the real API server: what the double calls a UID or a version is put into its own words.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1 as core};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy, Request},
    core::ApiResource,
};
use ordinal_sim::{
    call::{Call, Deletion, Part, Propagation, Style},
    objects::Kind,
    patch,
    store::Store,
};
use ordinal_tests::{Namespace, namespace::set_resource};
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
        let api = self.api(call.kind());
        let name = call.name();
        let answer = match call {
            Call::Get { .. } => api.get(name).await?,
            Call::Create { object, dry_run, .. } => {
                let params = PostParams { dry_run: *dry_run, ..PostParams::default() };
                api.create(&params, &self.typed(self.translated(object))).await?
            }
            Call::Replace { kind, object, .. } => {
                // The real object has more fields: it gets the same changes.
                let mut replaced = json!({});
                if let (Some(old), Ok(live)) = (store.of(*kind).get(name), api.get(name).await) {
                    replaced = serde_json::to_value(live).map_err(|e| Refused(e.to_string()))?;
                    let version = object["metadata"]["resourceVersion"].clone();
                    patch::apply(&mut replaced, &self.translated(&difference(old, object)), Style::Merge);
                    replaced["metadata"]["resourceVersion"] = self.translated(&version);
                } else {
                    patch::apply(&mut replaced, &self.translated(object), Style::Merge);
                }
                api.replace(name, &PostParams::default(), &self.typed(replaced)).await?
            }
            Call::Patch { patch, style, part, .. } => {
                let patch = self.translated(patch);
                let patch = match style {
                    Style::Merge => Patch::Merge(patch),
                    Style::Strategic => Patch::Strategic(patch),
                };
                let params = PatchParams::default();
                match part {
                    Part::Main => api.patch(name, &params, &patch).await?,
                    Part::Status => api.patch_status(name, &params, &patch).await?,
                }
            }
            Call::Delete { how, .. } => {
                api.delete(name, &self.deletion(how)).await?;
                return Ok(Value::Null);
            }
            Call::Bind { .. } => {
                let binding = json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": self.node}});
                let request = Request::new(format!("/api/v1/namespaces/{}/pods", self.namespace));
                let request = request
                    .create_subresource("binding", name, &PostParams::default(), binding.to_string().into_bytes())
                    .map_err(|e| Refused(e.to_string()))?;
                return Ok(self.client.request::<Value>(request).await?);
            }
        };
        serde_json::to_value(answer).map_err(|e| Refused(e.to_string()))
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
            for object in self.api(kind).list(&Default::default()).await?.items {
                all.push((format!("{kind:?}"), serde_json::to_value(object)?));
            }
        }
        Ok(all)
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = match kind {
            Kind::Set => set_resource(),
            Kind::Pod => ApiResource::erase::<core::Pod>(&()),
            Kind::Claim => ApiResource::erase::<core::PersistentVolumeClaim>(&()),
            Kind::Revision => ApiResource::erase::<ControllerRevision>(&()),
            Kind::Service => ApiResource::erase::<core::Service>(&()),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    fn typed(&self, object: Value) -> DynamicObject {
        serde_json::from_value(object).expect("an object")
    }

    fn deletion(&self, how: &Deletion) -> DeleteParams {
        let word = |table: &BTreeMap<String, String>, ours: &Option<String>| {
            ours.as_ref().map(|ours| table.get(ours).cloned().unwrap_or_else(|| ours.clone()))
        };
        let preconditions =
            Preconditions { uid: word(&self.uids, &how.uid), resource_version: word(&self.versions, &how.version) };
        let mut params = DeleteParams {
            propagation_policy: how.propagation.map(|p| match p {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Orphan => PropagationPolicy::Orphan,
            }),
            ..DeleteParams::default()
        };
        params.grace_period_seconds = how.grace.map(|seconds| u32::try_from(seconds).expect("a grace period"));
        params.preconditions(preconditions)
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

/// The merge patch that makes `new` of `old`.
fn difference(old: &Value, new: &Value) -> Value {
    let (Some(old), Some(fields)) = (old.as_object(), new.as_object()) else { return new.clone() };
    let gone = old.keys().filter(|key| !fields.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = fields.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    let changed = changed.map(|(key, value)| (key.clone(), difference(old.get(key).unwrap_or(&Value::Null), value)));
    gone.chain(changed).collect()
}
