//! An API server in memory, as far as Ordinal meets one: UIDs, one counter of versions, generations, preconditions,
//! finalizers, graceful deletion, status subresources. `tests/live/double.rs` sends the same calls to a real one and
//! compares the answers. What it leaves out: schemas and defaults, all but one namespace.

use crate::{
    call::{Answer, Call, Deletion, Part, Propagation, Reason, Refusal, Style},
    objects::{Kind, Object, Objects},
    patch,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Keeps a deleted object until the collector has taken its references off its dependents.
pub const ORPHAN: &str = "orphan";
/// Keeps a deleted object until its dependents are gone.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Keeps a deleted claim until no pod uses it.
pub const PVC_PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Natively (S-1.4).
const DEFAULT_GRACE: i64 = 30;

/// The objects of one namespace.
#[derive(Clone, Debug)]
pub struct Store {
    /// The only clock.
    pub now: Timestamp,
    /// OrdinalSets.
    pub sets: Objects,
    /// Pods.
    pub pods: Objects,
    /// Claims.
    pub claims: Objects,
    /// ControllerRevisions.
    pub revisions: Objects,
    /// Services.
    pub services: Objects,
    /// StatefulSets. Nobody here plays their controller, so they are not among the kinds that are watched.
    pub natives: Objects,
    /// Pods whose creation is refused, with the server's words.
    pub refused: BTreeMap<String, String>,
    /// All that was ever written, in order.
    pub history: Vec<Change>,
    last: u64,
}

/// One write, for those who watch.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version that it made.
    pub version: u64,
    /// Where.
    pub kind: Kind,
    /// Where.
    pub name: String,
    /// Absent when the object is new.
    pub before: Option<Arc<Object>>,
    /// Absent when the object is gone.
    pub after: Option<Arc<Object>>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            sets: Objects::new(Kind::Set),
            pods: Objects::new(Kind::Pod),
            claims: Objects::new(Kind::Claim),
            revisions: Objects::new(Kind::Revision),
            services: Objects::new(Kind::Service),
            natives: Objects::new(Kind::Native),
            refused: BTreeMap::new(),
            history: Vec::new(),
            last: 0,
        }
    }
}

impl Store {
    /// All kinds, in the order of their names.
    pub const KINDS: [Kind; 5] = [Kind::Set, Kind::Pod, Kind::Claim, Kind::Revision, Kind::Service];

    /// The objects of a kind.
    pub fn of(&self, kind: Kind) -> &Objects {
        match kind {
            Kind::Set => &self.sets,
            Kind::Pod => &self.pods,
            Kind::Claim => &self.claims,
            Kind::Revision => &self.revisions,
            Kind::Service => &self.services,
            Kind::Native => &self.natives,
        }
    }

