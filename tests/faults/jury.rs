//! What an operator has done, judged afterwards by the rules of the simulation: each call against what it was shown before, each
//! write against the objects as they really were just then. A pass may have begun some time before its call, and nobody sees when:
//! a call breaks a rule if nothing that was shown within that time explains it.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;
use ordinal_sim::{
    call::Call,
    never::{self, Ledger, Write},
    objects::{Kind, Object, Objects},
    promises,
    store::{Change, Store},
    workload::SET,
};
use ordinal_tests::record::{Version, Watched};

use crate::{
    protocol::{Called, Entry, Extent, Protocol},
    trial::Trial,
};

/// A pass may have begun so long before its call.
const PASS: Duration = Duration::from_secs(3);

/// What is sent at the same time comes within this.
const ON_ITS_WAY: Duration = Duration::from_millis(200);

/// How much of each kind an operator knows.
type Known = [Extent; 5];

/// Everything that was wrong.
pub fn judge(protocol: &Protocol, history: &[Version], trial: &Trial) -> Vec<String> {
    let past = Past::of(history);
    let reach = PASS + trial.hides_for();
    let (mut known, mut views) = (HashMap::new(), Vec::<(Instant, Known)>::new());
    let (mut read, mut held, mut latest) = (None, None, 0);
    let (mut store, mut ledger) = (Store::default(), Ledger::default());
    let mut wrong = Vec::new();
    for entry in &protocol.0 {
        match entry {
            Entry::Started => {
                known.clear();
                views.clear();
                (read, held) = (None, None);
            }
            Entry::Held { at, pause } => held = Some((*at, *pause)),
            Entry::Shown { at, kind, extent } => {
                known.insert(*kind, *extent);
                // It plans nothing before it has listed all.
                if known.len() == Store::KINDS.len() {
                    views.push((*at, Store::KINDS.map(|kind| known[&kind])));
                }
            }
            Entry::Called(called) => {
                wrong.extend(held.and_then(|held| impatience(called, held)));
                // What it can have been shown when its pass began, the newest first.
                let old = views.partition_point(|(at, _)| *at + reach < called.at).saturating_sub(1);
                let views: BTreeSet<Known> = views[old..].iter().map(|(_, known)| *known).collect();
                let views = views.iter().rev().map(|known| past.view(known));
                // Its own writes are there, whether the watch had shown them by then or not.
                latest = latest.max(past.moment(called));
                past.bring(&mut store, latest);
                store.now = Timestamp::now().saturating_sub(called.at.elapsed()).unwrap_or(store.now);
                let broken = Case { past: &past, called, store: &store, read }.judge(views, &mut ledger);
                latest = latest.max(called.answer.as_ref().map_or(0, |object| object.version()));
                wrong.extend(broken.into_iter().map(|broken| format!("{broken}\n  by {}", called.call)));
                if matches!(called.call, Call::Get { kind: Kind::Set, .. }) && called.answer.is_ok() {
                    read = Some(called);
                }
                // Whoever is told of nothing or of old cannot know what is unavailable.
                if !trial.weather.deceives() {
                    wrong.extend(ledger.overdrawn().map(|broken| format!("{broken:?}\n  by {}", called.call)));
                }
            }
        }
    }
    wrong
}

/// A call before the time is over for which the operator was asked to wait (F6). What was on its way already may still come.
fn impatience(called: &Called, (since, pause): (Instant, Duration)) -> Option<String> {
    let after = called.at.saturating_duration_since(since);
    let early = after > ON_ITS_WAY && after + ON_ITS_WAY < pause;
    early.then(|| format!("it was asked to wait {pause:?}, and calls after {after:?}\n  by {}", called.call))
}

/// A call on trial.
struct Case<'a> {
    past: &'a Past,
    called: &'a Called,
    /// The objects as they were.
    store: &'a Store,
    /// The last live read of the set.
    read: Option<&'a Called>,
}

impl Case<'_> {
    /// The rules that none of the views explains.
    fn judge(&self, views: impl Iterator<Item = [Objects; 5]>, ledger: &mut Ledger) -> Vec<String> {
        let Called { call, answer, at, .. } = self.called;
        let before = self.past.before(self.called);
        let mut least: Option<Vec<_>> = None;
        ledger.follow(self.store);
        for view in views {
            let Some(set) = view[Kind::Set as usize].object(SET).and_then(|set| set.as_set().ok()) else { continue };
            let confirmed = self.read.is_some_and(|read| {
                let same = |live: &Arc<Object>| live.uid() == set.uid && !live.is_deleting();
                *at - read.at < PASS && read.answer.as_ref().is_ok_and(same)
            });
            let write = Write { call, before: before.as_deref(), answer, confirmed };
            let mut broken = never::judge(&write, &set, &view);
            broken.extend(promises::judge(&write, &set, &view, self.store));
            if least.is_none() {
                ledger.wrote(&write, &set, &view, self.store.now);
            }
            if least.as_ref().is_none_or(|least| broken.len() < least.len()) {
                least = Some(broken);
            }
        }
        match least {
            Some(least) => least.iter().map(|broken| format!("{broken:?}")).collect(),
            None => vec![format!("a call of an operator that was shown no set; before: {before:?}")],
        }
    }
}

