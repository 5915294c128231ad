//! The schemas of the pod template and the claim templates: those of k8s-openapi's types, loosened until they refuse
//! nothing that the built-in accepts and drop nothing that a newer Kubernetes may know (O-2).

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PodTemplateSpec};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Lists that server-side apply merges by key, and the key: the ones in which the built-in refuses duplicates. All
/// others are atomic, because charts contain duplicates of them that the built-in accepts.
const KEYED_LISTS: [(&str, &str); 4] =
    [("containers", "name"), ("initContainers", "name"), ("volumes", "name"), ("volumeMounts", "mountPath")];

/// Carried without a description: what is refused as a whole, what is not looked at, and the volumes of drivers that
/// have left Kubernetes.
const NOT_DESCRIBED: [&str; 19] = [
    "EphemeralContainer",
    "PersistentVolumeClaimStatus",
    "AWSElasticBlockStoreVolumeSource",
    "AzureDiskVolumeSource",
    "AzureFileVolumeSource",
    "CephFSVolumeSource",
    "CinderVolumeSource",
    "FlexVolumeSource",
    "FlockerVolumeSource",
    "GCEPersistentDiskVolumeSource",
    "GitRepoVolumeSource",
    "GlusterfsVolumeSource",
    "PhotonPersistentDiskVolumeSource",
    "PortworxVolumeSource",
    "QuobyteVolumeSource",
    "RBDVolumeSource",
    "ScaleIOVolumeSource",
    "StorageOSVolumeSource",
    "VsphereVirtualDiskVolumeSource",
];

/// A DNS-1123 label, but for its length.
pub(super) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// What a class may be called; empty: none.
const DNS_SUBDOMAIN_OR_EMPTY: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$";

/// What the API server parses as a quantity.
const QUANTITY: &str = r"^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?\s*$";

/// Schema of `spec.template`.
pub fn pod_template(_: &mut SchemaGenerator) -> Schema {
    // A fraction (`cpu: 0.5`) is a quantity, and only a value of no declared type may be one.
    let quantity = json!({"x-kubernetes-preserve-unknown-fields": true, "pattern": QUANTITY});
    into_schema(Embedder::new::<PodTemplateSpec>(quantity).embed::<PodTemplateSpec>())
}

/// Schema of `spec.volumeClaimTemplates`.
pub fn claim_templates(_: &mut SchemaGenerator) -> Schema {
    // Rules look at these quantities, so they have a type.
    let quantity = json!({"x-kubernetes-int-or-string": true, "pattern": QUANTITY, "maxLength": 64});
    let claim = Embedder::new::<PersistentVolumeClaim>(quantity).embed::<PersistentVolumeClaim>();
    into_schema(json!({"type": "array", "items": claim}))
}

fn into_schema(value: Value) -> Schema {
    value.try_into().expect("a JSON object is a schema")
}

/// Writes out the schema of a k8s-openapi type in full: a CRD has no `$ref`.
struct Embedder {
    definitions: Map<String, Value>,
    quantity: Value,
}

impl Embedder {
    fn new<T: JsonSchema>(quantity: Value) -> Self {
        let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
        generator.subschema_for::<T>();
        Self { definitions: generator.take_definitions(true), quantity }
    }

    fn embed<T: JsonSchema>(&self) -> Value {
        self.definition(&T::schema_name())
    }

    fn definition(&self, name: &str) -> Value {
        let kind = name.rsplit('.').next().unwrap_or(name);
        match kind {
            "Quantity" => self.quantity.clone(),
            // In a pod it is always a port.
            "IntOrString" => json!({"x-kubernetes-int-or-string": true, "maximum": 65535, "minimum": 1}),
            "ObjectMeta" => metadata(),
            kind if NOT_DESCRIBED.contains(&kind) => {
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
            }
            kind => {
                let mut schema = self.schema(&self.definitions[name]);
                super::merge(&mut schema, amendment(kind).unwrap_or_else(|| json!({})));
                schema
            }
        }
    }

