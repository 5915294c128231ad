//! O-13, row by row: a template with a default written out equals the one without, and one with another value does not.

use ordinal_plan::meaning::Meaning;
use serde_json::{Value, json};

fn pod(spec: Value) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": spec})
}

fn container(fields: Value) -> Value {
    let mut container = json!({"name": "main", "image": "db:1"});
    container.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    pod(json!({"containers": [container]}))
}

fn volume(source: Value) -> Value {
    let mut volume = json!({"name": "v"});
    volume.as_object_mut().expect("an object").extend(source.as_object().expect("an object").clone());
    pod(json!({"volumes": [volume]}))
}

#[track_caller]
fn equal(a: &Value, b: &Value) {
    assert_eq!(Meaning::of(a), Meaning::of(b), "{a}\nand\n{b}");
}

#[track_caller]
fn unequal(a: &Value, b: &Value) {
    assert_ne!(Meaning::of(a), Meaning::of(b), "{a}\nand\n{b}");
}

/// Writing the default equals leaving the field out; writing another value does not.
#[track_caller]
fn row(at: impl Fn(Value) -> Value, absent: Value, default: Value, other: Value) {
    equal(&at(absent.clone()), &at(default.clone()));
    unequal(&at(absent), &at(other.clone()));
    unequal(&at(default), &at(other));
}

/// A field of an object, with its default and another value.
#[track_caller]
fn field(at: impl Fn(Value) -> Value, base: Value, name: &str, default: Value, other: Value) {
    let with = |value: Value| {
        let mut object = base.clone();
        object[name] = value;
        object
    };
    row(at, base.clone(), with(default), with(other));
}

#[test]
fn o_13_defaults_of_a_pod() {
    for (name, default, other) in [
        ("restartPolicy", json!("Always"), json!("Never")),
        ("dnsPolicy", json!("ClusterFirst"), json!("Default")),
        ("schedulerName", json!("default-scheduler"), json!("mine")),
        ("terminationGracePeriodSeconds", json!(30), json!(31)),
        ("terminationGracePeriodSeconds", json!(30), json!(0)),
        ("securityContext", json!({}), json!({"runAsUser": 0})),
        ("hostNetwork", json!(false), json!(true)),
        ("hostPID", json!(false), json!(true)),
        ("hostIPC", json!(false), json!(true)),
        ("nodeName", json!(""), json!("n")),
        ("serviceAccountName", json!(""), json!("sa")),
        ("tolerations", json!([]), json!([{"operator": "Exists"}])),
        ("nodeSelector", json!({}), json!({"a": ""})),
        ("imagePullSecrets", json!([]), json!([{"name": "s"}])),
        ("volumes", json!([]), json!([{"name": "v"}])),
        ("initContainers", json!(null), json!([{"name": "i"}])),
    ] {
        field(pod, json!({"containers": [{"name": "main", "image": "db:1"}]}), name, default, other);
    }
}

#[test]
fn o_13_the_old_name_of_the_service_account() {
    let old = |name: &str| pod(json!({"serviceAccount": name}));
    let new = |name: &str| pod(json!({"serviceAccountName": name}));
    equal(&old("db"), &new("db"));
    equal(&pod(json!({"serviceAccount": "db", "serviceAccountName": "db"})), &new("db"));
    unequal(&old("db"), &new("other"));
}

#[test]
fn o_13_metadata_of_the_template() {
    let template = |metadata: Value| json!({"metadata": metadata, "spec": {}});
    equal(
        &template(json!({"labels": {"a": "b"}})),
        &template(json!({"labels": {"a": "b"}, "creationTimestamp": null})),
    );
    equal(&template(json!({})), &template(json!({"labels": {}, "annotations": {}})));
    equal(&template(json!({})), &json!({"spec": {}}));
    unequal(&template(json!({})), &template(json!({"annotations": {"a": ""}})));
    unequal(&template(json!({"labels": {"a": "b"}})), &template(json!({"labels": {"a": "c"}})));
}