    /// All objects.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        Self::KINDS.into_iter().flat_map(|kind| self.of(kind).objects())
    }

    /// Takes over a change that happened elsewhere.
    pub fn follow(&mut self, change: &Change) {
        self.table(change.kind).follow(change);
        self.last = change.version;
        self.history.push(change.clone());
    }

    /// Does what a call asks, or refuses it.
    ///
    /// # Errors
    /// The reason that a real API server gives.
    pub fn apply(&mut self, call: &Call) -> Answer {
        match call {
            Call::Get { kind, name } => self.find(*kind, name).cloned(),
            Call::Create { kind, object, dry_run } => self.create(*kind, object.clone(), *dry_run),
            Call::Replace { kind, name, object, part } => self.replace(*kind, name, object.clone(), *part),
            Call::Patch { kind, name, patch, style, part } => self.patch(*kind, name, patch, *style, *part),
            Call::Delete { kind, name, how } => self.delete(*kind, name, how),
            Call::Bind { pod, node } => self.bind(pod, node),
        }
    }

    fn find(&self, kind: Kind, name: &str) -> Result<&Arc<Object>, Refusal> {
        self.of(kind).object(name).ok_or_else(|| Reason::NotFound.because(format!("{kind:?} {name} not found")))
    }

    fn create(&mut self, kind: Kind, mut object: Value, dry_run: bool) -> Answer {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Reason::Invalid.because("metadata.name: Required value"));
        }
        one_controller(&object)?;
        if let Some(message) = self.refused.get(&name).filter(|_| kind == Kind::Pod) {
            return Err(Reason::Forbidden.because(message.clone()));
        }
        if self.of(kind).contains_key(&name) {
            return Err(Reason::AlreadyExists.because(format!("{kind:?} {name} already exists")));
        }
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        let meta = &mut object["metadata"];
        meta["uid"] = format!("uid-{}", self.last + 1).into();
        meta["creationTimestamp"] = json!(self.now);
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
            meta.as_object_mut().into_iter().for_each(|m| drop(m.remove(field)));
        }
        match kind {
            Kind::Set => meta["generation"] = 1.into(),
            Kind::Pod | Kind::Claim => {
                if kind == Kind::Claim {
                    patch::apply(meta, &json!({"finalizers": [PVC_PROTECTION]}), Style::Strategic);
                }
                object["status"] = json!({"phase": "Pending"});
            }
            Kind::Revision | Kind::Service | Kind::Native => {}
        }
        if dry_run {
            return Ok(Arc::new(Object::new(kind, object)));
        }
        Ok(self.write(kind, name, None, object))
    }

    fn replace(&mut self, kind: Kind, name: &str, object: Value, part: Part) -> Answer {
        let old = self.find(kind, name)?.clone();
        let meta = &object["metadata"];
        if meta["uid"].as_str().is_some_and(|uid| uid != old.uid()) {
            return Err(Reason::Conflict.because(format!("the UID in the precondition is not {}", old.uid())));
        }
        if kind == Kind::Set && meta["resourceVersion"].is_null() {
            return Err(Reason::Invalid.because("metadata.resourceVersion: must be specified for an update"));
        }
        self.update(&old, object, part)
    }

    fn patch(&mut self, kind: Kind, name: &str, change: &Value, style: Style, part: Part) -> Answer {
        if kind == Kind::Set && style == Style::Strategic {
            return Err(Reason::UnsupportedMediaType.because("a custom resource takes no strategic merge patch"));
        }
        let old = self.find(kind, name)?.clone();
        let mut object = old.value().clone();
        patch::apply(&mut object, change, style);
        // The version is judged before the UID, which is one of the fields that do not change.
        fresh(&old, &object)?;
        // The status of a custom resource is all that a write to it looks at, but for the version.
        let looked_at = kind != Kind::Set || part == Part::Main;
        if looked_at && object["metadata"]["uid"] != old.uid() {
            return Err(Reason::Invalid.because("metadata.uid: field is immutable"));
        }
        self.update(&old, object, part)
    }

    /// Stores a new version, if that is allowed. The last finalizer off a deleted object lets it go.
    fn update(&mut self, old: &Arc<Object>, mut object: Value, part: Part) -> Answer {
        fresh(old, &object)?;
        let before = old.value();
        match part {
            Part::Status => {
                let status = object["status"].take();
                object = before.clone();
                object["status"] = status;
            }
            Part::Main => {
                put(&mut object, "status", &before["status"]);
                immutable(old.kind(), before, &object)?;
            }
        }
        let meta = &mut object["metadata"];
        for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
            put(meta, field, &before["metadata"][field]);
        }
        put(meta, "resourceVersion", &before["metadata"]["resourceVersion"]);
        if let Some(fields) = meta.as_object_mut() {
            for field in ["finalizers", "ownerReferences"] {
                if fields.get(field).and_then(Value::as_array).is_some_and(Vec::is_empty) {
                    fields.remove(field);
                }
            }
        }
        one_controller(&object)?;
        if object == *before {
            return Ok(old.clone());
        }
        if old.kind() == Kind::Set && object["spec"] != before["spec"] {
            bump_generation(&mut object);
        }
        let kind = old.kind();
        let new = Object::new(kind, object);
        if old.is_deleting() {
            if let Some(added) = new.finalizers().find(|f| !old.finalizers().any(|known| known == *f)) {
                return Err(Reason::Invalid.because(format!("no new finalizers while it is being deleted: {added}")));
            }
            let ended = new.value()["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0;
            if ended && new.finalizers().next().is_none() {
                return Ok(self.remove(old));
            }
        }
        Ok(self.write(kind, old.name().to_owned(), Some(old.clone()), new.into_value()))
    }

    /// POST to a pod's `binding`: the scheduler's word.
    fn bind(&mut self, pod: &str, node: &str) -> Answer {
        let old = self.find(Kind::Pod, pod)?.clone();
        if old.is_deleting() || old.value()["spec"]["nodeName"].is_string() {
            return Err(Reason::Conflict.because(format!("pod {pod} is being deleted, or assigned to a node already")));
        }
        let mut object = old.value().clone();
        object["spec"]["nodeName"] = node.into();
        Ok(self.write(Kind::Pod, pod.to_owned(), Some(old), object))
    }

    /// Stores an object as it is, UID and all: for states that no sequence of calls here would bring about.
    pub fn plant(&mut self, kind: Kind, object: Value) -> Arc<Object> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let before = self.of(kind).object(&name).cloned();
        self.write(kind, name, before, object)
    }

    fn delete(&mut self, kind: Kind, name: &str, how: &Deletion) -> Answer {
        let old = self.find(kind, name)?.clone();
        let other_uid = how.uid.as_ref().is_some_and(|uid| uid != old.uid());
        let other_version = how.version.as_ref().is_some_and(|v| *v != old.version().to_string());
        if other_uid || other_version {
            let message = format!("the precondition does not match UID {} at {}", old.uid(), old.version());
            return Err(Reason::Conflict.because(message));
        }
        let mut object = old.value().clone();
        let graceful = match kind {
            Kind::Pod => match self.end(&mut object, how.grace) {
                // Nothing else is looked at, finalizers neither.
                Ending::UnderWay => return Ok(old),
                ending => ending == Ending::Graceful,
            },
            _ => false,
        };
        keep_for_dependents(&mut object, how.propagation);
        let held = Object::new(kind, object.clone()).finalizers().next().is_some();
        if !graceful && !held {
            return Ok(self.remove(&old));
        }
        if !graceful {
            // Only finalizers hold it, and they have all the time they need.
            let meta = &mut object["metadata"];
            if !old.is_deleting() {
                meta["deletionTimestamp"] = json!(self.now);
                bump_generation(&mut object);
            }
            object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        }
        if object == *old.value() {
            return Ok(old);
        }
        Ok(self.write(kind, name.to_owned(), Some(old), object))
    }

    /// Marks a pod that a node still has to stop (S-9.8).
    fn end(&self, pod: &mut Value, grace: Option<i64>) -> Ending {
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(DEFAULT_GRACE);
        let ended = matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
        let bound = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
        let meta = &mut pod["metadata"];
        let under_way = meta["deletionGracePeriodSeconds"].as_i64();
        let mut from = self.now;
        let mut seconds = match (under_way, grace) {
            (Some(0), _) => return Ending::AtOnce,
            // A period under way can only be shortened.
            (Some(left), asked) => match asked.map(at_least_one) {
                Some(asked) if asked < left => {
                    let end = meta["deletionTimestamp"].as_str().and_then(|t| t.parse::<Timestamp>().ok());
                    from = end.and_then(|end| end.checked_sub(seconds_of(left)).ok()).unwrap_or(self.now);
                    asked
                }
                _ => return Ending::UnderWay,
            },
            (None, _) if ended || !bound => 0,
            (None, asked) => at_least_one(asked.unwrap_or(own)),
        };
        if seconds == 0 {
            return Ending::AtOnce;
        }
        let mut end = from.checked_add(seconds_of(seconds)).unwrap_or(self.now);
        if end < self.now {
            (end, seconds) = (self.now, 1);
        }
        meta["deletionTimestamp"] = json!(end);
        meta["deletionGracePeriodSeconds"] = seconds.into();
        Ending::Graceful
    }

    fn write(&mut self, kind: Kind, name: String, before: Option<Arc<Object>>, mut object: Value) -> Arc<Object> {
        self.last += 1;
        object["metadata"]["resourceVersion"] = self.last.to_string().into();
        let after = Arc::new(Object::new(kind, object));
        self.table(kind).put(name.clone(), after.clone());
        self.history.push(Change { version: self.last, kind, name, before, after: Some(after.clone()) });
        after
    }

    fn remove(&mut self, old: &Arc<Object>) -> Arc<Object> {
        self.last += 1;
        let (kind, name) = (old.kind(), old.name().to_owned());
        self.table(kind).remove(&name);
        self.history.push(Change { version: self.last, kind, name, before: Some(old.clone()), after: None });
        old.clone()
    }

    fn table(&mut self, kind: Kind) -> &mut Objects {
        match kind {
            Kind::Set => &mut self.sets,
            Kind::Pod => &mut self.pods,
            Kind::Claim => &mut self.claims,
            Kind::Revision => &mut self.revisions,
            Kind::Service => &mut self.services,
            Kind::Native => &mut self.natives,
        }
    }
}