/// What really happened.
struct Past {
    /// With the time when each was seen, in the order of the versions.
    changes: Vec<(Instant, Change)>,
    views: RefCell<HashMap<(Kind, u64), Objects>>,
}

impl Past {
    fn of(history: &[Version]) -> Self {
        let mut versions: Vec<(Instant, Kind, bool, Arc<Object>)> = history
            .iter()
            .map(|version| {
                let kind = match version.kind {
                    Watched::Set => Kind::Set,
                    Watched::Pod => Kind::Pod,
                    Watched::Claim => Kind::Claim,
                    Watched::Revision => Kind::Revision,
                };
                (version.at, kind, version.gone, Arc::new(Object::new(kind, version.object.clone())))
            })
            .collect();
        versions.sort_by_key(|(.., object)| object.version());
        let mut now: HashMap<(Kind, String), Arc<Object>> = HashMap::new();
        let changes = versions.into_iter().map(|(at, kind, gone, object)| {
            let (name, version) = (object.name().to_owned(), object.version());
            let after = (!gone).then_some(object);
            let before = match &after {
                Some(object) => now.insert((kind, name.clone()), object.clone()),
                None => now.remove(&(kind, name.clone())),
            };
            (at, Change { version, kind, name, before, after })
        });
        Self { changes: changes.collect(), views: RefCell::default() }
    }

    /// All kinds, each as far as it is known.
    fn view(&self, known: &Known) -> [Objects; 5] {
        Store::KINDS.map(|kind| {
            let Extent { version, objects } = known[kind as usize];
            let mut view = self.as_of(kind, version);
            let mut told = 0;
            view.retain(|_, _| {
                told += 1;
                told <= objects
            });
            view
        })
    }

    /// The objects of a kind at a version.
    fn as_of(&self, kind: Kind, version: u64) -> Objects {
        let mut views = self.views.borrow_mut();
        let view = views.entry((kind, version)).or_insert_with(|| {
            let mut objects = Objects::new(kind);
            let changes = self.changes.iter().map(|(_, change)| change);
            changes
                .take_while(|c| c.version <= version)
                .filter(|c| c.kind == kind)
                .for_each(|c| follow(&mut objects, c));
            objects
        });
        view.clone()
    }

    /// The last version before a call had its effect.
    fn moment(&self, called: &Called) -> u64 {
        let answered = called.answer.as_ref().map_or(0, |object| object.version());
        let seen =
            |(at, change): &&(Instant, Change)| *at <= called.at && (answered == 0 || change.version <= answered);
        let seen = self.changes.iter().rev().find(seen).map_or(0, |(_, change)| change.version);
        // What was there already has not been brought about by this call.
        seen.max(answered.saturating_sub(1))
    }

    /// The object that a call was about, as it was then.
    fn before(&self, called: &Called) -> Option<Arc<Object>> {
        self.as_of(called.call.kind(), self.moment(called)).object(called.call.name()).cloned()
    }

    /// Brings a store up to a version, if it is not further.
    fn bring(&self, store: &mut Store, version: u64) {
        for (_, change) in self.changes[store.history.len()..].iter().take_while(|(_, c)| c.version <= version) {
            let objects = match change.kind {
                Kind::Set => &mut store.sets,
                Kind::Pod => &mut store.pods,
                Kind::Claim => &mut store.claims,
                Kind::Revision => &mut store.revisions,
                Kind::Service => &mut store.services,
            };
            follow(objects, change);
            store.history.push(change.clone());
        }
    }
}

fn follow(objects: &mut Objects, change: &Change) {
    match &change.after {
        Some(object) => objects.put(change.name.clone(), object.clone()),
        None => drop(objects.remove(&change.name)),
    }
}

#[cfg(test)]
mod tests {
    //! The jury finds what breaks a rule, and nothing that was right when it was decided.