#[test]
fn o_13_defaults_of_a_container() {
    for (name, default, other) in [
        ("imagePullPolicy", json!("IfNotPresent"), json!("Always")),
        ("terminationMessagePath", json!("/dev/termination-log"), json!("/log")),
        ("terminationMessagePolicy", json!("File"), json!("FallbackToLogsOnError")),
        ("resources", json!({}), json!({"limits": {"cpu": 1}})),
        ("resources", json!({"limits": {}, "requests": null}), json!({"requests": {"cpu": 0}})),
        ("stdin", json!(false), json!(true)),
        ("stdinOnce", json!(false), json!(true)),
        ("tty", json!(false), json!(true)),
        ("workingDir", json!(""), json!("/")),
        ("command", json!([]), json!(["a"])),
        ("args", json!(null), json!(["a"])),
        ("env", json!([]), json!([{"name": "A"}])),
        ("ports", json!([]), json!([{"containerPort": 1}])),
    ] {
        field(container, json!({}), name, default, other);
    }
}

#[test]
fn o_13_containers_of_every_list_have_the_same_defaults() {
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let at = |fields: Value| pod(json!({list: [fields]}));
        field(at, json!({"name": "c", "image": "db:1"}), "imagePullPolicy", json!("IfNotPresent"), json!("Never"));
    }
}

#[test]
fn o_13_the_pull_policy_follows_the_tag() {
    for (image, default) in [
        ("db", "Always"),
        ("db:latest", "Always"),
        ("host:5000/db", "Always"),
        ("db:1", "IfNotPresent"),
        ("host:5000/db:1", "IfNotPresent"),
        ("db@sha256:00", "IfNotPresent"),
        ("db:1@sha256:00", "IfNotPresent"),
        ("db:latest@sha256:00", "Always"),
        // No image can be called so; the API server finds no tag in it.
        (" db", "IfNotPresent"),
        ("host/Db", "IfNotPresent"),
    ] {
        let at = |fields: Value| pod(json!({"containers": [fields]}));
        let other = if default == "Always" { "IfNotPresent" } else { "Always" };
        field(at, json!({"name": "c", "image": image}), "imagePullPolicy", json!(default), json!(other));
    }
}

#[test]
fn o_13_defaults_of_a_port_and_an_environment_variable() {
    let port = |fields: Value| container(json!({"ports": [fields]}));
    field(port, json!({"containerPort": 80}), "protocol", json!("TCP"), json!("UDP"));
    field(port, json!({"containerPort": 80}), "hostPort", json!(0), json!(80));
    field(port, json!({"containerPort": 80}), "name", json!(""), json!("http"));
    let variable = |fields: Value| container(json!({"env": [fields]}));
    field(variable, json!({"name": "A"}), "value", json!(""), json!("x"));
    let from = |fields: Value| variable(json!({"name": "A", "valueFrom": {"fieldRef": fields}}));
    field(from, json!({"fieldPath": "metadata.name"}), "apiVersion", json!("v1"), json!("v2"));
    let resource = |fields: Value| variable(json!({"name": "A", "valueFrom": {"resourceFieldRef": fields}}));
    field(resource, json!({"resource": "limits.cpu"}), "divisor", json!("0"), json!("1m"));
    field(resource, json!({"resource": "limits.cpu"}), "divisor", json!(0), json!(1));
}

#[test]
fn o_13_defaults_of_a_probe() {
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = |fields: Value| container(json!({kind: fields}));
        for (name, default) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            field(probe, json!({"exec": {"command": ["a"]}}), name, json!(default), json!(99));
            field(probe, json!({"exec": {"command": ["a"]}}), name, json!(0), json!(99));
        }
        field(probe, json!({}), "initialDelaySeconds", json!(0), json!(1));
        let get = |fields: Value| probe(json!({"httpGet": fields}));
        field(get, json!({"port": 80}), "path", json!("/"), json!("/x"));
        field(get, json!({"port": 80}), "scheme", json!("HTTP"), json!("HTTPS"));
        let grpc = |fields: Value| probe(json!({"grpc": fields}));
        field(grpc, json!({"port": 80}), "service", json!(""), json!("s"));
        unequal(&get(json!({"port": 80})), &get(json!({"port": "80"})));
        unequal(&probe(json!({})), &probe(json!({"terminationGracePeriodSeconds": 0})));
    }
}

