//! What must never happen (`never.md`), judged over what operators really write: each write against the object as it was, and
//! against what its operator had seen when its pass began. What a single plan can break is judged by `ordinal_plan::check`.

use crate::{
    call::{Answer, Call, Part},
    objects::{Kind, Object, Objects},
    store::{Change, Store},
};
use k8s_openapi::{apimachinery::pkg::util::intstr::IntOrString, jiff::Timestamp};
use ordinal_api::{LABEL_POD_INDEX, LABEL_POD_NAME};
use ordinal_plan::{
    check::Violation,
    name,
    snapshot::{Pod, Set},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// A call that an operator made.
pub struct Write<'w> {
    /// What it asked.
    pub call: &'w Call,
    /// The object that it is about, as it was then.
    pub before: Option<&'w Object>,
    /// What came of it.
    pub answer: &'w Answer,
    /// Whether the pass had read the set live before, and found it as it was planned for.
    pub confirmed: bool,
}

type Rule = fn(&Write<'_>, &Set, &[Objects; 5]) -> Option<String>;

/// What a write breaks. `set` is the one that was planned for, `view` what the caches held then.
pub fn judge(write: &Write<'_>, set: &Set, view: &[Objects; 5]) -> Vec<Violation> {
    let rules: [(&'static str, Rule); 10] = [
        ("N-1", no_claim_is_deleted),
        ("N-2", nothing_is_forced),
        ("N-3", deletions_carry_the_uid_that_was_seen),
        ("N-3", adoptions_follow_a_live_read),
        ("N-3", a_status_is_of_the_version_that_was_seen),
        ("N-6", a_claim_is_made_where_none_was_seen),
        ("N-8", a_set_being_deleted_keeps_its_pods),
        ("N-9", others_objects_are_left_alone),
        ("N-10", what_others_wrote_stays),
        ("N-11", a_claims_spec_stays),
    ];
    let found = rules.iter().filter_map(|(rule, judge)| Some((*rule, judge(write, set, view)?)));
    found.map(|(rule, what)| Violation { rule, what }).collect()
}

fn seen<'v>(view: &'v [Objects; 5], call: &Call) -> Option<&'v Object> {
    view[call.kind() as usize].object(call.name()).map(AsRef::as_ref)
}

fn no_claim_is_deleted(write: &Write<'_>, _: &Set, _: &[Objects; 5]) -> Option<String> {
    let deletes = matches!(write.call, Call::Delete { kind: Kind::Claim, .. });
    deletes.then(|| format!("claim {} is deleted", write.call.name()))
}

fn nothing_is_forced(write: &Write<'_>, _: &Set, _: &[Objects; 5]) -> Option<String> {
    let forced = matches!(write.call, Call::Delete { how, .. } if how.grace.is_some());
    forced.then(|| format!("{:?} {} gets another grace period than its own", write.call.kind(), write.call.name()))
}

fn deletions_carry_the_uid_that_was_seen(write: &Write<'_>, _: &Set, view: &[Objects; 5]) -> Option<String> {
    let Call::Delete { how, .. } = write.call else { return None };
    let judged = seen(view, write.call).is_some_and(|o| how.uid.as_deref() == Some(o.uid()));
    (!judged).then(|| format!("{} is deleted as UID {:?}, which was not seen", write.call.name(), how.uid))
}

fn adoptions_follow_a_live_read(write: &Write<'_>, set: &Set, _: &[Objects; 5]) -> Option<String> {
    if !matches!(write.call.kind(), Kind::Pod | Kind::Revision) || write.confirmed {
        return None;
    }
    let after = write.answer.as_ref().ok().filter(|_| matches!(write.call, Call::Patch { .. }))?;
    let ours = |o: &Object| o.controller().as_deref() == Some(&set.uid);
    (ours(after) && !write.before.is_some_and(ours)).then(|| format!("{} is adopted unread", after.name()))
}

fn a_status_is_of_the_version_that_was_seen(write: &Write<'_>, set: &Set, _: &[Objects; 5]) -> Option<String> {
    let Call::Patch { kind: Kind::Set, patch, part: Part::Status, .. } = write.call else { return None };
    let of = (patch["metadata"]["uid"].as_str(), patch["metadata"]["resourceVersion"].as_str());
    (of != (Some(&set.uid), Some(&set.resource_version))).then(|| format!("a status is written to whatever {of:?} is"))
}

fn a_claim_is_made_where_none_was_seen(write: &Write<'_>, _: &Set, view: &[Objects; 5]) -> Option<String> {
    let makes = matches!(write.call, Call::Create { kind: Kind::Claim, .. });
    (makes && seen(view, write.call).is_some()).then(|| format!("claim {} is made a second time", write.call.name()))
}

