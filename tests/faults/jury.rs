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
    call::{Call, Part},
    never::{self, Ledger, Write},
    objects::{Kind, Object, Objects},
    promises,
    store::{Change, Store},
    workload::SET,
};
use ordinal_tests::record::{Version, Watched};

use crate::{
    protocol::{Called, Entry, Protocol},
    trial::Trial,
};

/// Between two calls of a pass, and before its first, there is no more time than this, on a busy machine too.
const PASS: Duration = Duration::from_secs(3);

/// What is sent at the same time comes within this.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// A live read answers for adoptions for five seconds, from when the operator has heard it until they are sent.
const READ_HOLDS: Duration = Duration::from_secs(6);

/// How much of a kind an operator knows: the first objects as they were listed, and what came since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Extent {
    version: u64,
    listed: u64,
    objects: usize,
}

/// How much of each kind.
type Known = [Extent; 5];

/// Everything that was wrong.
pub fn judge(protocol: &Protocol, history: &[Version], trial: &Trial) -> Vec<String> {
    let mut court = Court { past: Past::of(history), deceived: trial.weather.deceives(), ..Court::default() };
    protocol.0.iter().for_each(|entry| court.hear(entry));
    court.wrong
}

/// What has been heard so far.
#[derive(Default)]
struct Court {
    past: Past,
    deceived: bool,
    known: HashMap<Kind, Extent>,
    /// What was sent, and is in no view yet: not all kinds are listed.
    sent: Vec<(Kind, Extent)>,
    views: Vec<(Instant, Known)>,
    /// Calls of the same life.
    calls: Vec<Called>,
    held: Option<(Instant, Duration)>,
    store: Store,
    ledger: Ledger,
    wrong: Vec<String>,
}

impl Court {
    fn hear(&mut self, entry: &Entry) {
        match entry {
            Entry::Started => {
                self.known.clear();
                self.sent.clear();
                self.views.clear();
                self.calls.clear();
                self.held = None;
            }
            Entry::Listed { at, kind, version, objects } => {
                let extent = Extent { version: *version, listed: *version, objects: *objects };
                self.knows(*at, *kind, extent);
            }
            Entry::Shown { at, kind, version } => {
                if let Some(extent) = self.known.get(kind) {
                    self.knows(*at, *kind, Extent { version: extent.version.max(*version), ..*extent });
                }
            }
            Entry::Held { at, pause } => self.held = Some((*at, *pause)),
            Entry::Strange(call) => self.wrong.push(format!("a call that nobody can judge: {call}")),
            Entry::Called(called) => {
                let broken = self.broken_by(called).into_iter().map(|broken| format!("{broken}\n  by {}", called.call));
                self.wrong.extend(broken);
                self.calls.push(called.clone());
            }
        }
    }

    fn knows(&mut self, at: Instant, kind: Kind, extent: Extent) {
        self.known.insert(kind, extent);
        self.sent.push((kind, extent));
        // It plans nothing before it has listed all.
        if self.known.len() < Store::KINDS.len() {
            return;
        }
        let mut view = self.views.last().map_or_else(|| self.first(), |(_, view)| *view);
        for (kind, extent) in self.sent.drain(..) {
            view[kind as usize] = extent;
            self.views.push((at, view));
        }
    }

    /// Each kind as it was listed: what was sent of one meanwhile may be heard after the list of another.
    fn first(&self) -> Known {
        let first: HashMap<Kind, Extent> = self.sent.iter().rev().copied().collect();
        Store::KINDS.map(|kind| first[&kind])
    }

