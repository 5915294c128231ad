//! What two answers to one manifest have in common, and why they differ where they do.

use std::collections::BTreeSet;

use ordinal_api::MAX_NAME_LENGTH;
use serde_json::Value;

use super::{cases::Case, stored};
use crate::{
    report::Difference,
    twins::{Answer, Refusal},
};

const POD: &str = "spec.template.";

/// Compares the answers. `pod_refused` is what the API server says to a pod of the manifest's template, if that is why.
pub fn judge(case: &Case, native: &Answer, ours: &Answer, pod_refused: Option<&Refusal>) -> Vec<Difference> {
    match (native, ours) {
        (Answer::Accepted(native), Answer::Accepted(ours)) => stored::differences(&case.manifest, native, ours),
        (Answer::Refused(native), Answer::Refused(ours)) => fields(case, native, ours).into_iter().collect(),
        (Answer::Accepted(_), Answer::Refused(ours)) => {
            vec![Difference {
                what: format!("only the OrdinalSet is refused: {}", ours.message),
                why: stricter(case, ours),
            }]
        }
        (Answer::Refused(native), Answer::Accepted(_)) => {
            vec![Difference {
                what: format!("only the StatefulSet is refused: {}", native.message),
                why: carried(native).or_else(|| out_of_sight(native)).or_else(|| tried(native, pod_refused)),
            }]
        }
    }
}

/// What O-3 refuses beyond the built-in.
fn stricter(case: &Case, ours: &Refusal) -> Option<String> {
    let spec = &case.manifest["spec"];
    let only = |field: &str| ours.fields.iter().all(|f| f == field);
    let name = case.manifest["metadata"]["name"].as_str().unwrap_or_default();
    let claims = spec["volumeClaimTemplates"].as_array().map_or(&[][..], Vec::as_slice);
    let names: BTreeSet<String> = claims.iter().map(|claim| claim["metadata"]["name"].to_string()).collect();
    let last = spec["ordinals"]["start"].as_i64().unwrap_or(0) + spec["replicas"].as_i64().unwrap_or(1);
    let why = if name.len() > MAX_NAME_LENGTH && only("metadata.name") {
        "O-3: a name of more than 52 characters leaves no room for the pods' revision label"
    } else if names.len() < claims.len() && only("spec.volumeClaimTemplates") {
        "O-3: claim templates of one name are one claim"
    } else if last > i64::from(i32::MAX) && only("spec.ordinals.start") {
        "O-3: ordinals are int32"
    } else if ["must have at most", "may not be more than"].iter().any(|bound| ours.message.contains(bound)) {
        "O-3: strings, lists and maps are bounded, for the cost of the rules"
    } else if claims.iter().any(|claim| is_odd(&claim["spec"]["resources"]["requests"]["storage"])) {
        "O-3: storage is compared by rules, which know integers and strings without white space"
    } else if ours.fields.iter().all(|field| field.starts_with("spec.selector") || field == "<nil>")
        && ours.message.contains("\"null\"")
    {
        "O-3: a selector's values are strings"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// A quantity that the API server reads and a rule does not.
fn is_odd(quantity: &Value) -> bool {
    quantity.is_f64() || quantity.as_str().is_some_and(|text| text.trim() != text)
}

/// O-2: a field that nobody knows is carried, not refused.
fn carried(native: &Refusal) -> Option<String> {
    let unknown: Vec<&str> =
        native.message.split("unknown field \"").skip(1).filter_map(|r| r.split('"').next()).collect();
    let carried = |field: &&str| field.starts_with(POD) || field.starts_with("spec.volumeClaimTemplates[");
    (!unknown.is_empty() && unknown.iter().all(carried))
        .then(|| "O-2: a field of tomorrow is carried as it is".to_owned())
}

/// Of an object's metadata the API server shows a CRD's rules the name alone.
fn out_of_sight(native: &Refusal) -> Option<String> {
    let fields = named(native);
    let unseen = |field: &String| field.starts_with("metadata.") && field != "metadata.name";
    (!fields.is_empty() && fields.iter().all(unseen)).then(|| "O-3: a CRD sees of metadata the name alone".to_owned())
}

/// O-4: the API server says it of the pod as well, or does not even get to look at it.
fn tried(native: &Refusal, pod: Option<&Refusal>) -> Option<String> {
    let pod = pod?;
    let of_template = named(native);
    let of_pod: BTreeSet<String> = named(pod).iter().map(|field| format!("spec.template.{field}")).collect();
    let said = of_template.is_subset(&of_pod) || (pod.code == 403 && of_template.iter().all(|f| f.starts_with(POD)));
    said.then(|| "O-4: the pod itself is refused when it is tried".to_owned())
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
        why: stricter(case, ours).or_else(|| claim_itself(&theirs, &named)),
    })
}

/// The built-in tells of a claim template's name as of the volume that it makes from it.
fn claim_itself(theirs: &BTreeSet<String>, ours: &BTreeSet<String>) -> Option<String> {
    let of_a_volume = theirs.iter().all(|field| field.starts_with("spec.template.spec.volumes"));
    let of_a_claim = ours.iter().all(|field| field.starts_with("spec.volumeClaimTemplates.metadata"));
    (of_a_volume && of_a_claim).then(|| "O-3: the claim template is named, not the volume made from it".to_owned())
}

/// The fields that a refusal names, without the numbers and keys of entries.
fn named(refusal: &Refusal) -> BTreeSet<String> {
    let mut fields: BTreeSet<&str> =
        refusal.fields.iter().map(String::as_str).filter(|field| *field != "<nil>").collect();
    let message = refusal.message.as_str();
    // Of what cannot be decoded, Go names the type and the path within it, a schema the format.
    let after = |words: &str| message.split_once(words).and_then(|(_, rest)| rest.split([' ', ',', ']']).next());
    let within = after("Go struct field ").and_then(|typed| typed.split_once('.'));
    fields.extend(within.map(|(_, path)| path).into_iter().chain(after("format int32 in ")));
    fields.extend(message.split("unknown field \"").skip(1).filter_map(|rest| rest.split('"').next()));
    fields.into_iter().map(plain).collect()
}

/// A field's path without numbers and keys of entries, Go's own words, and the slips of either API.
fn plain(field: &str) -> String {
    let mut rest = field;
    let mut bare = String::new();
    while let Some((before, after)) = rest.split_once('[') {
        bare.push_str(before);
        rest = after.split_once(']').map_or("", |(_, rest)| rest);
    }
    bare.push_str(rest);
    let steps = bare.split('.').filter(|step| !step.is_empty() && !step.starts_with(|c: char| c.is_ascii_uppercase()));
    let path = steps.collect::<Vec<_>>().join(".");
    match path.as_str() {
        "labels" | "annotations" => format!("metadata.{path}"),
        "spec.template.labels" | "spec.template.annotations" => path.replace("template", "template.metadata"),
        _ => path,
    }
}

/// The manifest's pod, as near as a trial needs it: the template with volumes for the claims.
pub fn pod_of(manifest: &Value) -> Value {
    let template = &manifest["spec"]["template"];
    let mut pod = template.clone();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["name"] = "web-0".into();
    pod["spec"]["hostname"] = "web-0".into();
    pod["spec"]["subdomain"] = Value::Null;
    let claims = manifest["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten();
    let claims = claims.map(|claim| {
        let name = &claim["metadata"]["name"];
        serde_json::json!({"name": name, "persistentVolumeClaim": {"claimName": "claim"}})
    });
    let own = template["spec"]["volumes"].as_array().into_iter().flatten().cloned();
    pod["spec"]["volumes"] = claims.chain(own).collect();
    pod
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
