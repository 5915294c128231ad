//! What a pod template means (O-13): two templates are equal when they are after the API server's defaults, with
//! quantities, numbers and absent or empty fields read as it reads them.
//!
//! The table below is frozen. It describes what the native API makes of a template; changing it would compare yesterday's
//! revisions with today's eyes and restart pods (N-5). A field that it does not know is compared as it is written.
//!
//! It works by taking away: a field at its default, or at a zero that the API server does not store, is dropped from a
//! copy, and the copies are compared.

use crate::quantity;
use serde_json::{Map, Value, json};
use std::{fmt, sync::Arc};

/// A template in the form in which equal ones are equal byte for byte. Not fit for making pods from.
#[derive(Clone, PartialEq, Eq)]
pub struct Meaning(Arc<str>);

impl Meaning {
    /// The meaning of a pod template as stored.
    pub fn of(template: &Value) -> Self {
        let mut template = template.clone();
        drop_defaults(&mut template);
        tidy(&mut template);
        Self(template.to_string().into())
    }

    /// The meaning of a claim template: what the API server fills in by itself does not count.
    pub fn of_claim(template: &Value) -> Self {
        let mut template = template.clone();
        if let Some(fields) = template.as_object_mut() {
            ["apiVersion", "kind", "status"].iter().for_each(|field| drop(fields.remove(*field)));
            if let Some(metadata) = object(fields, "metadata") {
                metadata.remove("creationTimestamp");
            }
            if let Some(spec) = object(fields, "spec") {
                drop_if(spec, "volumeMode", &json!("Filesystem"));
                // The old name of the field is stored beside the new one.
                if let Some(source) = spec.remove("dataSource") {
                    spec.entry("dataSourceRef").or_insert(source);
                }
            }
        }
        tidy(&mut template);
        Self(template.to_string().into())
    }

    /// As JSON, for comparisons that tell where two differ.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Object = Map<String, Value>;

/// Maps of the user's own keys: their entries are never dropped, an empty one counts as absent.
const STRING_MAPS: &[&str] = &[
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "options",
    "volumeAttributes",
    "overhead",
    "limits",
    "requests",
];

/// Of these, the values are quantities.
const QUANTITY_MAPS: &[&str] = &["overhead", "limits", "requests"];

/// Fields that are one quantity.
const QUANTITIES: &[&str] = &["sizeLimit", "divisor"];

/// Fields whose `false` or `0` the API server does not store: they are no pointers there, so it equals absence.
/// Everything else (`runAsUser: 0`, `automountServiceAccountToken: false`, …) keeps its zero.
const ZERO_IS_ABSENT: &[&str] =
    &["hostIPC", "hostNetwork", "hostPID", "hostPort", "initialDelaySeconds", "readOnly", "stdin", "stdinOnce", "tty"];

/// Fields whose `""` is something else than absence.
const EMPTY_STRING_COUNTS: &[&str] = &["apiGroup", "storageClassName", "volumeAttributesClassName"];

/// Objects that the API server fills in, or reads as absent, when they are empty. Other empty objects mean something:
/// a label selector `{}` selects everything, an absent one nothing.
const EMPTY_OBJECT_IS_ABSENT: &[&str] = &["metadata", "resources", "emptyDir", "preference"];

fn drop_defaults(template: &mut Value) {
    let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) else { return };
    drop_if(spec, "restartPolicy", &json!("Always"));
    drop_if(spec, "dnsPolicy", &json!("ClusterFirst"));
    drop_if(spec, "schedulerName", &json!("default-scheduler"));
    drop_if(spec, "terminationGracePeriodSeconds", &json!(30));
    drop_if(spec, "securityContext", &json!({}));
    // The old name of the field is stored beside the new one.
    if let Some(name) = spec.remove("serviceAccount") {
        spec.entry("serviceAccountName").or_insert(name);
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        objects(spec, list).for_each(container);
    }
    objects(spec, "volumes").for_each(volume);
}

fn container(container: &mut Object) {
    let latest = container.get("image").and_then(Value::as_str).is_some_and(is_latest);
    drop_if(container, "imagePullPolicy", &json!(if latest { "Always" } else { "IfNotPresent" }));
    drop_if(container, "terminationMessagePath", &json!("/dev/termination-log"));
    drop_if(container, "terminationMessagePolicy", &json!("File"));
    objects(container, "ports").for_each(|port| drop_if(port, "protocol", &json!("TCP")));
    for env in objects(container, "env") {
        if let Some(from) = object(env, "valueFrom") {
            field_ref(from);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = object(container, probe) else { continue };
        for (field, default) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            drop_if(probe, field, &json!(default));
            drop_if(probe, field, &json!(0));
        }
        handler(probe);
        if let Some(grpc) = object(probe, "grpc") {
            drop_if(grpc, "service", &json!(""));
        }
    }
    if let Some(lifecycle) = object(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = object(lifecycle, hook) {
                handler(hook);
            }
        }
    }
    if let Some(security) = object(container, "securityContext") {
        drop_if(security, "procMount", &json!("Default"));
    }
}

fn handler(handler: &mut Object) {
    if let Some(get) = object(handler, "httpGet") {
        drop_if(get, "path", &json!("/"));
        drop_if(get, "scheme", &json!("HTTP"));
    }
}