#[test]
fn o_13_defaults_of_a_hook() {
    for hook in ["postStart", "preStop"] {
        let get = |fields: Value| container(json!({"lifecycle": {hook: {"httpGet": fields}}}));
        field(get, json!({"port": 80}), "path", json!("/"), json!("/x"));
        field(get, json!({"port": 80}), "scheme", json!("HTTP"), json!("HTTPS"));
    }
}

#[test]
fn o_13_a_containers_security() {
    let security = |fields: Value| container(json!({"securityContext": fields}));
    field(security, json!({"runAsUser": 7}), "procMount", json!("Default"), json!("Unmasked"));
    for name in ["privileged", "runAsNonRoot", "readOnlyRootFilesystem", "allowPrivilegeEscalation"] {
        unequal(&security(json!({"runAsUser": 7})), &security(json!({"runAsUser": 7, name: false})));
    }
    unequal(&security(json!({})), &security(json!({"runAsUser": 0})));
}

#[test]
fn o_13_defaults_of_volumes() {
    for (source, base, name, default, other) in [
        ("secret", json!({"secretName": "s"}), "defaultMode", json!(420), json!(256)),
        ("configMap", json!({"name": "c"}), "defaultMode", json!(420), json!(256)),
        ("downwardAPI", json!({}), "defaultMode", json!(420), json!(256)),
        ("projected", json!({}), "defaultMode", json!(420), json!(256)),
        ("iscsi", json!({"iqn": "i"}), "iscsiInterface", json!("default"), json!("x")),
        ("rbd", json!({"image": "i"}), "pool", json!("rbd"), json!("x")),
        ("rbd", json!({"image": "i"}), "user", json!("admin"), json!("x")),
        ("rbd", json!({"image": "i"}), "keyring", json!("/etc/ceph/keyring"), json!("x")),
        ("azureDisk", json!({"diskName": "d"}), "cachingMode", json!("ReadWrite"), json!("None")),
        ("azureDisk", json!({"diskName": "d"}), "fsType", json!("ext4"), json!("xfs")),
        ("azureDisk", json!({"diskName": "d"}), "kind", json!("Shared"), json!("Managed")),
        ("azureDisk", json!({"diskName": "d"}), "readOnly", json!(false), json!(true)),
        ("scaleIO", json!({"system": "s"}), "storageMode", json!("ThinProvisioned"), json!("x")),
        ("scaleIO", json!({"system": "s"}), "fsType", json!("xfs"), json!("ext4")),
        ("persistentVolumeClaim", json!({"claimName": "c"}), "readOnly", json!(false), json!(true)),
        ("hostPath", json!({"path": "/a"}), "type", json!(""), json!("Directory")),
        ("emptyDir", json!({}), "medium", json!(""), json!("Memory")),
        ("image", json!({"reference": "i:1"}), "pullPolicy", json!("IfNotPresent"), json!("Always")),
        ("image", json!({"reference": "i"}), "pullPolicy", json!("Always"), json!("IfNotPresent")),
    ] {
        field(|fields| volume(json!({source: fields})), base, name, default, other);
    }
    equal(&volume(json!({})), &volume(json!({"emptyDir": {}})));
    unequal(&volume(json!({"hostPath": {"path": "/a"}})), &volume(json!({"hostPath": {"path": "/b"}})));
}