/// How a pod's deletion goes on.
#[derive(PartialEq)]
enum Ending {
    /// There is nothing to wait for.
    AtOnce,
    /// Its node has so long from now on.
    Graceful,
    /// It had been asked for, and goes on as it was.
    UnderWay,
}

fn seconds_of(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn at_least_one(grace: i64) -> i64 {
    if grace < 0 { 1 } else { grace }
}

fn put(object: &mut Value, field: &str, value: &Value) {
    let Some(fields) = object.as_object_mut() else { return };
    if value.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), value.clone());
    }
}

fn bump_generation(object: &mut Value) {
    if let Some(generation) = object["metadata"]["generation"].as_i64() {
        object["metadata"]["generation"] = (generation + 1).into();
    }
}

/// The finalizers that a propagation policy asks for. Without one, those that are there stay.
fn keep_for_dependents(object: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else { return };
    let kept = Object::new(Kind::Pod, object.clone());
    let mut finalizers: Vec<&str> = kept.finalizers().filter(|f| *f != ORPHAN && *f != FOREGROUND).collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(FOREGROUND),
        Propagation::Orphan => finalizers.push(ORPHAN),
    }
    let finalizers = if finalizers.is_empty() { Value::Null } else { json!(finalizers) };
    put(&mut object["metadata"], "finalizers", &finalizers);
}