fn a_set_being_deleted_keeps_its_pods(write: &Write<'_>, set: &Set, _: &[Objects; 5]) -> Option<String> {
    let touches = write.call.writes() && matches!(write.call.kind(), Kind::Pod | Kind::Claim | Kind::Service);
    (set.deleting && touches).then(|| format!("{} is written for a set being deleted", write.call.name()))
}

/// Claims are others' too: of those only our own references may change (N-10).
fn others_objects_are_left_alone(write: &Write<'_>, set: &Set, view: &[Objects; 5]) -> Option<String> {
    let owned = matches!(write.call.kind(), Kind::Pod | Kind::Revision | Kind::Service);
    let changes = matches!(write.call, Call::Patch { .. } | Call::Replace { .. } | Call::Delete { .. });
    // A patch with the UID of another object cannot touch this one: the repair of web-01 goes to web-1 (S-2.7).
    let missed = |o: &Object| match write.call {
        Call::Patch { patch, .. } => patch["metadata"]["uid"].as_str().is_some_and(|uid| uid != o.uid()),
        _ => false,
    };
    let owner = seen(view, write.call).filter(|o| owned && changes && !missed(o))?.controller()?;
    (owner != set.uid).then(|| format!("{} is changed, which {owner} controls", write.call.name()))
}

fn what_others_wrote_stays(write: &Write<'_>, set: &Set, _: &[Objects; 5]) -> Option<String> {
    if matches!(write.call, Call::Replace { .. }) {
        return Some(format!("{} is replaced as a whole", write.call.name()));
    }
    let Call::Patch { kind: Kind::Pod | Kind::Claim | Kind::Revision, part: Part::Main, .. } = write.call else {
        return None;
    };
    let (before, after) = (write.before?, write.answer.as_ref().ok()?);
    let others = |object: &Object| {
        let mut meta = object.value()["metadata"].clone();
        for ours in [LABEL_POD_NAME, LABEL_POD_INDEX] {
            meta["labels"].as_object_mut().into_iter().for_each(|labels| drop(labels.remove(ours)));
        }
        // A claim follows its set or its pod; whatever else owns it is somebody else's.
        let is_ours = |o: &Value| o["uid"] == set.uid || (o["kind"] == "Pod" && is_members(&o["name"], set));
        meta["ownerReferences"].as_array_mut().into_iter().for_each(|owners| owners.retain(|o| !is_ours(o)));
        let owners = meta["ownerReferences"].as_array().filter(|o| !o.is_empty()).cloned();
        (meta["labels"].clone(), meta["annotations"].clone(), meta["finalizers"].clone(), owners)
    };
    let same = others(before) == others(after);
    (!same).then(|| format!("{:?} became {:?}", before.value()["metadata"], after.value()["metadata"]))
}

fn is_members(pod: &Value, set: &Set) -> bool {
    pod.as_str().is_some_and(|pod| name::parse(pod).parent(pod) == set.name)
}

fn a_claims_spec_stays(write: &Write<'_>, _: &Set, _: &[Objects; 5]) -> Option<String> {
    let Call::Patch { kind: Kind::Claim, patch, .. } = write.call else { return None };
    (!patch["spec"].is_null()).then(|| format!("the spec of claim {} is changed", write.call.name()))
}

/// The budget of N-7 over time: slots that lost an available pod because an operator brought it to another revision, and have
/// not had an available one since.
#[derive(Default)]
pub struct Ledger {
    /// Ordinals, with the UID of the pod that was taken.
    taken: BTreeMap<i32, String>,
    /// The largest budget of a set that a pod was taken for while slots are open.
    budget: usize,
    read: usize,
}

impl Ledger {
    /// The pod that a write takes from the budget, and its ordinal. One that was not available when it was judged is no loss, nor
    /// is one that is not now.
    pub fn takes(write: &Write<'_>, set: &Set, view: &[Objects; 5], now: Timestamp) -> Option<(i32, Arc<Pod>)> {
        let deleted = matches!(write.call, Call::Delete { kind: Kind::Pod, .. }) && write.answer.is_ok();
        let pod = write.before.filter(|_| deleted).and_then(Object::as_pod)?;
        let available = |pod: &Pod| !pod.is_unavailable(set.spec.min_ready_seconds, now) && !pod.has_ended();
        let judged = seen(view, write.call).and_then(Object::as_pod).is_some_and(|pod| available(&pod));
        let ordinal = pod.parsed.ordinal.filter(|o| judged && available(&pod) && in_range(set, *o))?;
        Some((ordinal, pod))
    }

    /// Notes what an operator did.
    pub fn wrote(&mut self, write: &Write<'_>, set: &Set, view: &[Objects; 5], now: Timestamp) {
        if let Some((ordinal, pod)) = Self::takes(write, set, view, now) {
            self.budget = max_unavailable(set).max(if self.taken.is_empty() { 0 } else { self.budget });
            self.taken.insert(ordinal, pod.uid.clone());
        }
    }

