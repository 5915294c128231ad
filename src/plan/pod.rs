//! The pod of an (ordinal, revision) (S-2.2), and whether an existing one is what it must be (S-2.7, S-2.8).

use crate::{
    action::Template,
    name,
    snapshot::{Pod, Set},
};
use ordinal_api::{LABEL_POD_INDEX, LABEL_POD_NAME, LABEL_REVISION};
use serde_json::{Map, Value, json};

/// The pod to be created for an ordinal: the template as it was stored, and on top only what makes the identity (O-2).
pub fn desired(set: &Set, ordinal: i32, template: &Template) -> Value {
    let pod = name::pod(&set.name, ordinal);
    let from = &template.value["metadata"];
    let mut labels = from["labels"].as_object().cloned().unwrap_or_default();
    labels.extend(identity_labels(&pod, ordinal));
    labels.insert(LABEL_REVISION.into(), template.revision.as_str().into());
    let mut metadata = json!({
        "name": pod,
        "generateName": format!("{}-", set.name),
        "namespace": set.namespace,
        "labels": labels,
        "ownerReferences": [set.controller_ref()],
    });
    for field in ["annotations", "finalizers"] {
        if !from[field].is_null() {
            metadata[field] = from[field].clone();
        }
    }
    let mut spec = template.value["spec"].as_object().cloned().unwrap_or_default();
    spec.insert("volumes".into(), volumes(set, ordinal, spec.get("volumes")).into());
    spec.insert("hostname".into(), pod.into());
    spec.insert("subdomain".into(), set.spec.service_name.as_str().into());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// The labels that make a pod's identity (S-2.3).
pub fn identity_labels(pod: &str, ordinal: i32) -> Map<String, Value> {
    Map::from_iter([(LABEL_POD_NAME.to_owned(), pod.into()), (LABEL_POD_INDEX.to_owned(), ordinal.to_string().into())])
}

/// The claims' volumes in the order of their templates, then those of the pod template that have other names (S-2.6).
pub fn volumes(set: &Set, ordinal: i32, others: Option<&Value>) -> Vec<Value> {
    let claims = set.claim_templates().map(|(template, _)| {
        let claim = name::claim(template, &set.name, ordinal);
        json!({"name": template, "persistentVolumeClaim": {"claimName": claim}})
    });
    let kept = others.and_then(Value::as_array).into_iter().flatten();
    let kept = kept.filter(|v| set.claim_templates().all(|(template, _)| v["name"] != template));
    claims.chain(kept.cloned()).collect()
}

/// Whether name and pod-name label are those of the ordinal (S-2.7).
pub(crate) fn identity_matches(set: &Set, ordinal: i32, pod: &Pod) -> bool {
    name::is_pod(&pod.name, &set.name, ordinal) && pod.labels.have_the_name()
}

/// Whether each claim template has its volume (S-2.8).
pub(crate) fn storage_matches(set: &Set, templates: &[&str], ordinal: i32, pod: &Pod) -> bool {
    templates.iter().all(|template| pod.mounts.have(template, (&set.name, ordinal), &pod.name))
}