    /// The rules that none of the views explains which the operator may have had when the call's pass began.
    fn broken_by(&mut self, called: &Called) -> Vec<String> {
        let Called { call, answer, .. } = called;
        let mut wrong: Vec<String> = self.held.and_then(|held| impatience(called, held)).into_iter().collect();
        let before = self.past.before(called);
        // Its own writes are there, whether the watch had shown them by then or not.
        let own = self.calls.iter().filter_map(|call| Some(call.answer.as_ref().ok()?.version())).max();
        self.past.bring(&mut self.store, self.past.moment(called).max(own.unwrap_or(0)));
        self.store.now = Timestamp::now().saturating_sub(called.at.elapsed()).unwrap_or(self.store.now);
        self.ledger.follow(&self.store);

        let read = self.calls.iter().rev().find(|call| matches!(call.call, Call::Get { kind: Kind::Set, .. }));
        let mut least: Option<Vec<_>> = None;
        let mut takes = true;
        for view in self.views_before(called) {
            let Some(set) = view[Kind::Set as usize].object(SET).and_then(|set| set.as_set().ok()) else { continue };
            let same = |live: &Arc<Object>| live.uid() == set.uid && !live.is_deleting();
            let confirmed = read.is_some_and(|read| {
                let fresh = called.at.saturating_duration_since(read.until) < READ_HOLDS;
                fresh && read.heard && read.answer.as_ref().is_ok_and(same)
            });
            let write = Write { call, before: before.as_deref(), answer, confirmed };
            let mut broken = never::judge(&write, &set, &view);
            broken.extend(promises::judge(&write, &set, &view, &self.store));
            takes &= Ledger::takes(&write, &set, &view, self.store.now).is_some();
            if takes && least.is_none() {
                self.ledger.wrote(&write, &set, &view, self.store.now);
            }
            if least.as_ref().is_none_or(|least| broken.len() < least.len()) {
                least = Some(broken);
            }
        }
        match least {
            Some(least) => wrong.extend(least.iter().map(|broken| format!("{broken:?}"))),
            None => wrong.push(format!("a call of an operator that was shown no set; before: {before:?}")),
        }
        // Whoever is told of nothing or of old cannot know what is unavailable.
        if takes && !self.deceived {
            wrong.extend(self.ledger.overdrawn().map(|broken| format!("{broken:?}")));
        }
        wrong
    }

    /// What the operator knew at any moment at which a call's pass may have begun, the newest first.
    fn views_before(&self, called: &Called) -> Vec<[Objects; 5]> {
        let begun = self.begun(called);
        let old = self.views.partition_point(|(at, _)| *at + PASS < begun).saturating_sub(1);
        let all: BTreeSet<Known> = self.views[old..].iter().map(|(_, known)| *known).collect();
        all.iter().rev().map(|known| self.past.view(known)).collect()
    }

    /// The first call that may be of the same pass: one follows the other, and a status is the last.
    fn begun(&self, called: &Called) -> Instant {
        let is_status = |call: &Call| matches!(call, Call::Patch { part: Part::Status, .. });
        let mut begun = called.at;
        for earlier in self.calls.iter().rev().take_while(|earlier| !is_status(&earlier.call)) {
            let held = self.held.filter(|(since, _)| (earlier.at..=begun).contains(since));
            let longest = PASS + held.map_or(Duration::ZERO, |(_, pause)| pause);
            if begun.saturating_duration_since(earlier.until) > longest {
                break;
            }
            begun = begun.min(earlier.at);
        }
        begun
    }
}

/// A call before the time is over for which the operator was asked to wait (F6). What was on its way already may still come; a
/// status or a read is never sent along with others.
fn impatience(called: &Called, (since, pause): (Instant, Duration)) -> Option<String> {
    let after = called.at.saturating_duration_since(since);
    let alone = matches!(called.call, Call::Patch { part: Part::Status, .. } | Call::Get { .. });
    let early = called.at > since && (alone || after > ON_ITS_WAY) && after + ON_ITS_WAY < pause;
    early.then(|| format!("F6: it was asked to wait {pause:?}, and calls after {after:?}"))
}

