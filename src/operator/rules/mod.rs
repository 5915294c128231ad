//! Rules of wiring that a real API server does not show on demand: days in virtual time, caches that lag by a hair, answers
//! like 409 or 500 to one call of many. An API server made of answers, and an operator's parts around it.
//!
//! What a real server does show stands in tests/live, and not here as well.

mod claiming;
mod passes;
mod queue;
mod waking;

use crate::{
    cache::{Cached, Writer},
    collect::Caches,
    controller::Realm,
    events::Events,
    executor::Executor,
    kinds::Observed,
    metrics::Metrics,
    reconcile::{Context, Error, Gate, reconcile},
};
use futures::{StreamExt, TryStreamExt, channel::mpsc, stream};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use kube::{
    Client,
    client::Body,
    runtime::{controller::Action, reflector::store, watcher::Event},
};
use ordinal_plan::snapshot::{Claim, Pod, Revision, Service, Set};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// A call that the server got.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The method, `TRY` for a dry run, and what it was about: `PATCH ordinalsets/web/status`.
    pub words: String,
    /// Null when there was none.
    pub body: Value,
}

/// What a test wants to be answered; `None`: what a server answers when all is well.
type Answers = Box<dyn Fn(&Call) -> Option<(u16, Value)> + Send + Sync>;

/// An API server made of answers. It notes each call, and keeps no more than a pass needs to see of its writes.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    answers: Answers,
    calls: Mutex<Vec<Call>>,
    /// What there is, by plural.
    objects: Mutex<HashMap<String, Vec<Value>>>,
    /// Where watches are fed, by plural.
    watches: Mutex<HashMap<String, Vec<mpsc::UnboundedSender<Value>>>>,
    version: AtomicU64,
    /// How long a write takes.
    delay: Duration,
    writing: AtomicUsize,
    most: AtomicUsize,
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

impl Server {
    /// One that answers so, and takes that long over a write.
    pub fn new(answers: impl Fn(&Call) -> Option<(u16, Value)> + Send + Sync + 'static, delay: Duration) -> Self {
        Self(Arc::new(Inner {
            answers: Box::new(answers),
            calls: Mutex::default(),
            objects: Mutex::default(),
            watches: Mutex::default(),
            version: AtomicU64::new(1_000),
            delay,
            writing: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }))
    }

    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// All calls but events, lists and watches.
    pub fn calls(&self) -> Vec<Call> {
        let calls = lock(&self.0.calls);
        calls.iter().filter(|c| !c.words.contains(" events/") && !c.words.starts_with("LIST")).cloned().collect()
    }

    /// The same in words.
    pub fn words(&self) -> Vec<String> {
        self.calls().into_iter().map(|c| c.words).collect()
    }

    /// The calls that publish events.
    pub fn events(&self) -> Vec<Call> {
        lock(&self.0.calls).iter().filter(|c| c.words.contains(" events/")).cloned().collect()
    }

    /// The notes of events so far.
    pub fn notes(&self) -> Vec<String> {
        self.events().iter().filter_map(|c| c.body["note"].as_str().map(str::to_owned)).collect()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        lock(&self.0.calls).clear();
    }

    /// What is there before the first list.
    pub fn holds(&self, plural: &str, object: Value) {
        lock(&self.0.objects).entry(plural.to_owned()).or_default().push(object);
    }

    /// Somebody else changes an object.
    pub fn change(&self, plural: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let version = self.0.version.fetch_add(1, Ordering::SeqCst).to_string();
        let mut objects = lock(&self.0.objects);
        let mut all = objects.get_mut(plural).into_iter().flatten();
        let object = all.find(|o| o["metadata"]["name"] == name).expect("it is there");
        change(object);
        object["metadata"]["resourceVersion"] = version.into();
        self.tells(plural, "MODIFIED", object);
    }

    /// Somebody else, or the operator, takes an object away.
    pub fn remove(&self, plural: &str, name: &str) {
        let version = self.0.version.fetch_add(1, Ordering::SeqCst).to_string();
        let mut objects = lock(&self.0.objects);
        let Some(all) = objects.get_mut(plural) else { return };
        if let Some(at) = all.iter().position(|o| o["metadata"]["name"] == name) {
            let mut object = all.remove(at);
            object["metadata"]["resourceVersion"] = version.into();
            self.tells(plural, "DELETED", &object);
        }
    }

    /// Tells all watches of a kind.
    pub fn tells(&self, plural: &str, type_: &str, object: &Value) {
        for watch in lock(&self.0.watches).get(plural).into_iter().flatten() {
            let _ = watch.unbounded_send(json!({"type": type_, "object": object}));
        }
    }