    /// Follows what became of the pods. Pods that are ready count as available here: their time runs elsewhere.
    pub fn follow(&mut self, store: &Store) {
        for change in &store.history[self.read.min(store.history.len())..] {
            match change.kind {
                Kind::Pod => {
                    let pod = change.after.as_ref().and_then(|o| o.as_pod()).filter(|pod| pod.ready);
                    let slot = |p: &Pod| p.parsed.ordinal;
                    if let Some((ordinal, pod)) = pod.and_then(|p| Some((slot(&p)?, p)))
                        && self.taken.get(&ordinal).is_some_and(|uid| *uid != pod.uid)
                    {
                        self.taken.remove(&ordinal);
                    }
                }
                // Another spec, another game: what was in range may not be.
                Kind::Set if generation(&change.before) != generation(&change.after) => self.taken.clear(),
                _ => {}
            }
        }
        self.read = store.history.len();
    }

    /// That more is taken than the budget allows.
    pub fn overdrawn(&self) -> Option<Violation> {
        let (taken, budget) = (&self.taken, self.budget);
        let what = || format!("{taken:?} are taken at a time, and {budget} may be");
        (taken.len() > budget).then(|| Violation { rule: "N-7", what: what() })
    }
}

fn generation(set: &Option<Arc<Object>>) -> Option<i64> {
    set.as_ref()?.value()["metadata"]["generation"].as_i64()
}

pub(crate) fn in_range(set: &Set, ordinal: i32) -> bool {
    let index = i64::from(ordinal) - i64::from(set.start());
    (0..i64::from(set.replicas())).contains(&index)
}

fn max_unavailable(set: &Set) -> usize {
    let field = set.spec.update_strategy.rolling_update.as_ref().and_then(|r| r.max_unavailable.as_ref());
    let max = match field {
        None => 1,
        Some(IntOrString::Int(n)) => i64::from(*n),
        Some(IntOrString::String(s)) => {
            i64::from(set.replicas()) * s.trim_end_matches('%').parse::<i64>().unwrap_or(0) / 100
        }
    };
    usize::try_from(max.max(1)).unwrap_or(usize::MAX)
}

/// A change in one line.
pub fn told(change: &Change) -> String {
    let state = |object: &Object| {
        let (value, deleting) = (object.value(), if object.is_deleting() { " terminating" } else { "" });
        format!("{}{deleting} {}", value["metadata"]["generation"], value["status"])
    };
    let after = change.after.as_ref().map_or("gone".to_owned(), |o| state(o));
    format!("{} {:?} {}: {after}", change.version, change.kind, change.name)
}

#[cfg(test)]
mod tests {
    //! The checks can fail: each is shown a write that breaks its rule.

    use super::*;
    use crate::{
        call::{Deletion, Style},
        stories::spec,
    };
    use serde_json::json;

    fn store() -> Store {
        let mut store = Store::default();
        let metadata = json!({"name": "web", "namespace": "ns", "uid": "set", "generation": 1});
        store.plant(Kind::Set, json!({"metadata": metadata, "spec": spec(2, json!({}))}));
        let owner = |uid: &str| json!([{"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": uid, "controller": true}]);
        let labels = json!({"app": "web", "theirs": "1"});
        for (kind, name, uid) in
            [(Kind::Pod, "web-0", "set"), (Kind::Pod, "web-1", "other"), (Kind::Claim, "data-web-0", "set")]
        {
            let metadata =
                json!({"name": name, "uid": format!("of-{name}"), "labels": labels, "ownerReferences": owner(uid)});
            store.plant(kind, json!({"metadata": metadata, "spec": {}}));
        }
        store.plant(Kind::Pod, json!({"metadata": {"name": "web-2", "uid": "of-web-2", "labels": labels}, "spec": {}}));
        store
    }