/// Whether a write was made from the version that is stored, if it says which.
fn fresh(old: &Object, new: &Value) -> Result<(), Refusal> {
    match new["metadata"]["resourceVersion"].as_str() {
        Some(version) if version != old.version().to_string() => {
            Err(Reason::Conflict
                .because("the object has been modified; please apply your changes to the latest version"))
        }
        _ => Ok(()),
    }
}

fn one_controller(object: &Value) -> Result<(), Refusal> {
    let owners = object["metadata"]["ownerReferences"].as_array();
    if owners.into_iter().flatten().filter(|o| o["controller"] == true).count() > 1 {
        return Err(Reason::Invalid.because("Only one reference can have Controller set to true"));
    }
    Ok(())
}

/// What never changes in a stored object; for sets admission says more (O-3).
fn immutable(kind: Kind, old: &Value, new: &Value) -> Result<(), Refusal> {
    let same = match kind {
        Kind::Pod => same_but(&old["spec"], &new["spec"], |spec| {
            for container in spec["containers"].as_array_mut().into_iter().flatten() {
                container["image"].take();
            }
        }),
        Kind::Claim => same_but(&old["spec"], &new["spec"], |spec| {
            spec["resources"].take();
            spec["volumeName"].take();
        }),
        Kind::Revision => old["data"] == new["data"],
        Kind::Set | Kind::Service | Kind::Native => true,
    };
    if same { Ok(()) } else { Err(Reason::Invalid.because("a field that never changes was changed")) }
}

fn same_but(old: &Value, new: &Value, blank: impl Fn(&mut Value)) -> bool {
    let (mut old, mut new) = (old.clone(), new.clone());
    blank(&mut old);
    blank(&mut new);
    old == new
}