    /// Breaks all watches.
    pub fn breaks(&self) {
        lock(&self.0.watches).clear();
    }

    /// How many kinds are watched.
    pub fn watched(&self) -> usize {
        lock(&self.0.watches).values().filter(|all| all.iter().any(|watch| !watch.is_closed())).count()
    }

    /// The most writes that were under way at a time.
    pub fn most_at_once(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let query = head.uri.query().unwrap_or_default();
        let parts: Vec<&str> = head.uri.path().split('/').collect();
        // …/namespaces/<namespace>/<plural>[/<name>[/<subresource>]], or …/<version>/<plural> for all namespaces
        let object = parts.iter().position(|p| *p == "namespaces").map_or(parts.len() - 1, |at| at + 2);
        let plural = parts[object].to_owned();
        let name = match &head.method {
            &Method::POST => body["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            _ => parts[object + 1..].join("/"),
        };
        if head.method == Method::GET && query.contains("watch=") {
            let call = Call { words: format!("WATCH {plural}/"), body: Value::Null };
            let refused = (self.0.answers)(&call);
            return refused.map_or_else(|| self.watch(&plural), |(code, body)| respond(code, stream::iter([body])));
        }
        let method = match &head.method {
            &Method::GET if name.is_empty() => "LIST",
            &Method::POST if query.contains("dryRun") => "TRY",
            other => other.as_str(),
        };
        let call = Call { words: format!("{method} {plural}/{name}"), body };
        lock(&self.0.calls).push(call.clone());
        let writes = head.method != Method::GET && plural != "events";
        if writes {
            let now = self.0.writing.fetch_add(1, Ordering::SeqCst) + 1;
            self.0.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(self.0.delay).await;
            self.0.writing.fetch_sub(1, Ordering::SeqCst);
        }
        let (code, body) = (self.0.answers)(&call).unwrap_or_else(|| self.well(method, &plural, &name, &call.body));
        respond(code, stream::iter([body]))
    }

    /// What a server answers when all is well; it keeps what is made, and the status of sets.
    fn well(&self, method: &str, plural: &str, name: &str, body: &Value) -> (u16, Value) {
        let named = |name: &str| {
            let objects = lock(&self.0.objects);
            objects.get(plural).into_iter().flatten().find(|o| o["metadata"]["name"] == name).cloned()
        };
        match (method, plural) {
            ("LIST", _) => {
                let items = lock(&self.0.objects).get(plural).cloned().unwrap_or_default();
                (200, json!({"metadata": {"resourceVersion": "1"}, "items": items}))
            }
            ("GET", _) => named(name).map_or_else(|| status(404, "NotFound", "not found"), |object| (200, object)),
            ("DELETE", _) => {
                self.remove(plural, name);
                (200, json!({"kind": "Status", "status": "Success"}))
            }
            ("POST", plural) if plural != "events" => {
                let mut object = body.clone();
                object["metadata"]["uid"] = format!("{name}-uid").into();
                let version = self.0.version.fetch_add(1, Ordering::SeqCst).to_string();
                object["metadata"]["resourceVersion"] = version.into();
                self.holds(plural, object.clone());
                self.tells(plural, "ADDED", &object);
                (201, object)
            }
            ("PATCH", "ordinalsets") if named(name.trim_end_matches("/status")).is_some() => {
                let set = name.trim_end_matches("/status");
                self.change(plural, set, |object| object["status"] = body["status"].clone());
                (200, named(set).unwrap_or_default())
            }
            _ => {
                let mut object = body.clone();
                if plural != "events" {
                    let version = self.0.version.fetch_add(1, Ordering::SeqCst).to_string();
                    object["metadata"]["resourceVersion"] = version.into();
                }
                (200, object)
            }
        }
    }

    fn watch(&self, plural: &str) -> Answer {
        let (feed, fed) = mpsc::unbounded();
        lock(&self.0.watches).entry(plural.to_owned()).or_default().push(feed);
        respond(200, fed)
    }
}

fn respond(code: u16, lines: impl futures::Stream<Item = Value> + Send + 'static) -> Answer {
    let frames = lines.map(|value| Ok(Frame::data(Bytes::from(format!("{value}\n")))));
    let body = StreamBody::new(frames.into_stream()).boxed_unsync();
    Response::builder().status(code).body(body).expect("a response")
}

/// A refusal as the API server words it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An operator's parts around a server, its caches filled by hand: one pass at a time.
struct Bench {
    server: Server,
    caches: Arc<Caches>,
    context: Arc<Context>,
    sets: store::Writer<Observed>,
    pods: Writer<Pod>,
    claims: Writer<Claim>,
    revisions: Writer<Revision>,
    _gate: watch::Sender<Gate>,
}

impl Bench {
    /// With empty caches, and a server that answers so.
    fn new(answers: impl Fn(&Call) -> Option<(u16, Value)> + Send + Sync + 'static) -> Self {
        Self::of(Server::new(answers, Duration::ZERO))
    }