    use http::{Method, StatusCode};
    use ordinal_api::LABEL_REVISION;
    use ordinal_plan::revision;
    use ordinal_sim::workload::Workload;
    use ordinal_tests::proxy::Asked;
    use serde_json::{Value, json};

    use super::*;

    /// A set at version 2 of one pod at version 4, both of revision web-a; at 5 it wants another image.
    struct Told {
        history: Vec<Version>,
        protocol: Protocol,
        calls: usize,
    }

    fn told() -> Told {
        let mut told = Told { history: Vec::new(), protocol: Protocol::default(), calls: 0 };
        told.protocol.started();
        told.happens(2, Watched::Set, "web", &set("a", 1));
        let owner =
            json!([{"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": "web", "controller": true}]);
        let data = revision::data(&set("a", 1)["spec"]["template"]);
        told.happens(
            3,
            Watched::Revision,
            "web-a",
            &json!({"metadata": {"ownerReferences": owner}, "data": data, "revision": 1}),
        );
        let labels = json!({"app": "web", LABEL_REVISION: "web-a"});
        let ready = json!({"type": "Ready", "status": "True"});
        let pod = json!({
            "metadata": {"labels": labels, "ownerReferences": owner},
            "spec": {"containers": []},
            "status": {"phase": "Running", "conditions": [ready]},
        });
        told.happens(4, Watched::Pod, "web-0", &pod);
        told.happens(5, Watched::Set, "web", &set("b", 2));
        told
    }

    fn set(image: &str, generation: i64) -> Value {
        let containers = json!([{"name": "c", "image": image}]);
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}});
        let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template});
        json!({"metadata": {"namespace": "ns", "generation": generation}, "spec": spec})
    }

    impl Told {
        fn happens(&mut self, version: u64, kind: Watched, name: &str, object: &Value) {
            let mut object = object.clone();
            object["metadata"]["name"] = name.into();
            object["metadata"]["uid"] = name.into();
            object["metadata"]["resourceVersion"] = version.to_string().into();
            self.history.push(Version { at: Instant::now(), kind, object, gone: false });
        }

        /// And everything else up to the end.
        fn shows_sets_up_to(&mut self, version: u64) {
            let others = ["pods", "persistentvolumeclaims", "controllerrevisions", "services"].map(|kind| (kind, 5));
            for (kind, version) in [("ordinalsets", version)].into_iter().chain(others) {
                let asked = asked(0, Method::GET, &format!("/apis/group/v1/namespaces/ns/{kind}"), &Value::Null);
                self.protocol.shown(&asked, &version.to_string().into());
            }
        }

        fn calls(&mut self, method: Method, path: &str, body: &Value) {
            self.calls += 1;
            let asked = asked(self.calls, method, path, body);
            self.protocol.called(&asked);
            self.protocol.answered(&asked, StatusCode::OK, b"{\"metadata\": {\"resourceVersion\": \"6\"}}");
        }

        fn deletes_the_pod_of(&mut self, uid: &str) -> String {
            let path = "/api/v1/namespaces/ns/pods/web-0";
            self.calls(Method::DELETE, path, &json!({"preconditions": {"uid": uid}}));
            judge(&self.protocol, &self.history, &Trial::calm(Workload::W1)).join("\n")
        }
    }

    fn asked(number: usize, method: Method, path: &str, body: &Value) -> Asked {
        let (path, query, content_type) = (path.to_owned(), String::new(), String::new());
        Asked {
            number,
            version: http::Version::HTTP_11,
            method,
            path,
            query,
            content_type,
            body: body.to_string().into(),
            life: 0,
        }
    }

    #[test]
    fn what_it_was_shown_explains_what_it_does() {
        let mut told = told();
        told.shows_sets_up_to(5);
        assert_eq!(told.deletes_the_pod_of("web-0"), "", "it is outdated");
    }

    #[test]
    fn i2_what_it_was_not_shown_explains_nothing() {
        let mut told = told();
        told.shows_sets_up_to(4);
        let wrong = told.deletes_the_pod_of("web-0");
        assert!(wrong.contains("I2"), "the set wanted it, as far as was known: {wrong}");
    }

    #[test]
    fn n_3_another_uid_than_was_shown_is_found() {
        let mut told = told();
        told.shows_sets_up_to(5);
        let wrong = told.deletes_the_pod_of("another");
        assert!(wrong.contains("N-3"), "{wrong}");
    }

    #[test]
    fn a_new_operator_knows_nothing() {
        let mut told = told();
        told.shows_sets_up_to(5);
        told.protocol.started();
        let wrong = told.deletes_the_pod_of("web-0");
        assert!(wrong.contains("shown no set"), "{wrong}");
    }
}
