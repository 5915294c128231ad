//! What is to be done, by what there is: also when the same was asked before.

use anyhow::{Result, bail};
use ordinal_api::{Accept, AdoptFrom, AdoptionPhase, OrdinalSet};
use serde_json::Value;

use crate::target::{Native, Target};

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Way {
    /// An OrdinalSet is to be made.
    Make,
    /// One is there, and holds off because of the StatefulSet: it is to be asked to adopt.
    Ask,
    /// It is amid adopting, and more than before is to be accepted.
    Accept(AdoptFrom),
    /// It is amid adopting.
    Watch,
}

/// Chooses; an error where there is nothing to be adopted, or somebody else is at it.
pub fn choose(name: &Native, native: Option<&Value>, ours: Option<&OrdinalSet>, accept: &[Accept]) -> Result<Way> {
    let uid = native.and_then(|native| native["metadata"]["uid"].as_str());
    let Some(ours) = ours else {
        return match uid {
            Some(_) => Ok(Way::Make),
            None => bail!("{name} not found: kubectl get statefulsets lists those that there are"),
        };
    };
    let target = Target(name.0.clone());
    if ours.metadata.deletion_timestamp.is_some() {
        bail!("{target} is being deleted: wait until it is gone, and run this again");
    }
    let status = ours.status.as_ref().and_then(|status| status.adoption.as_ref());
    match (&ours.spec.adopt_from, uid) {
        (None, Some(_)) => Ok(Way::Ask),
        (None, None) => {
            let adopted = status.is_some_and(|s| s.phase == AdoptionPhase::Adopted);
            let why = if adopted { "it has been adopted" } else { "there is no StatefulSet of that name" };
            bail!("{target} is an OrdinalSet already, and {why}: there is nothing to adopt");
        }
        (Some(from), Some(uid)) if from.uid != uid => bail!(
            "{target} is amid adopting another StatefulSet (UID {}, this one has {uid}); to call that off: stop \
             whoever made the new one; kubectl delete ordinalset {} --cascade=orphan; then run this again",
            from.uid,
            name.0
        ),
        (Some(from), None) if status.is_some_and(|s| s.uid == from.uid && s.phase == AdoptionPhase::Adopted) => {
            bail!("{target} has been adopted already: there is nothing to adopt")
        }
        (Some(from), _) => {
            let more: Vec<Accept> = accept.iter().copied().filter(|a| !from.accept.contains(a)).collect();
            if more.is_empty() {
                return Ok(Way::Watch);
            }
            let mut from = from.clone();
            from.accept.extend(more);
            Ok(Way::Accept(from))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ours(adopt_from: Option<&str>, phase: Option<(&str, &str)>) -> OrdinalSet {
        let from = adopt_from.map(|uid| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": uid}));
        let status = phase.map(|(uid, phase)| json!({"uid": uid, "phase": phase}));
        serde_json::from_value(json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": "web"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {}, "adoptFrom": from},
            "status": {"adoption": status},
        }))
        .expect("a set")
    }

    fn way(native: Option<&str>, ours: Option<OrdinalSet>, accept: &[Accept]) -> Result<Way, String> {
        let native = native.map(|uid| json!({"metadata": {"uid": uid}}));
        choose(&Native("web".into()), native.as_ref(), ours.as_ref(), accept).map_err(|error| error.to_string())
    }

    #[test]
    fn the_same_command_goes_on_from_wherever_it_was() {
        assert_eq!(way(Some("u"), None, &[]), Ok(Way::Make));
        assert_eq!(way(Some("u"), Some(ours(None, None)), &[]), Ok(Way::Ask));
        assert_eq!(way(Some("u"), Some(ours(None, Some(("u", "Abandoned")))), &[]), Ok(Way::Ask));
        assert_eq!(way(Some("u"), Some(ours(Some("u"), None)), &[]), Ok(Way::Watch));
        assert_eq!(way(None, Some(ours(Some("u"), Some(("u", "Claiming")))), &[]), Ok(Way::Watch));
    }

    #[test]
    fn more_may_be_accepted_amid_it() {
        let amid = || ours(Some("u"), Some(("u", "Claiming")));
        let Ok(Way::Accept(from)) = way(None, Some(amid()), &[Accept::TemplateChange]) else { panic!("it accepts") };
        assert_eq!(from.accept, [Accept::TemplateChange]);
    }

    #[test]
    fn what_cannot_be_adopted_is_told() {
        let says = |result: Result<Way, String>, what: &str| {
            let error = result.expect_err(what);
            assert!(error.contains(what), "{error}");
        };
        says(way(None, None, &[]), "not found");
        says(way(None, Some(ours(None, None)), &[]), "an OrdinalSet already");
        says(way(None, Some(ours(None, Some(("u", "Adopted")))), &[]), "it has been adopted");
        says(way(None, Some(ours(Some("u"), Some(("u", "Adopted")))), &[]), "has been adopted already");
        says(way(Some("v"), Some(ours(Some("u"), None)), &[]), "another StatefulSet (UID u");
        let mut going = ours(None, None);
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
        says(way(Some("u"), Some(going), &[]), "is being deleted");
    }
}
