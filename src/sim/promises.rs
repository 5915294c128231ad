//! What Ordinal promises of its writes beside what must never happen (`never`): the invariants I2 to I8 of the fault plans, each
//! write judged against what its operator had seen when its pass began.

use crate::{
    call::{Call, Part},
    never::{Write, in_range},
    objects::{Kind, Object, Objects},
    store::Store,
};
use ordinal_api::{LABEL_REVISION, Retention, UpdateStrategyType};
use ordinal_plan::{
    check::Violation,
    name, revision,
    snapshot::{Pod, Set},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// A write, and what is known of it.
struct Judged<'w> {
    write: &'w Write<'w>,
    set: &'w Set,
    view: &'w [Objects; 5],
    store: &'w Store,
}

type Rule = fn(&Judged<'_>) -> Option<String>;

/// What a write breaks. `set` is the one that was planned for, `view` what the caches held then, `store` what there is now.
pub fn judge(write: &Write<'_>, set: &Set, view: &[Objects; 5], store: &Store) -> Vec<Violation> {
    let rules: [(&'static str, Rule); 9] = [
        ("I2", a_pod_goes_for_a_reason),
        ("I3", a_claim_gets_an_owner_by_policy),
        ("I4", ordered_pods_are_made_in_order),
        ("I4", ordered_pods_are_condemned_in_order),
        ("I5", a_revision_is_new_and_the_next),
        ("I5", a_pods_revision_was_recorded),
        ("I7", a_status_tells_what_was_seen),
        ("I7", a_status_counts_what_there_is),
        ("I8", a_patch_says_whom_it_means),
    ];
    let judged = Judged { write, set, view, store };
    let found = rules.iter().filter_map(|(rule, judge)| Some((*rule, judge(&judged)?)));
    found.map(|(rule, what)| Violation { rule, what }).collect()
}

impl Judged<'_> {
    /// The set's pods that the operator had seen; those without an owner are about to be adopted.
    fn pods(&self) -> impl Iterator<Item = (i32, Arc<Pod>)> {
        let ours = |pod: &Pod| pod.controller.as_ref().is_none_or(|owner| owner.uid == self.set.uid);
        let pods = self.view[Kind::Pod as usize].objects().filter_map(|o| o.as_pod());
        let members = pods.filter(move |p| p.parsed.parent(&p.name) == self.set.name && ours(p));
        members.filter_map(|p| Some((p.parsed.ordinal?, p)))
    }

    /// The set's own revisions that the operator had seen: name, number, data.
    fn revisions(&self) -> impl Iterator<Item = (&str, i64, &Value)> {
        let all = self.view[Kind::Revision as usize].objects();
        let own = all.filter(|o| o.controller().as_deref() == Some(&self.set.uid));
        own.map(|o| (o.name(), o.value()["revision"].as_i64().unwrap_or(0), &o.value()["data"]))
    }

    fn in_range(&self, ordinal: i32) -> bool {
        in_range(self.set, ordinal)
    }
}

fn a_pod_goes_for_a_reason(j: &Judged<'_>) -> Option<String> {
    let Call::Delete { kind: Kind::Pod, name, .. } = j.write.call else { return None };
    let pod = j.view[Kind::Pod as usize].object(name)?.as_pod()?;
    let Some(ordinal) = pod.parsed.ordinal else { return Some(format!("pod {name} is deleted, which has no ordinal")) };
    let rolling = j.set.spec.update_strategy.type_ == UpdateStrategyType::RollingUpdate;
    let wanted = revision::data(&j.set.template);
    // Of several that say the same, which only strangers bring about, the newest counts.
    let update = j.revisions().filter(|(_, _, data)| **data == wanted).max_by_key(|(_, number, _)| *number);
    let is_updated = update.is_some_and(|(name, ..)| name == pod.revision());
    let outdated = rolling && j.set.is_in_update_range(ordinal) && !is_updated;
    (j.in_range(ordinal) && !pod.has_ended() && !outdated).then(|| format!("pod {name} is deleted, which is as wanted"))
}

fn a_claim_gets_an_owner_by_policy(j: &Judged<'_>) -> Option<String> {
    let Call::Patch { kind: Kind::Claim, name, .. } = j.write.call else { return None };
    let (before, after) = (j.write.before?, j.write.answer.as_ref().ok()?);
    let known = before.owners();
    let policy = j.set.spec.persistent_volume_claim_retention_policy;
    let (_, ordinal) = name::parse_claim(name, &j.set.name)?;
    let allowed = |uid: &str| {
        if uid == j.set.uid {
            policy.when_deleted == Retention::Delete
        } else {
            policy.when_scaled == Retention::Delete && !j.in_range(ordinal)
        }
    };
    let added = after.owners().into_iter().find(|o| !known.iter().any(|k| k.uid == o.uid) && !allowed(&o.uid))?;
    Some(format!("claim {name} is given to {} {} against the policy {policy:?}", added.kind, added.name))
}

fn ordered_pods_are_made_in_order(j: &Judged<'_>) -> Option<String> {
    let Call::Create { kind: Kind::Pod, dry_run: false, .. } = j.write.call else { return None };
    let ordinal = name::parse(j.write.call.name()).ordinal?;
    if j.set.parallel() {
        return None;
    }
    let (min_ready, now) = (j.set.spec.min_ready_seconds, j.store.now);
    let available: BTreeSet<i32> = j
        .pods()
        .filter(|(_, pod)| pod.is_available(min_ready, now) && !pod.is_terminating() && !pod.has_ended())
        .map(|(ordinal, _)| ordinal)
        .collect();
    let early = (j.set.start()..ordinal).find(|lower| !available.contains(lower))?;
    Some(format!("pod {ordinal} is made before pod {early} was available"))
}

fn ordered_pods_are_condemned_in_order(j: &Judged<'_>) -> Option<String> {
    let Call::Delete { kind: Kind::Pod, name, .. } = j.write.call else { return None };
    let ordinal = name::parse(name).ordinal.filter(|o| !j.in_range(*o) && !j.set.parallel())?;
    // What no longer matches is let go in the same pass, and strangers are nobody's to wait for.
    let ours = |pod: &Pod| pod.controller.is_some() && j.set.selects(pod);
    let (higher, _) = j.pods().find(|(other, pod)| *other > ordinal && !j.in_range(*other) && ours(pod))?;
    Some(format!("pod {ordinal} is scaled away before pod {higher} was gone"))
}

fn a_revision_is_new_and_the_next(j: &Judged<'_>) -> Option<String> {
    let (name, number, data) = match j.write.call {
        Call::Create { kind: Kind::Revision, object, .. } => {
            (j.write.call.name(), &object["revision"], Some(&object["data"]))
        }
        Call::Patch { kind: Kind::Revision, name, patch, .. } => (name.as_str(), &patch["revision"], None),
        _ => return None,
    };
    let number = number.as_i64()?;
    if let Some((equal, ..)) = j.revisions().find(|(_, _, known)| Some(*known) == data) {
        return Some(format!("revision {name} is made, and {equal} says the same"));
    }
    let (later, ..) = j.revisions().find(|(other, n, _)| *other != name && *n >= number)?;
    Some(format!("revision {name} gets number {number}, and {later} does not come before it"))
}

fn a_pods_revision_was_recorded(j: &Judged<'_>) -> Option<String> {
    let Call::Create { kind: Kind::Pod, object, dry_run: false } = j.write.call else { return None };
    let label = object["metadata"]["labels"][LABEL_REVISION].as_str().unwrap_or_default();
    let of_it = |(kind, name): (Kind, &str)| kind == Kind::Revision && name == label;
    // Recorded by this pass, perhaps, and deleted by somebody since.
    let known = j.view[Kind::Revision as usize].contains_key(label)
        || j.store.history.iter().any(|change| of_it((change.kind, &change.name)));
    (!known).then(|| format!("pod {} is made at revision {label:?}, which never was", j.write.call.name()))
}

fn status_of<'c>(j: &Judged<'c>) -> Option<&'c Value> {
    match j.write.call {
        Call::Patch { kind: Kind::Set, patch, part: Part::Status, .. } => Some(&patch["status"]),
        _ => None,
    }
}

