//! What two accepted sets have in store: the same settings, and templates of the same meaning.

use ordinal_plan::meaning::Meaning;
use serde_json::{Value, json};

use crate::report::Difference;

/// Where the specs that are stored of `manifest` differ.
pub fn differences(manifest: &Value, native: &Value, ours: &Value) -> Vec<Difference> {
    let mut differences = unlike(&native["spec"], &ours["spec"]);
    let mut without = native["spec"].clone();
    forget_nulls(&mut without, &manifest["spec"]);
    if !differences.is_empty() && unlike(&without, &ours["spec"]).is_empty() {
        let why = "O-2: stored as the API server stores a custom resource, which is without nulls";
        differences.iter_mut().for_each(|difference| difference.why = Some(why.to_owned()));
    }
    differences
}

/// Takes out of what is stored the entries for which the manifest has null.
fn forget_nulls(stored: &mut Value, manifest: &Value) {
    match (stored, manifest) {
        (Value::Object(stored), Value::Object(manifest)) => {
            stored.retain(|name, _| !manifest.get(name).is_some_and(Value::is_null));
            stored
                .iter_mut()
                .for_each(|(name, field)| forget_nulls(field, &manifest.get(name).cloned().unwrap_or_default()));
        }
        (Value::Array(stored), Value::Array(manifest)) => {
            stored.iter_mut().zip(manifest).for_each(|(stored, manifest)| forget_nulls(stored, manifest));
        }
        _ => {}
    }
}

fn unlike(native: &Value, ours: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut compare = |field: &str, theirs: Value, ours: Value| {
        if theirs != ours {
            let why = why(field, &theirs, &ours);
            differences.push(Difference { what: format!("stored {field}: {theirs} against {ours}"), why });
        }
    };
    for (field, absent) in [
        ("replicas", json!(null)),
        ("selector", json!(null)),
        ("serviceName", json!("")),
        ("podManagementPolicy", json!(null)),
        ("updateStrategy", json!(null)),
        ("revisionHistoryLimit", json!(null)),
        ("minReadySeconds", json!(0)),
        ("persistentVolumeClaimRetentionPolicy", json!(null)),
        ("ordinals", json!(null)),
    ] {
        compare(field, setting(native, field, &absent), setting(ours, field, &absent));
    }
    let meaning = |spec: &Value| json!(format!("{:?}", Meaning::of(&spec["template"])));
    compare("template (by meaning)", meaning(native), meaning(ours));
    compare("volumeClaimTemplates", claims(native), claims(ours));
    differences
}

/// A block that the built-in writes out means what its absence means to us.
fn why(field: &str, native: &Value, ours: &Value) -> Option<String> {
    let written_out = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}});
    let same = field == "updateStrategy" && *native == written_out && *ours == json!({"type": "RollingUpdate"});
    same.then(|| "O-12: a missing rollingUpdate block is partition 0, maxUnavailable 1".to_owned())
}

/// A setting in one form: what is empty is absent, as both controllers read it.
fn setting(spec: &Value, field: &str, absent: &Value) -> Value {
    let mut value = spec[field].clone();
    tidy(field, &mut value);
    if value == *absent { Value::Null } else { value }
}

/// The empty string stands for the default (S-1.5), and numbers for themselves however they are written.
fn tidy(field: &str, value: &mut Value) {
    match (field, &mut *value) {
        ("podManagementPolicy", Value::String(text)) if text.is_empty() => *value = json!("OrderedReady"),
        ("type", Value::String(text)) if text.is_empty() => *value = json!("RollingUpdate"),
        ("whenDeleted" | "whenScaled", Value::String(text)) if text.is_empty() => *value = json!("Retain"),
        (_, Value::Number(number)) => {
            if let Some(whole) = number.as_f64().filter(|n| n.fract() == 0.0) {
                *value = json!(whole as i64);
            }
        }
        (_, Value::Array(items)) => items.iter_mut().for_each(|item| tidy("", item)),
        (_, Value::Object(fields)) => {
            fields.iter_mut().for_each(|(name, field)| tidy(name, field));
            fields.retain(|_, field| !field.is_null() && *field != json!([]) && *field != json!({}));
        }
        _ => {}
    }
}

/// Claim templates less what the API server fills in (S-1.4), with their quantities in one form.
fn claims(spec: &Value) -> Value {
    let claims = spec["volumeClaimTemplates"].as_array().into_iter().flatten().map(|claim| {
        let mut claim = claim.clone();
        if let Some(fields) = claim.as_object_mut() {
            ["apiVersion", "kind", "status"].iter().for_each(|field| drop(fields.remove(*field)));
        }
        if claim["spec"]["volumeMode"] == "Filesystem" || claim["spec"]["volumeMode"] == "" {
            claim["spec"]["volumeMode"] = Value::Null;
        }
        // As the pods' own volumes for one claim: quantities and empty fields are read by the same rules there.
        let volume = json!({"spec": {"volumes": [{"ephemeral": {"volumeClaimTemplate": claim}}]}});
        format!("{:?}", Meaning::of(&volume))
    });
    claims.collect()
}
