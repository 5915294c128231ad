//! Why one of the two kinds alone is refused, and which fields a refusal names.

use std::collections::BTreeSet;

use ordinal_api::MAX_NAME_LENGTH;
use serde_json::{Value, json};

use crate::twins::Refusal;

const POD: &str = "spec.template.";

/// The rule by which the OrdinalSet alone may be refused: what O-3 refuses beyond the built-in.
pub fn only_ours(manifest: &Value, ours: &Refusal) -> Option<&'static str> {
    let spec = &manifest["spec"];
    let only = |field: &str| ours.fields.iter().all(|f| f == field);
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
    let claims = spec["volumeClaimTemplates"].as_array().map_or(&[][..], Vec::as_slice);
    let names: BTreeSet<String> = claims.iter().map(|claim| claim["metadata"]["name"].to_string()).collect();
    let last = spec["ordinals"]["start"].as_i64().unwrap_or(0).saturating_add(spec["replicas"].as_i64().unwrap_or(1));
    if name.len() > MAX_NAME_LENGTH && only("metadata.name") {
        Some("O-3: a name of more than 52 characters leaves no room for the pods' revision label")
    } else if names.len() < claims.len() && only("spec.volumeClaimTemplates") {
        Some("O-3: claim templates of one name are one claim")
    } else if last > i64::from(i32::MAX) && only("spec.ordinals.start") {
        Some("O-3: ordinals are int32")
    } else if ["must have at most", "may not be more than"].iter().any(|bound| ours.message.contains(bound)) {
        Some("O-3: strings, lists and maps are bounded, for the cost of the rules")
    } else if claims.iter().any(|claim| is_odd(&claim["spec"]["resources"]["requests"]["storage"])) {
        Some("O-3: storage is compared by rules, which know integers and strings without white space")
    } else if ours.fields.iter().all(|field| field.starts_with("spec.selector") || field == "<nil>")
        && ours.message.contains("\"null\"")
    {
        Some("O-3: a selector's values are strings")
    } else {
        None
    }
}

/// A quantity that the API server reads and a rule does not.
fn is_odd(quantity: &Value) -> bool {
    quantity.is_f64() || quantity.as_str().is_some_and(|text| text.trim() != text)
}

/// The rule by which the StatefulSet alone may be refused. `pod` is what the API server says to a pod of its template, if
/// it refuses that too.
pub fn only_native(native: &Refusal, pod: Option<&Refusal>) -> Option<&'static str> {
    carried(native).or_else(|| out_of_sight(native)).or_else(|| tried(native, pod))
}

/// O-2: a field that nobody knows is carried, not refused.
fn carried(native: &Refusal) -> Option<&'static str> {
    let unknown: Vec<&str> =
        native.message.split("unknown field \"").skip(1).filter_map(|r| r.split('"').next()).collect();
    let carried = |field: &&str| field.starts_with(POD) || field.starts_with("spec.volumeClaimTemplates[");
    (!unknown.is_empty() && unknown.iter().all(carried)).then_some("O-2: a field of tomorrow is carried as it is")
}

/// Of an object's metadata the API server shows a CRD's rules the name alone.
fn out_of_sight(native: &Refusal) -> Option<&'static str> {
    let fields = named(native);
    let unseen = |field: &String| field.starts_with("metadata.") && field != "metadata.name";
    (!fields.is_empty() && fields.iter().all(unseen)).then_some("O-3: a CRD sees of metadata the name alone")
}

/// O-4: the API server says it of the pod as well, or does not even get to look at it.
fn tried(native: &Refusal, pod: Option<&Refusal>) -> Option<&'static str> {
    let pod = pod?;
    let of_template = named(native);
    let of_pod: BTreeSet<String> = named(pod).iter().map(|field| format!("spec.template.{field}")).collect();
    let said = of_template.is_subset(&of_pod) || (pod.code == 403 && of_template.iter().all(|f| f.starts_with(POD)));
    said.then_some("O-4: the pod itself is refused when it is tried")
}

/// The fields that a refusal names, without the numbers and keys of entries.
pub fn named(refusal: &Refusal) -> BTreeSet<String> {
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
        json!({"name": name, "persistentVolumeClaim": {"claimName": "claim"}})
    });
    let own = template["spec"]["volumes"].as_array().into_iter().flatten().cloned();
    pod["spec"]["volumes"] = claims.chain(own).collect();
    pod
}