fn a_status_tells_what_was_seen(j: &Judged<'_>) -> Option<String> {
    let observed = status_of(j)?["observedGeneration"].as_i64().unwrap_or(0);
    let (planned, before) = (j.set.generation, j.set.status.observed_generation);
    // A later one than there is was written by somebody who knew nothing, and is kept where nothing could be seen anew.
    let back = before <= planned && observed < before;
    let invented = observed > planned && observed != before;
    (invented || back).then(|| format!("generation {observed} was observed, of {planned}, after {before}"))
}

fn a_status_counts_what_there_is(j: &Judged<'_>) -> Option<String> {
    let replicas = status_of(j)?["replicas"].as_i64().unwrap_or(0);
    let is_pod = |name: &&str| name::parse(name).parent(name) == j.set.name;
    let names: BTreeSet<&str> =
        [&j.view[Kind::Pod as usize], &j.store.pods].into_iter().flat_map(Objects::keys).map(String::as_str).collect();
    let there = names.iter().filter(|name| is_pod(name)).count();
    // What could not be seen anew is told as it was.
    let old = replicas == i64::from(j.set.status.replicas);
    (!old && usize::try_from(replicas).is_ok_and(|n| n > there))
        .then(|| format!("{replicas} are told of, and {there} there"))
}

fn a_patch_says_whom_it_means(j: &Judged<'_>) -> Option<String> {
    let Call::Patch { kind, name, patch, part: Part::Main, .. } = j.write.call else { return None };
    let uid = j.write.before.map(Object::uid);
    (!patch["metadata"]["uid"].is_string())
        .then(|| format!("{kind:?} {name} is changed whatever its UID; it was {uid:?}"))
}

