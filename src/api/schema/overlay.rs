//! What a derive cannot say of the set's own fields: the defaults of S-1.5, merge keys, columns, and the bounds that
//! rules need so that their cost can be estimated. Bounds are far above what is in use: the built-in has none.

use serde_json::{Value, json};

/// A quantity greater than zero.
const POSITIVE: &str =
    r"^\+?([0-9]*[1-9][0-9]*(\.[0-9]*)?|[0-9]*\.[0-9]*[1-9][0-9]*)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";

/// Lays it over the derived schema.
pub(super) fn lay(root: &mut Value) {
    super::each_schema(&mut root["properties"]["spec"]["properties"]["selector"], &mut |schema| {
        schema.remove("description");
    });
    super::each_schema(&mut root["properties"]["status"], &mut |schema| {
        schema.remove("default");
    });
    super::merge(root, overlay());
}

fn overlay() -> Value {
    let name = json!({"maxLength": 63});
    let labels = json!({"maxProperties": 128, "additionalProperties": name});
    // An argument of null, as generators write it, is an empty one.
    let arguments = json!({"items": {"nullable": true}});
    let container = json!({"properties": {
        "volumeMounts": {"maxItems": 256},
        "command": arguments,
        "args": arguments,
    }});
    json!({"properties": {
        // The API server bounds it anyway, but does not tell rules before 1.37.
        "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 253}}},
        "spec": {"properties": {
            "selector": {
                "description": "Which pods belong to the set: it must match the template's labels, and never changes.",
                "properties": {
                    "matchLabels": labels,
                    "matchExpressions": {"maxItems": 64, "items": {"properties": {
                        "key": {"maxLength": 317},
                        "operator": {"maxLength": 64},
                        "values": {"maxItems": 128, "items": name},
                    }}},
                },
            },
            "template": {
                "description": "What each pod is made from: a pod template, kept as it is written.",
                "properties": {
                    "metadata": {"properties": {"labels": labels, "annotations": {"maxProperties": 256}}},
                    "spec": {"properties": {
                        "containers": {"maxItems": 64, "items": container},
                        "initContainers": {"maxItems": 64, "items": container},
                        "volumes": {"maxItems": 256},
                    }},
                },
            },
            "volumeClaimTemplates": {
                "default": null,
                "maxItems": 64,
                "items": {"properties": {
                    "metadata": {"properties": {
                        "name": name,
                        "labels": labels,
                        "annotations": {"maxProperties": 256},
                    }},
                    "spec": {"properties": {
                        "accessModes": {"maxItems": 8},
                        "selector": {"properties": {"matchLabels": labels}},
                        "resources": {"properties": {"requests": {
                            "maxProperties": 4,
                            "additionalProperties": {"pattern": POSITIVE, "minimum": 1},
                        }}},
                    }},
                }},
            },
            // Rules refuse in the built-in's words, and let an empty string stand for the default.
            "podManagementPolicy": {"enum": null},
            "persistentVolumeClaimRetentionPolicy": {"properties": {
                "whenDeleted": {"enum": null},
                "whenScaled": {"enum": null},
            }},
            "serviceName": {"default": null, "maxLength": 63},
            "adoptFrom": {"properties": {
                "apiVersion": {"enum": ["apps/v1"]},
                "kind": {"enum": ["StatefulSet"]},
                "uid": {"minLength": 1, "maxLength": 64},
                "accept": {"maxItems": 8, "x-kubernetes-list-type": "set"},
            }},
            "minReadySeconds": {"default": null},
            "updateStrategy": {
                // When it is absent, the built-in writes out the block too; not so for a bare `type: RollingUpdate`.
                "default": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
                "properties": {"type": {"enum": null}, "rollingUpdate": {"properties": {
                    "maxUnavailable": {"default": 1, "maxLength": 32, "maximum": i32::MAX, "minimum": i32::MIN},
                }}},
            },
        }},
        "status": {"properties": {
            "conditions": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        }},
    }})
}

/// What `kubectl get` shows: ready and desired are two columns, because a column of a CRD is one field.
pub(super) fn columns() -> Value {
    let column = |name, kind, path, priority| {
        let mut column = json!({"name": name, "type": kind, "jsonPath": path});
        if priority > 0 {
            column["priority"] = json!(priority);
        }
        column
    };
    json!([
        column("READY", "integer", ".status.readyReplicas", 0),
        column("DESIRED", "integer", ".spec.replicas", 0),
        column("UPDATED", "integer", ".status.updatedReplicas", 1),
        column("AVAILABLE", "integer", ".status.availableReplicas", 1),
        column("CURRENT REVISION", "string", ".status.currentRevision", 1),
        column("UPDATE REVISION", "string", ".status.updateRevision", 1),
        column("AGE", "date", ".metadata.creationTimestamp", 0),
    ])
}