/// What really happened.
#[derive(Default)]
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
            let Extent { version, listed, objects } = known[kind as usize];
            if objects == usize::MAX {
                return self.as_of(kind, version);
            }
            let mut view = self.as_of(kind, listed);
            let mut told = 0;
            view.retain(|_, _| {
                told += 1;
                told <= objects
            });
            let since = |change: &&Change| change.kind == kind && (listed + 1..=version).contains(&change.version);
            self.changes.iter().map(|(_, change)| change).filter(since).for_each(|change| view.follow(change));
            view
        })
    }

    /// The objects of a kind at a version.
    fn as_of(&self, kind: Kind, version: u64) -> Objects {
        let mut views = self.views.borrow_mut();
        let view = views.entry((kind, version)).or_insert_with(|| {
            let mut objects = Objects::new(kind);
            let changes = self.changes.iter().map(|(_, change)| change);
            changes.take_while(|c| c.version <= version).filter(|c| c.kind == kind).for_each(|c| objects.follow(c));
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
        let to_come = self.changes[store.history.len()..].iter().map(|(_, change)| change);
        to_come.take_while(|change| change.version <= version).for_each(|change| store.follow(change));
    }
}

#[cfg(test)]
mod tests {
    //! The jury finds what breaks a rule, and nothing that was right when it was decided.

    use http::{Method, StatusCode};
    use ordinal_api::LABEL_REVISION;
    use ordinal_plan::revision;
    use ordinal_sim::{fault::Fault, workload::Workload};
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::tests::asked;

    /// A set at version 2, its revision at 3, its two pods, both of that revision and ready, at 4 and 5; an orphan at 6; at 7 the
    /// set wants another image.
    struct Told {
        history: Vec<Version>,
        protocol: Protocol,
        calls: usize,
        trial: Trial,
    }

    fn told() -> Told {
        let trial = Trial::calm(Workload::W1);
        let mut told = Told { history: Vec::new(), protocol: Protocol::default(), calls: 0, trial };
        told.protocol.started();
        told.happens(2, Watched::Set, "web", &set("a", 1));
        let owner =
            json!([{"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": "web", "controller": true}]);
        let data = revision::data(&set("a", 1)["spec"]["template"]);
        let recorded = json!({"metadata": {"ownerReferences": owner}, "data": data, "revision": 1});
        told.happens(3, Watched::Revision, "web-a", &recorded);
        for (version, name, owner) in [(4, "web-0", &owner), (5, "web-1", &owner), (6, "web-2", &json!([]))] {
            told.happens(version, Watched::Pod, name, &pod(owner));
        }
        told.happens(7, Watched::Set, "web", &set("b", 2));
        told
    }

    fn set(image: &str, generation: i64) -> Value {
        let containers = json!([{"name": "c", "image": image}]);
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}});
        let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template});
        json!({"metadata": {"namespace": "ns", "generation": generation}, "spec": spec})
    }

    fn pod(owner: &Value) -> Value {
        json!({
            "metadata": {"labels": {"app": "web", LABEL_REVISION: "web-a"}, "ownerReferences": owner},
            "spec": {"containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        })
    }

    impl Told {
        fn happens(&mut self, version: u64, kind: Watched, name: &str, object: &Value) {
            let mut object = object.clone();
            object["metadata"]["name"] = name.into();
            object["metadata"]["uid"] = name.into();
            object["metadata"]["resourceVersion"] = version.to_string().into();
            self.history.push(Version { at: Instant::now(), kind, object, gone: false });
        }

        /// Everything, but sets and pods up to a version only.
        fn lists(mut self, sets: u64, pods: u64) -> Self {
            let others = ["persistentvolumeclaims", "controllerrevisions", "services"].map(|kind| (kind, 7));
            for (kind, version) in [("ordinalsets", sets), ("pods", pods)].into_iter().chain(others) {
                let asked = asked(0, Method::GET, kind, &Value::Null);
                self.protocol.listed(&asked, &version.to_string().into(), usize::MAX);
            }
            self
        }

        fn calls(&mut self, method: Method, path: &str, body: &Value, fault: Option<Fault>, answer: &Value) {
            self.calls += 1;
            let asked = asked(self.calls, method, path, body);
            self.protocol.called(&asked, Instant::now(), fault);
            self.protocol.answered(&asked, StatusCode::OK, answer.to_string().as_bytes());
        }

        fn deletes(&mut self, pod: &str, uid: &str) {
            let answer = json!({"metadata": {"resourceVersion": (7 + self.calls + 1).to_string()}});
            let body = json!({"preconditions": {"uid": uid}});
            self.calls(Method::DELETE, &format!("pods/{pod}"), &body, None, &answer);
        }

        fn reads_the_set(&mut self, fault: Option<Fault>) {
            let live = json!({"metadata": {"uid": "web", "resourceVersion": "7"}});
            self.calls(Method::GET, "ordinalsets/web", &Value::Null, fault, &live);
        }

        fn adopts(&mut self) {
            let owner =
                json!([{"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": "web", "controller": true}]);
            let mut adopted = pod(&owner);
            adopted["metadata"]["name"] = "web-2".into();
            adopted["metadata"]["uid"] = "web-2".into();
            adopted["metadata"]["resourceVersion"] = "8".into();
            let body = json!({"metadata": {"uid": "web-2", "ownerReferences": owner}});
            self.calls(Method::PATCH, "pods/web-2", &body, None, &adopted);
        }

        fn is_judged(&self) -> String {
            judge(&self.protocol, &self.history, &self.trial).join("\n")
        }
    }

    #[test]
    fn what_it_was_shown_explains_what_it_does() {
        let mut told = told().lists(7, 7);
        told.deletes("web-1", "web-1");
        assert_eq!(told.is_judged(), "", "it is outdated");
    }

    #[test]
    fn news_of_one_kind_may_be_heard_after_the_list_of_another_but_not_long_after() {
        let judged = |ago: Duration| {
            let mut told = told().lists(6, 7);
            told.protocol.shown(&asked(0, Method::GET, "ordinalsets", &Value::Null), &"7".into());
            // Sent right after the list of sets, before the other lists.
            told.protocol.0[2..].rotate_right(1);
            for entry in &mut told.protocol.0 {
                if let Entry::Listed { at, .. } | Entry::Shown { at, .. } = entry {
                    *at -= ago;
                }
            }
            let status = json!({"metadata": {"uid": "web", "resourceVersion": "2"}, "status": {}});
            let answer = json!({"metadata": {"name": "web", "uid": "web", "resourceVersion": "8"}});
            told.calls(Method::PATCH, "ordinalsets/web/status", &status, None, &answer);
            told.is_judged()
        };
        assert_eq!(judged(Duration::ZERO), "");
        assert!(judged(PASS * 2).contains("N-3"), "it knew a newer set: {}", judged(PASS * 2));
    }

    #[test]
    fn i2_what_it_was_not_shown_explains_nothing() {
        let mut told = told().lists(6, 7);
        told.deletes("web-1", "web-1");
        assert!(told.is_judged().contains("I2"), "the set wanted it, as far as was known: {}", told.is_judged());
    }

    #[test]
    fn what_was_shown_long_before_explains_nothing() {
        let mut told = told().lists(7, 7);
        let mut gone = told.history[3].clone();
        (gone.object["metadata"]["resourceVersion"], gone.gone) = ("8".into(), true);
        told.history.push(gone);
        told.protocol.shown(&asked(0, Method::GET, "pods", &Value::Null), &"8".into());
        for entry in &mut told.protocol.0 {
            if let Entry::Listed { at, .. } | Entry::Shown { at, .. } = entry {
                *at -= PASS * 2;
            }
        }
        told.deletes("web-1", "web-1");
        assert!(told.is_judged().contains("N-3"), "it was known to be gone: {}", told.is_judged());
    }

    #[test]
    fn what_a_pass_knew_before_a_pause_that_was_asked_for_explains_what_it_does_after_it() {
        let judged = |pause: Option<Duration>| {
            let mut told = told().lists(7, 7);
            told.reads_the_set(None);
            pause.into_iter().for_each(|pause| told.protocol.held(pause));
            let mut gone = told.history[3].clone();
            (gone.object["metadata"]["resourceVersion"], gone.gone) = ("8".into(), true);
            told.history.push(gone);
            told.protocol.shown(&asked(0, Method::GET, "pods", &Value::Null), &"8".into());
            for entry in &mut told.protocol.0 {
                match entry {
                    Entry::Listed { at, .. } | Entry::Shown { at, .. } | Entry::Held { at, .. } => *at -= PASS * 2,
                    Entry::Called(called) => {
                        (called.at, called.until) = (called.at - PASS * 2, called.until - PASS * 2)
                    }
                    _ => {}
                }
            }
            told.deletes("web-1", "web-1");
            told.is_judged()
        };
        assert_eq!(judged(Some(PASS * 2)), "");
        assert!(judged(None).contains("N-3"), "it was known to be gone: {}", judged(None));
    }

    #[test]
    fn n_3_another_uid_than_was_shown_is_found() {
        let mut told = told().lists(7, 7);
        told.deletes("web-1", "another");
        assert!(told.is_judged().contains("N-3"), "{}", told.is_judged());
    }

    #[test]
    fn n_3_an_adoption_needs_a_live_read_that_was_heard_and_is_not_old() {
        let judged = |read: &dyn Fn(&mut Told)| {
            let mut told = told().lists(7, 7);
            read(&mut told);
            told.adopts();
            told.is_judged()
        };
        assert_eq!(judged(&|told| told.reads_the_set(None)), "");
        assert!(judged(&|_| {}).contains("N-3"), "unread");
        assert!(judged(&|told| told.reads_the_set(Some(Fault::LostReply))).contains("N-3"), "unheard");
        let long_ago = judged(&|told| {
            told.reads_the_set(None);
            if let Some(Entry::Called(read)) = told.protocol.0.last_mut() {
                read.until -= READ_HOLDS;
            }
        });
        assert!(long_ago.contains("N-3"), "long ago: {long_ago}");
    }

    #[test]
    fn n_7_a_second_pod_beyond_the_budget_is_found() {
        let mut told = told().lists(7, 7);
        told.deletes("web-1", "web-1");
        assert_eq!(told.is_judged(), "");
        told.deletes("web-0", "web-0");
        assert!(told.is_judged().contains("N-7"), "{}", told.is_judged());
    }

    #[test]
    fn f6_a_call_amid_the_pause_that_was_asked_for_is_found() {
        let mut told = told().lists(7, 7);
        told.protocol.held(Duration::from_secs(3));
        std::thread::sleep(Duration::from_millis(2));
        told.reads_the_set(None);
        assert!(told.is_judged().contains("F6"), "{}", told.is_judged());
    }

    #[test]
    fn f16_what_a_list_left_out_is_not_known() {
        let mut told = told().lists(7, 7);
        for entry in &mut told.protocol.0 {
            if let Entry::Listed { kind: Kind::Pod, objects, .. } = entry {
                *objects = 1;
            }
        }
        told.deletes("web-1", "web-1");
        assert!(told.is_judged().contains("N-3"), "web-1 was never shown: {}", told.is_judged());
    }

    #[test]
    fn a_call_that_nobody_knows_is_found() {
        let mut told = told().lists(7, 7);
        told.calls(Method::POST, "secrets", &json!({}), None, &json!({}));
        assert!(told.is_judged().contains("nobody can judge"), "{}", told.is_judged());
    }

    #[test]
    fn a_new_operator_knows_nothing() {
        let mut told = told().lists(7, 7);
        told.protocol.started();
        told.deletes("web-1", "web-1");
        assert!(told.is_judged().contains("shown no set"), "{}", told.is_judged());
    }
}
