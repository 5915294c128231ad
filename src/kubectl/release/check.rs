//! Whether an OrdinalSet can be released.

use ordinal_api::{AdoptionPhase, OrdinalSet};
use ordinal_plan::{adoption, snapshot::Set};
use serde_json::Value;

use super::{RELEASED_FROM, uid};
use crate::finding::{Finding, check};

/// All that is looked at in the set itself. `partial` accepts a roll-out that a partition holds.
pub fn checks(set: &OrdinalSet, native: Option<&Value>, partial: bool) -> Vec<Finding> {
    vec![
        check(
            "nobody else has a say in the OrdinalSet",
            &adoption::held_by_others(&set.metadata),
            "take it from its owner first",
        ),
        check(
            "no taking over of a StatefulSet is under way",
            &taking_over(set),
            "wait for it, or take spec.adoptFrom away: kubectl ordinal status shows it",
        ),
        check(
            "there is no StatefulSet of its name",
            &namesake(set, native),
            "find out what made it; with pods of its own it cannot take over others",
        ),
        check(
            "the OrdinalSet is settled",
            &unsettled(set, partial),
            "wait until `kubectl ordinal rollout status` is done; a roll-out held by its partition may be accepted \
             (--accept=PartialRollout)",
        ),
    ]
}

fn taking_over(set: &OrdinalSet) -> Vec<String> {
    let Some(from) = &set.spec.adopt_from else { return Vec::new() };
    let status = set.status.as_ref().and_then(|status| status.adoption.as_ref());
    match status.filter(|status| status.uid == from.uid).map(|status| status.phase) {
        Some(AdoptionPhase::Adopted) => Vec::new(),
        Some(phase) => vec![format!("it is taking over the StatefulSet with UID {} ({phase:?})", from.uid)],
        None => vec![format!("it is to take over the StatefulSet with UID {}", from.uid)],
    }
}

fn namesake(set: &OrdinalSet, native: Option<&Value>) -> Vec<String> {
    let foreign = native.filter(|native| native["metadata"]["annotations"][RELEASED_FROM] != set_uid(set));
    foreign.map(|native| format!("there is one (UID {})", uid(native))).into_iter().collect()
}

fn set_uid(set: &OrdinalSet) -> &str {
    set.metadata.uid.as_deref().unwrap_or_default()
}

/// Whether pods of two revisions are to stay.
pub fn is_partial(set: &OrdinalSet) -> bool {
    set.status.as_ref().is_some_and(|status| status.current_revision != status.update_revision)
}

/// Why the set is not at rest.
pub fn unsettled(set: &OrdinalSet, partial: bool) -> Vec<String> {
    if set.status.as_ref().is_none_or(|status| status.update_revision.is_empty()) {
        return vec!["no operator has looked at it yet".into()];
    }
    match Set::new(set.clone()) {
        Ok(set) => adoption::unsettled(&set, partial),
        Err(why) => vec![format!("the operator skips it: {why}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(change: Value) -> OrdinalSet {
        let mut object = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet",
            "metadata": {"name": "web", "uid": "o", "generation": 2},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": {}},
            "status": {"observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "availableReplicas": 3,
                "updatedReplicas": 3, "currentRevision": "web-1", "updateRevision": "web-1"},
        });
        for (part, fields) in change.as_object().expect("an object") {
            for (name, value) in fields.as_object().expect("fields") {
                object[part][name] = value.clone();
            }
        }
        serde_json::from_value(object).expect("a set")
    }

    fn problems(change: Value, native: Option<Value>, partial: bool) -> String {
        let findings = checks(&set(change), native.as_ref(), partial);
        findings.iter().filter(|finding| finding.is_bad()).map(ToString::to_string).collect()
    }

    #[test]
    fn a_settled_set_may_go() {
        assert_eq!(problems(json!({}), None, false), "");
    }

    #[test]
    fn what_is_not_settled_stays() {
        for (change, words) in [
            (json!({"status": {"observedGeneration": 1}}), "has not seen its newest version"),
            (json!({"status": {"readyReplicas": 2}}), "2 of 3 pods are ready"),
            (json!({"status": {"replicas": 4}}), "4 of 3 pods exist"),
            (json!({"status": {"updatedReplicas": 1, "updateRevision": "web-2"}}), "from web-1 to web-2"),
            (json!({"metadata": {"finalizers": ["backup"]}}), "finalizers would hold it: backup"),
            (json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), "being deleted"),
            (
                json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Shop", "name": "s", "uid": "s", "controller": true}]}}),
                "controlled by Shop s",
            ),
            (
                json!({"spec": {"adoptFrom": {"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": "u"}}}),
                "to take over the StatefulSet with UID u",
            ),
        ] {
            let told = problems(change, None, false);
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn a_held_roll_out_may_be_accepted() {
        let strategy = |partition: i32| json!({"rollingUpdate": {"partition": partition}});
        let change = |partition: i32| {
            json!({"status": {"updatedReplicas": 1, "updateRevision": "web-2"},
                "spec": {"updateStrategy": strategy(partition)}})
        };
        assert_eq!(problems(change(2), None, true), "");
        assert!(problems(change(1), None, true).contains("1 of 2 pods are updated"));
    }

    #[test]
    fn a_statefulset_that_is_there_is_in_the_way_unless_this_release_made_it() {
        let native = |from: &str| json!({"metadata": {"uid": "s", "annotations": {RELEASED_FROM: from}}});
        assert!(problems(json!({}), Some(native("x")), false).contains("UID s"));
        assert_eq!(problems(json!({}), Some(native("o")), false), "");
    }
}