    fn schema(&self, source: &Value) -> Value {
        if let Some(reference) = source.get("$ref").and_then(Value::as_str) {
            return self.definition(reference.rsplit('/').next().unwrap_or(reference));
        }
        let mut schema = Map::new();
        for (keyword, value) in source.as_object().into_iter().flatten() {
            let value = match keyword.as_str() {
                "description" | "default" => continue,
                "properties" => self.properties(value),
                "items" | "additionalProperties" => self.schema(value),
                _ => value.clone(),
            };
            schema.insert(keyword.clone(), value);
        }
        if schema.get("type") == Some(&json!("object")) && !schema.contains_key("additionalProperties") {
            schema.insert("x-kubernetes-preserve-unknown-fields".into(), json!(true));
        }
        Value::Object(schema)
    }

    fn properties(&self, source: &Value) -> Value {
        let properties = source.as_object().into_iter().flatten().map(|(name, property)| {
            let mut property = self.schema(property);
            let key = KEYED_LISTS.iter().find(|(list, _)| list == name).map(|(_, key)| *key);
            if let Some(key) = key.filter(|key| requires(&property["items"], key)) {
                property["x-kubernetes-list-type"] = json!("map");
                property["x-kubernetes-list-map-keys"] = json!([key]);
            }
            (name.clone(), property)
        });
        Value::Object(properties.collect())
    }
}

fn requires(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name))
}

/// Where the published API and what the built-in accepts differ: what it does without though it is called required, and
/// what it demands beyond. Of the latter only what no later Kubernetes will allow; O-4 finds the rest.
fn amendment(kind: &str) -> Option<Value> {
    Some(match kind {
        "HTTPHeader" | "Sysctl" => json!({"required": ["name"]}),
        "ISCSIVolumeSource" => json!({"required": ["targetPortal", "iqn"]}),
        "PreferredSchedulingTerm" => json!({"required": ["weight"]}),
        "LocalObjectReference" => json!({"required": null}),
        "Container" => json!({
            "required": ["name", "image"],
            "properties": {"name": {"pattern": DNS_LABEL, "maxLength": 63}, "image": {"minLength": 1}},
        }),
        "ContainerPort" => {
            json!({"properties": {"containerPort": {"minimum": 1, "maximum": 65535}, "name": {"maxLength": 15}}})
        }
        "EnvVar" => json!({"properties": {"name": {"minLength": 1}}}),
        "Volume" => json!({"properties": {"name": {"pattern": DNS_LABEL, "maxLength": 63}}}),
        "VolumeMount" => json!({"properties": {"name": {"maxLength": 63}, "mountPath": {"minLength": 1}}}),
        "PodSpec" => json!({"properties": {"containers": {"minItems": 1}}}),
        "PodTemplateSpec" => json!({"required": ["spec"]}),
        "PersistentVolumeClaim" => json!({
            "required": ["metadata", "spec"],
            "properties": {"metadata": {"required": ["name"]}},
        }),
        "PersistentVolumeClaimSpec" => json!({"properties": {
            "accessModes": {"items": {"enum": ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]}},
            "volumeMode": {"enum": ["Block", "Filesystem"]},
            "storageClassName": {"pattern": DNS_SUBDOMAIN_OR_EMPTY, "maxLength": 253},
        }}),
        _ => return None,
    })
}

/// Metadata as far as a template has use for it; the built-in looks at nothing else of it.
fn metadata() -> Value {
    let string = json!({"type": "string"});
    let map = json!({"type": "object", "additionalProperties": string});
    json!({
        "type": "object",
        "properties": {
            "name": string,
            "generateName": string,
            "namespace": string,
            "labels": map,
            "annotations": map,
            "finalizers": {"type": "array", "items": string},
            // Declared, so that the null that many generators write is dropped.
            "creationTimestamp": {"type": "string", "format": "date-time"},
        },
        "x-kubernetes-preserve-unknown-fields": true,
    })
}