    /// With empty caches.
    fn of(server: Server) -> Self {
        let (realm, sets) = Realm::new(None, false);
        let caches = realm.caches.clone();
        let events = Events::spawn(server.client(), "bench");
        let (gate, open) = watch::channel(Gate::Open);
        let context = Arc::new(Context {
            caches: caches.clone(),
            executor: Executor::new(server.client(), caches.clone(), events.clone()),
            book: realm.book.clone(),
            metrics: Metrics::new(true),
            events,
            open,
        });
        let mut bench = Self {
            pods: filled(&caches.pods),
            claims: filled(&caches.claims),
            revisions: filled(&caches.revisions),
            server,
            caches,
            context,
            sets,
            _gate: gate,
        };
        filled::<Service>(&bench.caches.services);
        bench.follow(Event::Init);
        bench.follow(Event::InitDone);
        bench
    }

    /// One that answers as a server does when all is well.
    fn well() -> Self {
        Self::new(|_| None)
    }

    fn follow(&mut self, event: Event<Observed>) {
        self.sets.apply_watcher_event(&event);
        self.caches.sets.follow(&event);
    }

    /// The watch of sets brings this one.
    fn sees_set(&mut self, set: &Value) {
        self.follow(Event::Apply(typed(set)));
    }

    fn sees_pod(&mut self, pod: &Value) {
        self.pods.apply(Event::Apply(typed(pod)));
    }

    fn sees_claim(&mut self, claim: &Value) {
        self.claims.apply(Event::Apply(typed(claim)));
    }

    fn sees_revision(&mut self, revision: &Value) {
        self.revisions.apply(Event::Apply(typed(revision)));
    }

    /// A pass over a set that the cache has.
    async fn pass(&self, set: &Value) -> Result<Action, Error> {
        let done = reconcile(Arc::new(typed(set)), self.context.clone()).await;
        self.context.events.flush().await;
        done
    }
}

fn filled<V: Cached>(cache: &Arc<crate::cache::Cache<V>>) -> Writer<V> {
    let mut writer = Writer::new(cache.clone());
    writer.apply(Event::Init);
    writer.apply(Event::InitDone);
    writer
}

fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("an object of its kind")
}

/// A set `web` of this many pods in the namespace `ns`, UID `set-uid`; `more` goes over its spec.
fn set(replicas: i32, more: Value) -> Value {
    let mut set = json!({
        "apiVersion": "apps.ordinal.dev/v1",
        "kind": "OrdinalSet",
        "metadata": {"namespace": "ns", "name": "web", "uid": "set-uid", "resourceVersion": "10", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
            },
        },
    });
    if let (Some(spec), Value::Object(more)) = (set["spec"].as_object_mut(), more) {
        spec.extend(more);
    }
    set
}

/// The controller reference of [`set`].
fn owner() -> Value {
    json!([{"apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "name": "web", "uid": "set-uid",
        "controller": true, "blockOwnerDeletion": true}])
}

/// A pod of the set [`set`], running and ready, made from its template; UID `<name>-uid`.
fn pod(set: &Value, name: &str, version: u64) -> Value {
    let owned: Value = typed::<Observed>(set).set.map(|s| revision_name(&s).into()).expect("a valid set");
    json!({
        "metadata": {
            "namespace": "ns", "name": name, "uid": format!("{name}-uid"), "resourceVersion": version.to_string(),
            "labels": {"app": "web", "statefulset.kubernetes.io/pod-name": name, "controller-revision-hash": owned},
            "ownerReferences": owner(),
        },
        "spec": {},
        "status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"},
        ]},
    })
}

/// The same without its owner.
fn orphan(mut object: Value) -> Value {
    object["metadata"]["ownerReferences"] = Value::Null;
    object
}

fn revision_name(set: &Set) -> String {
    let hash = ordinal_plan::revision::hash(&ordinal_plan::revision::data(&set.template), 0);
    ordinal_plan::name::revision(&set.name, &hash)
}

/// The revision of the set [`set`], as the operator makes it.
fn revision(set: &Value) -> Value {
    let known = typed::<Observed>(set).set.expect("a valid set");
    let name = revision_name(&known);
    let mut revision = ordinal_plan::revision::desired(&known, &name, "hash", 1);
    revision["metadata"]["uid"] = "revision-uid".into();
    revision["metadata"]["resourceVersion"] = "11".into();
    revision
}