    /// The rules that a call breaks, made by an operator that has seen everything.
    fn broken_by(store: &mut Store, call: Call) -> Vec<&'static str> {
        let set = store.sets.object("web").expect("the set").as_set().expect("a set");
        let view = Store::KINDS.map(|kind| store.of(kind).clone());
        let before = store.of(call.kind()).object(call.name()).cloned();
        let answer = store.apply(&call);
        let write = Write { call: &call, before: before.as_deref(), answer: &answer, confirmed: false };
        judge(&write, &set, &view).into_iter().map(|v| v.rule).collect()
    }

    fn delete(kind: Kind, name: &str, how: Deletion) -> Call {
        Call::Delete { kind, name: name.into(), how }
    }

    fn patch(kind: Kind, name: &str, patch: Value, style: Style) -> Call {
        Call::Patch { kind, name: name.into(), patch, style, part: Part::Main }
    }

    #[test]
    fn n_1_a_claim_that_is_deleted_is_found() {
        let how = Deletion::of("of-data-web-0");
        assert_eq!(broken_by(&mut store(), delete(Kind::Claim, "data-web-0", how)), ["N-1"]);
    }

    #[test]
    fn n_2_a_forced_deletion_is_found() {
        let how = Deletion { grace: Some(0), ..Deletion::of("of-web-0") };
        assert_eq!(broken_by(&mut store(), delete(Kind::Pod, "web-0", how)), ["N-2"]);
    }

    #[test]
    fn n_3_a_deletion_by_name_alone_is_found() {
        assert_eq!(broken_by(&mut store(), delete(Kind::Pod, "web-0", Deletion::default())), ["N-3"]);
        assert!(broken_by(&mut store(), delete(Kind::Pod, "web-0", Deletion::of("of-web-0"))).is_empty());
    }

    #[test]
    fn n_3_an_adoption_without_a_live_read_is_found() {
        let owner = json!({"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": "set", "controller": true});
        let change = json!({"metadata": {"uid": "of-web-2", "ownerReferences": [owner]}});
        assert_eq!(broken_by(&mut store(), patch(Kind::Pod, "web-2", change, Style::Strategic)), ["N-3"]);
    }

    #[test]
    fn n_3_a_status_of_any_version_is_found() {
        let status = |metadata: Value| Call::Patch {
            kind: Kind::Set,
            name: "web".into(),
            patch: json!({"metadata": metadata, "status": {"replicas": 1}}),
            style: Style::Merge,
            part: Part::Status,
        };
        let version = store().sets.object("web").expect("the set").version().to_string();
        assert_eq!(broken_by(&mut store(), status(json!({"uid": "set"}))), ["N-3"]);
        assert_eq!(broken_by(&mut store(), status(json!({"resourceVersion": version}))), ["N-3"]);
        assert!(broken_by(&mut store(), status(json!({"uid": "set", "resourceVersion": version}))).is_empty());
    }

    #[test]
    fn n_6_a_claim_made_where_one_is_is_found() {
        let object = json!({"metadata": {"name": "data-web-0"}, "spec": {}});
        let call = Call::Create { kind: Kind::Claim, object, dry_run: false };
        assert_eq!(broken_by(&mut store(), call), ["N-6"]);
    }

    #[test]
    fn n_7_a_second_pod_beyond_the_budget_is_found() {
        let (mut store, mut ledger) = (store(), Ledger::default());
        let set = store.sets.object("web").expect("the set").as_set().expect("a set");
        for name in ["web-0", "web-1"] {
            store.pods.get_mut(name).expect("a pod")["status"] =
                json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        }
        let view = Store::KINDS.map(|kind| store.of(kind).clone());
        let mut take = |name: &str| {
            let call = delete(Kind::Pod, name, Deletion::of(&format!("of-{name}")));
            let before = store.pods.object(name).cloned();
            let answer = store.apply(&call);
            let write = Write { call: &call, before: before.as_deref(), answer: &answer, confirmed: false };
            ledger.wrote(&write, &set, &view, store.now);
            ledger.overdrawn().is_none()
        };
        assert!(take("web-0"), "one may be taken");
        assert!(!take("web-1"), "two may not");
    }

    #[test]
    fn n_8_a_write_for_a_set_being_deleted_is_found() {
        let mut store = store();
        store.sets.get_mut("web").expect("the set")["metadata"]["deletionTimestamp"] = json!(store.now);
        assert_eq!(broken_by(&mut store, delete(Kind::Pod, "web-0", Deletion::of("of-web-0"))), ["N-8"]);
    }

    #[test]
    fn n_9_a_deletion_of_somebody_elses_pod_is_found() {
        assert_eq!(broken_by(&mut store(), delete(Kind::Pod, "web-1", Deletion::of("of-web-1"))), ["N-9"]);
    }

    #[test]
    fn n_10_labels_and_owners_that_vanish_are_found() {
        let labels = json!({"metadata": {"uid": "of-web-0", "labels": {"theirs": null}}});
        assert_eq!(broken_by(&mut store(), patch(Kind::Pod, "web-0", labels, Style::Merge)), ["N-10"]);
        let object = json!({"metadata": {"name": "web-0"}, "spec": {}});
        let call = Call::Replace { kind: Kind::Pod, name: "web-0".into(), object, part: Part::Main };
        assert_eq!(broken_by(&mut store(), call), ["N-10"]);
    }

    #[test]
    fn n_11_a_changed_claim_spec_is_found() {
        let change = json!({"spec": {"resources": {"requests": {"storage": "1Mi"}}}});
        assert_eq!(broken_by(&mut store(), patch(Kind::Claim, "data-web-0", change, Style::Merge)), ["N-11"]);
    }
}
