//! Objects as an API server keeps them: JSON, shared between all who have seen the same version, and read once.

use crate::store::Change;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use ordinal_api::lite;
use ordinal_plan::snapshot::{Claim, Pod, Revision, Service, Set};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt, ops,
    sync::{Arc, OnceLock},
};

pub use ordinal_plan::freshness::Kind;

/// One version of an object.
#[derive(Debug)]
pub struct Object {
    kind: Kind,
    value: Value,
    read: OnceLock<Read>,
}

/// What plans read of an object.
#[derive(Clone, Debug)]
enum Read {
    Set(Result<Arc<Set>, String>),
    Pod(Arc<Pod>),
    Claim(Arc<Claim>),
    Revision(Arc<Revision>),
    Service(Arc<Service>),
    Native,
}

impl Read {
    fn of(kind: Kind, value: &Value) -> Self {
        match kind {
            Kind::Set => Self::Set(Set::read(value.clone()).map(Arc::new).map_err(|e| e.to_string())),
            Kind::Pod => Self::Pod(Arc::new(Pod::from(parse::<lite::Pod>(value)))),
            Kind::Claim => Self::Claim(Arc::new(Claim::from(parse::<lite::Claim>(value)))),
            Kind::Revision => Self::Revision(Arc::new(Revision::from(parse::<lite::Revision>(value)))),
            Kind::Service => Self::Service(Arc::new(Service::from(parse::<lite::Service>(value)))),
            // Nobody plays the built-in controller here: adoptions are tried on the planner and on real clusters.
            Kind::Native => Self::Native,
        }
    }
}

fn parse<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("no API server would store this: {e}: {value:#}"))
}

impl Object {
    /// A version of an object of this kind.
    pub fn new(kind: Kind, value: Value) -> Self {
        Self { kind, value, read: OnceLock::new() }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// As stored.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// As stored, to make another version of it.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// `metadata.name`
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// `metadata.uid`
    pub fn uid(&self) -> &str {
        self.text("uid")
    }

    /// `metadata.resourceVersion`
    pub fn version(&self) -> u64 {
        self.text("resourceVersion").parse().unwrap_or(0)
    }

    /// Whether it has a deletionTimestamp.
    pub fn is_deleting(&self) -> bool {
        !self.value["metadata"]["deletionTimestamp"].is_null()
    }

    /// `metadata.finalizers`
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.value["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// `metadata.ownerReferences`
    pub fn owners(&self) -> Vec<OwnerReference> {
        match &self.value["metadata"]["ownerReferences"] {
            Value::Null => Vec::new(),
            owners => parse(owners),
        }
    }

    /// UID of the owner that controls it.
    pub fn controller(&self) -> Option<String> {
        self.owners().into_iter().find(|o| o.controller == Some(true)).map(|o| o.uid)
    }

    /// A set, or why nobody can plan for it (O-15).
    ///
    /// # Errors
    /// The reason.
    pub fn as_set(&self) -> Result<Arc<Set>, String> {
        match self.read() {
            Read::Set(set) => set.clone(),
            _ => Err(format!("{:?} {} is no set", self.kind, self.name())),
        }
    }

    /// A pod, as plans see it.
    pub fn as_pod(&self) -> Option<Arc<Pod>> {
        if let Read::Pod(pod) = self.read() { Some(pod.clone()) } else { None }
    }

    /// A claim, as plans see it.
    pub fn as_claim(&self) -> Option<Arc<Claim>> {
        if let Read::Claim(claim) = self.read() { Some(claim.clone()) } else { None }
    }

    /// A ControllerRevision, as plans see it.
    pub fn as_revision(&self) -> Option<Arc<Revision>> {
        if let Read::Revision(revision) = self.read() { Some(revision.clone()) } else { None }
    }

    /// A Service, as plans see it.
    pub fn as_service(&self) -> Option<Arc<Service>> {
        if let Read::Service(service) = self.read() { Some(service.clone()) } else { None }
    }

    fn read(&self) -> &Read {
        self.read.get_or_init(|| Read::of(self.kind, &self.value))
    }

    fn text(&self, field: &str) -> &str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }
}

/// Objects of one kind by name. Cloning it copies pointers.
#[derive(Clone)]
pub struct Objects {
    kind: Kind,
    all: BTreeMap<String, Arc<Object>>,
}

impl Objects {
    /// None yet.
    pub fn new(kind: Kind) -> Self {
        Self { kind, all: BTreeMap::new() }
    }

    /// The object of that name, shared.
    pub fn object(&self, name: &str) -> Option<&Arc<Object>> {
        self.all.get(name)
    }

    /// All objects, by name.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.all.values()
    }

    /// The object of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name).map(|o| &o.value)
    }

    /// To change an object behind the API server's back: no version, no history.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let object = self.all.get_mut(name)?;
        *object = Arc::new(Object::new(self.kind, object.value.clone()));
        Arc::get_mut(object).map(|o| &mut o.value)
    }

    /// Puts an object there, whatever was there before.
    pub fn insert(&mut self, name: String, value: Value) -> Arc<Object> {
        let object = Arc::new(Object::new(self.kind, value));
        self.put(name, object.clone());
        object
    }

    /// Puts an object there, whatever was there before.
    pub fn put(&mut self, name: String, object: Arc<Object>) {
        self.all.insert(name, object);
    }

    /// Follows a change of this kind.
    pub fn follow(&mut self, change: &Change) {
        match &change.after {
            Some(object) => self.put(change.name.clone(), object.clone()),
            None => drop(self.remove(&change.name)),
        }
    }

    /// Takes an object away.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.all.remove(name).map(|o| o.value.clone())
    }

    /// Keeps those that `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&String, &Value) -> bool) {
        self.all.retain(|name, object| keep(name, &object.value));
    }

    /// Whether there is one of that name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// Names and objects.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.all.iter().map(|(name, o)| (name, &o.value))
    }

    /// Names.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.all.keys()
    }

    /// Objects.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.all.values().map(|o| &o.value)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl<Q: AsRef<str> + ?Sized> ops::Index<&Q> for Objects {
    type Output = Value;

    fn index(&self, name: &Q) -> &Value {
        self.get(name.as_ref()).unwrap_or_else(|| panic!("there is no {:?} {}", self.kind, name.as_ref()))
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