fn field_ref(parent: &mut Object) {
    if let Some(field) = object(parent, "fieldRef") {
        drop_if(field, "apiVersion", &json!("v1"));
    }
    if let Some(resource) = object(parent, "resourceFieldRef")
        && resource.get("divisor").and_then(quantity::canonical).as_deref() == Some("0")
    {
        resource.remove("divisor");
    }
}

fn volume(volume: &mut Object) {
    if let Some(image) = object(volume, "image") {
        let latest = image.get("reference").and_then(Value::as_str).is_some_and(is_latest);
        drop_if(image, "pullPolicy", &json!(if latest { "Always" } else { "IfNotPresent" }));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        let Some(source) = object(volume, source) else { continue };
        drop_if(source, "defaultMode", &json!(0o644));
        objects(source, "items").for_each(field_ref);
        for projection in objects(source, "sources") {
            if let Some(token) = object(projection, "serviceAccountToken") {
                drop_if(token, "expirationSeconds", &json!(3600));
            }
            if let Some(downward) = object(projection, "downwardAPI") {
                objects(downward, "items").for_each(field_ref);
            }
        }
    }
    const DEFAULTS: &[(&str, &str, &str)] = &[
        ("iscsi", "iscsiInterface", "default"),
        ("rbd", "pool", "rbd"),
        ("rbd", "user", "admin"),
        ("rbd", "keyring", "/etc/ceph/keyring"),
        ("azureDisk", "cachingMode", "ReadWrite"),
        ("azureDisk", "fsType", "ext4"),
        ("azureDisk", "kind", "Shared"),
        ("scaleIO", "storageMode", "ThinProvisioned"),
        ("scaleIO", "fsType", "xfs"),
    ];
    for (source, field, default) in DEFAULTS {
        if let Some(source) = object(volume, source) {
            drop_if(source, field, &json!(default));
        }
    }
    if let Some(spec) =
        object(volume, "ephemeral").and_then(|e| object(e, "volumeClaimTemplate")).and_then(|t| object(t, "spec"))
    {
        drop_if(spec, "volumeMode", &json!("Filesystem"));
    }
}

/// Whether the image's tag is `latest`, written or implied; a digest without a tag is not, nor is what no image can be
/// called.
fn is_latest(image: &str) -> bool {
    let (name, digest) = image.split_once('@').map_or((image, None), |(n, d)| (n, Some(d)));
    let last = name.rsplit('/').next().unwrap_or(name);
    let (last, tag) = last.rsplit_once(':').map_or((last, None), |(l, t)| (l, Some(t)));
    let possible = last.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    possible && tag.map_or(digest.is_none(), |tag| tag == "latest")
}

/// Drops what the API server does not store, and brings numbers and quantities to one form.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, field)| tidy_field(name, field));
            fields.retain(|name, field| !is_absent(name, field));
        }
        Value::Array(items) => {
            // In a list of strings, the only ones that may hold it, null is stored as an empty string.
            items.iter_mut().filter(|item| item.is_null()).for_each(|item| *item = json!(""));
            items.iter_mut().for_each(tidy);
        }
        Value::Number(number) => {
            // 8080.0 is stored as 8080. Beyond 2^53 the float has lost digits, so such a number stays as written.
            let whole = number.as_f64().filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < 9e15);
            if let Some(whole) = whole {
                *value = json!(whole as i64);
            }
        }
        _ => {}
    }
}

fn tidy_field(name: &str, field: &mut Value) {
    if QUANTITIES.contains(&name) {
        replace(field, quantity::canonical(field));
    } else if STRING_MAPS.contains(&name) && field.is_object() {
        if QUANTITY_MAPS.contains(&name) {
            // The API server rounds these up to milli.
            let resources = field.as_object_mut().into_iter().flatten();
            resources.for_each(|(_, quantity)| replace(quantity, quantity::canonical_milli(quantity)));
        }
    } else {
        tidy(field);
    }
}

fn replace(value: &mut Value, canonical: Option<String>) {
    if let Some(canonical) = canonical {
        *value = Value::String(canonical);
    }
}

fn is_absent(name: &str, field: &Value) -> bool {
    match field {
        Value::Null => true,
        Value::Bool(false) => ZERO_IS_ABSENT.contains(&name),
        Value::Number(n) => n.as_i64() == Some(0) && ZERO_IS_ABSENT.contains(&name),
        Value::String(s) => s.is_empty() && !EMPTY_STRING_COUNTS.contains(&name),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => {
            fields.is_empty() && (STRING_MAPS.contains(&name) || EMPTY_OBJECT_IS_ABSENT.contains(&name))
        }
        Value::Bool(true) => false,
    }
}

fn drop_if(object: &mut Object, field: &str, default: &Value) {
    if object.get(field) == Some(default) {
        object.remove(field);
    }
}

fn object<'a>(parent: &'a mut Object, field: &str) -> Option<&'a mut Object> {
    parent.get_mut(field)?.as_object_mut()
}

fn objects<'a>(parent: &'a mut Object, list: &str) -> impl Iterator<Item = &'a mut Object> {
    parent.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    // What templates mean is shown by tests/defaults.rs.
    #[test]
    fn s_3_1_maps_are_sorted_whatever_the_build_turns_on() {
        assert_eq!(json!({"b": 1, "a": 2}).to_string(), r#"{"a":2,"b":1}"#, "hashes and meanings rely on it");
    }
}