#[cfg(test)]
mod tests {
    //! The checks can fail: each is shown a write that breaks its rule.

    use super::*;
    use crate::call::{Deletion, Style};
    use serde_json::json;

    /// A set of two ordered pods, both ready, one condemned, and its revision.
    fn store() -> Store {
        let mut store = Store::default();
        let template =
            json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "a"}]}});
        let set = json!({
            "metadata": {"name": "web", "namespace": "ns", "uid": "set", "generation": 2},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template,
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]},
            "status": {"observedGeneration": 1, "replicas": 2},
        });
        store.plant(Kind::Set, set);
        let owner =
            json!([{"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": "set", "controller": true}]);
        let data = revision::data(&template);
        let metadata = json!({"name": "web-a", "uid": "a", "labels": {"app": "web"}, "ownerReferences": owner});
        store.plant(Kind::Revision, json!({"metadata": metadata, "data": data, "revision": 3}));
        for ordinal in [0, 1, 7, 8] {
            let name = format!("web-{ordinal}");
            let labels = json!({"app": "web", LABEL_REVISION: "web-a"});
            let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": "2025-12-31T00:00:00Z"});
            store.plant(
                Kind::Pod,
                json!({
                    "metadata": {"name": name, "uid": format!("of-{name}"), "labels": labels, "ownerReferences": owner},
                    "status": {"phase": "Running", "conditions": [ready]},
                }),
            );
        }
        store.plant(Kind::Claim, json!({"metadata": {"name": "data-web-0", "uid": "claim"}}));
        store
    }

    /// The rules that a call breaks.
    fn broken_by(mut store: Store, call: &Call) -> Vec<&'static str> {
        let set = store.sets.object("web").expect("the set").as_set().expect("a set");
        let view = Store::KINDS.map(|kind| store.of(kind).clone());
        let before = store.of(call.kind()).object(call.name()).cloned();
        let answer = store.apply(call);
        let write = Write { call, before: before.as_deref(), answer: &answer, confirmed: false };
        judge(&write, &set, &view, &store).into_iter().map(|violation| violation.rule).collect()
    }

    fn patch(kind: Kind, name: &str, patch: Value, style: Style, part: Part) -> Call {
        Call::Patch { kind, name: name.into(), patch, style, part }
    }

    fn delete(name: &str) -> Call {
        Call::Delete { kind: Kind::Pod, name: name.into(), how: Deletion::of(&format!("of-{name}")) }
    }

    fn pod(ordinal: i32, revision: &str) -> Call {
        let metadata = json!({"name": format!("web-{ordinal}"), "labels": {LABEL_REVISION: revision}});
        Call::Create { kind: Kind::Pod, object: json!({"metadata": metadata}), dry_run: false }
    }

    #[test]
    fn i2_a_deletion_without_a_reason_is_found() {
        assert_eq!(broken_by(store(), &delete("web-1")), ["I2"]);
        assert!(broken_by(store(), &delete("web-8")).is_empty(), "a condemned one may go");
    }

    #[test]
    fn i3_an_owner_against_the_policy_is_found() {
        let owner =
            json!([{"apiVersion": "v1", "kind": "OrdinalSet", "name": "web", "uid": "set", "controller": true}]);
        let change = json!({"metadata": {"uid": "claim", "ownerReferences": owner}});
        assert_eq!(broken_by(store(), &patch(Kind::Claim, "data-web-0", change, Style::Strategic, Part::Main)), ["I3"]);
    }

    #[test]
    fn i4_a_pod_before_its_turn_is_found() {
        let mut unready = store();
        unready.pods.remove("web-1");
        unready.pods.get_mut("web-0").expect("a pod")["status"]["conditions"][0]["status"] = "False".into();
        assert_eq!(broken_by(unready, &pod(1, "web-a")), ["I4"]);
        assert_eq!(broken_by(store(), &delete("web-7")), ["I4"], "web-8 is still there");
    }

    #[test]
    fn i5_a_revision_made_twice_or_numbered_back_is_found() {
        let revision = |image: &str, number: i64| {
            let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}});
            let object = json!({"metadata": {"name": "web-b"}, "data": revision::data(&template), "revision": number});
            Call::Create { kind: Kind::Revision, object, dry_run: false }
        };
        assert_eq!(broken_by(store(), &revision("a", 4)), ["I5"], "an equal one is there");
        assert_eq!(broken_by(store(), &revision("b", 3)), ["I5"], "another one has that number");
        assert!(broken_by(store(), &revision("b", 4)).is_empty());
    }

    #[test]
    fn i5_a_pod_of_no_revision_is_found() {
        let mut free = store();
        free.pods.remove("web-1");
        assert_eq!(broken_by(free.clone(), &pod(1, "web-nothing")), ["I5"]);
        assert!(broken_by(free, &pod(1, "web-a")).is_empty());
    }

    #[test]
    fn i7_a_status_of_what_was_not_seen_is_found() {
        let status = |status: Value| {
            let version = store().sets.object("web").expect("the set").version().to_string();
            let body = json!({"metadata": {"uid": "set", "resourceVersion": version}, "status": status});
            broken_by(store(), &patch(Kind::Set, "web", body, Style::Merge, Part::Status))
        };
        assert_eq!(status(json!({"observedGeneration": 3, "replicas": 4})), ["I7"], "a generation to come");
        assert_eq!(status(json!({"observedGeneration": 0, "replicas": 4})), ["I7"], "an earlier one than before");
        assert_eq!(status(json!({"observedGeneration": 2, "replicas": 5})), ["I7"], "a pod that is not there");
        assert!(status(json!({"observedGeneration": 2, "replicas": 4})).is_empty());
    }

    #[test]
    fn i8_a_patch_of_whatever_has_the_name_is_found() {
        let change = json!({"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": "web-0"}}});
        assert_eq!(broken_by(store(), &patch(Kind::Pod, "web-0", change, Style::Strategic, Part::Main)), ["I8"]);
    }
}
