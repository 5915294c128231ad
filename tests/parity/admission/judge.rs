//! What two answers to one manifest have in common, and why they differ where they do.

use std::collections::BTreeSet;

use ordinal_tests::{
    refusals::{self, named},
    twins::{Answer, Refusal},
};

use super::{cases::Case, stored};
use crate::report::Difference;

/// Compares the answers. `pod_refused` is what the API server says to a pod of the manifest's template, if that is why.
pub fn judge(case: &Case, native: &Answer, ours: &Answer, pod_refused: Option<&Refusal>) -> Vec<Difference> {
    match (native, ours) {
        (Answer::Accepted(native), Answer::Accepted(ours)) => stored::differences(&case.manifest, native, ours),
        (Answer::Refused(native), Answer::Refused(ours)) => fields(case, native, ours).into_iter().collect(),
        (Answer::Accepted(_), Answer::Refused(ours)) => {
            vec![Difference {
                what: format!("only the OrdinalSet is refused: {}", ours.message),
                why: refusals::only_ours(&case.manifest, ours).map(str::to_owned),
            }]
        }
        (Answer::Refused(native), Answer::Accepted(_)) => {
            vec![Difference {
                what: format!("only the StatefulSet is refused: {}", native.message),
                why: refusals::only_native(native, pod_refused).map(str::to_owned),
            }]
        }
    }
}

/// The same field is named: one of ours is, or holds, one of theirs, or the other way round (of an entry's mistake one may
/// tell of the entry, the other of the list). A refusal that names none cannot be compared.
fn fields(case: &Case, native: &Refusal, ours: &Refusal) -> Option<Difference> {
    let (theirs, named) = (named(native), named(ours));
    let holds = |outer: &str, inner: &str| {
        inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
    };
    let alike = |our: &String| theirs.iter().any(|their| holds(our, their) || holds(their, our));
    if theirs.is_empty() || named.iter().any(alike) {
        return None;
    }
    Some(Difference {
        what: format!("{theirs:?} against {named:?}: {} against {}", native.message, ours.message),
        why: refusals::only_ours(&case.manifest, ours).or_else(|| claim_itself(&theirs, &named)).map(str::to_owned),
    })
}

/// The built-in tells of a claim template's name as of the volume that it makes from it.
fn claim_itself(theirs: &BTreeSet<String>, ours: &BTreeSet<String>) -> Option<&'static str> {
    let of_a_volume = theirs.iter().all(|field| field.starts_with("spec.template.spec.volumes"));
    let of_a_claim = ours.iter().all(|field| field.starts_with("spec.volumeClaimTemplates.metadata"));
    (of_a_volume && of_a_claim).then_some("O-3: the claim template is named, not the volume made from it")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn case(manifest: Value) -> Case {
        Case { title: String::new(), before: None, manifest }
    }

    fn refused(code: u16, message: &str, fields: &[&str]) -> Answer {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Answer::Refused(Refusal { code, message: message.to_owned(), fields })
    }

    fn whys(differences: &[Difference]) -> Vec<Option<&str>> {
        differences.iter().map(|d| d.why.as_deref().map(|why| why.split(':').next().unwrap_or(why))).collect()
    }

    #[test]
    fn a_refusal_of_one_alone_needs_a_rule() {
        let accepted = Answer::Accepted(json!({}));
        let replicas = refused(422, "must be greater", &["spec.replicas"]);
        let base = case(json!({"metadata": {"name": "web"}}));
        assert_eq!(whys(&judge(&base, &accepted, &replicas, None)), [None]);
        assert_eq!(whys(&judge(&base, &replicas, &accepted, None)), [None]);
        let long = case(json!({"metadata": {"name": "x".repeat(53)}}));
        let name = refused(422, "too long", &["metadata.name"]);
        assert_eq!(whys(&judge(&long, &accepted, &name, None)), [Some("O-3")]);
        assert_eq!(whys(&judge(&long, &accepted, &replicas, None)), [None], "the name is not what it is refused for");
    }

    #[test]
    fn o_4_explains_what_the_pod_is_refused_for_and_nothing_else() {
        let accepted = Answer::Accepted(json!({}));
        let native = refused(422, "bad", &["spec.template.spec.dnsPolicy"]);
        let base = case(json!({"metadata": {"name": "web"}}));
        let pod = |field: &str| Refusal { code: 422, message: String::new(), fields: vec![field.to_owned()] };
        assert_eq!(whys(&judge(&base, &native, &accepted, Some(&pod("spec.dnsPolicy")))), [Some("O-4")]);
        assert_eq!(whys(&judge(&base, &native, &accepted, Some(&pod("spec.hostname")))), [None]);
        assert_eq!(whys(&judge(&base, &native, &accepted, None)), [None]);
    }

    #[test]
    fn fields_are_compared_whatever_they_are_called() {
        let base = case(json!({"metadata": {"name": "web"}}));
        let native =
            refused(400, "json: cannot unmarshal string into Go struct field Spec.spec.replicas of type int32", &[]);
        assert_eq!(whys(&judge(&base, &native, &refused(422, "", &["spec.replicas"]), None)), []);
        assert_eq!(whys(&judge(&base, &native, &refused(422, "", &["spec.serviceName"]), None)), [None]);
        let native = refused(422, "", &["spec.template.spec.containers[0].volumeMounts[0].name"]);
        assert_eq!(whys(&judge(&base, &native, &refused(422, "", &["spec.template.spec.containers"]), None)), []);
    }

    #[test]
    fn what_is_stored_is_compared() {
        let stored = |replicas: i32, strategy: Value| {
            Answer::Accepted(json!({"spec": {"replicas": replicas, "updateStrategy": strategy}}))
        };
        let base = case(json!({"metadata": {"name": "web"}, "spec": {}}));
        let full = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}});
        let bare = json!({"type": "RollingUpdate"});
        assert_eq!(judge(&base, &stored(1, full.clone()), &stored(1, full.clone()), None), []);
        assert_eq!(whys(&judge(&base, &stored(1, full.clone()), &stored(2, full.clone()), None)), [None]);
        assert_eq!(whys(&judge(&base, &stored(1, full.clone()), &stored(1, bare.clone()), None)), [Some("O-12")]);
        assert_eq!(whys(&judge(&base, &stored(1, bare), &stored(1, full), None)), [None]);
    }

    #[test]
    fn o_2_explains_nulls_and_nothing_else() {
        let stored = |labels: Value| {
            Answer::Accepted(json!({"spec": {"template": {"metadata": {"labels": labels}, "spec": {}}}}))
        };
        let nulls = case(json!({"spec": {"template": {"metadata": {"labels": {"a": null}}}}}));
        let (native, ours) = (stored(json!({"a": "", "b": "c"})), stored(json!({"b": "c"})));
        assert_eq!(whys(&judge(&nulls, &native, &ours, None)), [Some("O-2")]);
        assert_eq!(whys(&judge(&nulls, &native, &stored(json!({"b": "d"})), None)), [None]);
    }
}