#[test]
fn o_13_defaults_inside_projections_and_ephemeral_claims() {
    let source = |fields: Value| volume(json!({"projected": {"sources": [fields]}}));
    let token = |fields: Value| source(json!({"serviceAccountToken": fields}));
    field(token, json!({"path": "t"}), "expirationSeconds", json!(3600), json!(7200));
    let item = |fields: Value| source(json!({"downwardAPI": {"items": [{"path": "p", "fieldRef": fields}]}}));
    field(item, json!({"fieldPath": "f"}), "apiVersion", json!("v1"), json!("v2"));
    let item = |fields: Value| volume(json!({"downwardAPI": {"items": [{"path": "p", "fieldRef": fields}]}}));
    field(item, json!({"fieldPath": "f"}), "apiVersion", json!("v1"), json!("v2"));
    let claim = |fields: Value| volume(json!({"ephemeral": {"volumeClaimTemplate": {"spec": fields}}}));
    field(claim, json!({"accessModes": ["ReadWriteOnce"]}), "volumeMode", json!("Filesystem"), json!("Block"));
    unequal(&claim(json!({"storageClassName": ""})), &claim(json!({})));
}

#[test]
fn o_13_quantities_are_compared_by_value_and_rounded_up_to_milli() {
    let limit = |q: Value| container(json!({"resources": {"limits": {"memory": q}}}));
    for (a, b) in [
        (json!("1Gi"), json!("1024Mi")),
        (json!("1Gi"), json!(1073741824)),
        (json!("1"), json!("1000m")),
        (json!("1"), json!(1.0)),
        (json!("1e3"), json!("1k")),
        (json!("0.5"), json!("500m")),
        (json!("0.0001"), json!("1m")),
    ] {
        equal(&limit(a), &limit(b));
    }
    for (a, b) in [(json!("1Gi"), json!("1G")), (json!("1"), json!("1001m")), (json!("0"), Value::Null)] {
        unequal(&limit(a), &limit(b));
    }
    let size = |q: Value| volume(json!({"emptyDir": {"sizeLimit": q}}));
    equal(&size(json!("1Gi")), &size(json!("1024Mi")));
    unequal(&size(json!("1Gi")), &size(json!("2Gi")));
}

#[test]
fn o_13_numbers_are_compared_by_value() {
    let user = |n: Value| pod(json!({"securityContext": {"runAsUser": n}}));
    equal(&user(json!(8080)), &user(json!(8080.0)));
    unequal(&user(json!(8080)), &user(json!(8081)));
    unequal(&user(json!(8080)), &user(json!(8080.5)));
    unequal(&user(json!(i64::MAX)), &user(json!(i64::MAX - 1)));
    unequal(&user(json!(9007199254740992i64)), &user(json!(9007199254740993i64)));
    unequal(&user(json!(i64::MAX)), &user(json!(1e300)));
}

#[test]
fn o_13_what_must_be_there_is_stored_empty() {
    let preferring = |term: Value| {
        pod(json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}}))
    };
    let other = json!({"matchFields": [{"key": "metadata.name", "operator": "Exists"}]});
    field(preferring, json!({"weight": 1}), "preference", json!({}), other);
    let command = |command: Value| container(json!({"command": command}));
    equal(&command(json!(["a", null])), &command(json!(["a", ""])));
    unequal(&command(json!(["a", null])), &command(json!(["a"])));
}

#[test]
fn o_13_what_is_empty_and_means_something_is_kept() {
    let spread = |s: Value| pod(json!({"topologySpreadConstraints": [{"maxSkew": 1, "labelSelector": s}]}));
    unequal(&spread(json!({})), &spread(Value::Null));
    unequal(&pod(json!({"automountServiceAccountToken": false})), &pod(json!({})));
    unequal(&pod(json!({"enableServiceLinks": false})), &pod(json!({})));
    unequal(&pod(json!({"shareProcessNamespace": false})), &pod(json!({})));
    unequal(
        &container(json!({"env": [{"name": "A"}, {"name": "B"}]})),
        &container(json!({"env": [{"name": "B"}, {"name": "A"}]})),
    );
}

// also: O-2
#[test]
fn o_13_a_field_that_is_not_known_is_compared_as_written() {
    unequal(&pod(json!({"fieldOfTomorrow": false})), &pod(json!({})));
    unequal(&pod(json!({"fieldOfTomorrow": {}})), &pod(json!({})));
    equal(&pod(json!({"fieldOfTomorrow": {"a": 1}})), &pod(json!({"fieldOfTomorrow": {"a": 1}})));
}
