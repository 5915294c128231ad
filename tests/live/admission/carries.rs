//! O-2: what is written into the templates is what is stored.

use super::manifest::{NAME, all_accepted, claim, container, namespace, pod_spec, set, with_container};
use anyhow::Result;
use kube::api::{Patch, PatchParams};
use ordinal_tests::{Namespace, Outcome};
use serde_json::{Value, json};

/// Applies a manifest on the server's side, as one of several managers.
async fn apply_as(ns: &Namespace, manager: &str, manifest: &Value) -> Result<()> {
    ns.sets().patch(NAME, &PatchParams::apply(manager), &Patch::Apply(manifest)).await?;
    Ok(())
}

/// A newer Kubernetes may know more fields, at every place.
#[tokio::test]
async fn o_2_unknown_fields_are_kept() -> Outcome {
    let ns = namespace().await?;
    let later = json!({"mode": "Later", "list": [{"deep": 1.5}]});
    let manifest = set(json!({"spec": {
        "template": {"later": later, "metadata": {"later": later}, "spec": {
            "later": later,
            "securityContext": {"later": later},
            "affinity": {"later": later, "nodeAffinity": {"later": later}},
            "tolerations": [{"later": later}],
            "volumes": [{"name": "late", "later": later}],
            "containers": [container(json!({
                "later": later,
                "resources": {"later": later},
                "env": [{"name": "A", "later": later, "valueFrom": {"later": later}}],
                "livenessProbe": {"later": later, "httpGet": {"port": 80, "later": later}},
            }))],
        }},
        "volumeClaimTemplates": [claim(json!({
            "later": later,
            "metadata": {"later": later},
            "spec": {"later": later, "resources": {"later": later}},
        }))],
    }}));
    templates_are_stored_as_written(&ns, &manifest).await?;
    Ok(())
}

#[tokio::test]
async fn o_2_templates_are_not_defaulted() -> Outcome {
    let ns = namespace().await?;
    let manifest = set(pod_spec(json!({
        "volumes": [{"name": "config", "configMap": {"name": "config"}}],
        "securityContext": {},
        "containers": [container(json!({
            "ports": [{"containerPort": 80}],
            "livenessProbe": {"httpGet": {"port": 80}},
            "resources": {"requests": {"cpu": 0.5, "memory": 1_073_741_824}},
        }))],
    })));
    templates_are_stored_as_written(&ns, &manifest).await?;
    Ok(())
}

/// A mesh adds its container, another tool a volume, and neither touches what the first wrote.
#[tokio::test]
async fn o_2_server_side_apply_merges_by_key() -> Outcome {
    let ns = namespace().await?;
    apply_as(&ns, "owner", &set(json!({}))).await?;
    let only = |spec: Value| {
        json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": NAME},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": spec}},
        })
    };
    let sidecar = json!({"name": "sidecar", "image": "proxy"});
    let mount = json!({"name": "certs", "mountPath": "/certs"});
    let mesh = json!({
        "containers": [{"name": "main", "volumeMounts": [mount], "image": "nginx"}, sidecar],
        "initContainers": [{"name": "init", "image": "proxy-init"}],
        "volumes": [{"name": "certs", "emptyDir": {}}],
    });
    apply_as(&ns, "mesh", &only(mesh)).await?;
    let other =
        json!({"containers": [{"name": "main", "image": "nginx"}], "volumes": [{"name": "tmp", "emptyDir": {}}]});
    apply_as(&ns, "other", &only(other)).await?;

    let spec = ns.set(NAME).await?["spec"]["template"]["spec"].take();
    assert_eq!(names(&spec["containers"], "name"), ["main", "sidecar"]);
    assert_eq!(names(&spec["containers"][0]["volumeMounts"], "mountPath"), ["/data", "/certs"]);
    assert_eq!(names(&spec["initContainers"], "name"), ["init"]);
    assert_eq!(names(&spec["volumes"], "name"), ["certs", "tmp"]);
    Ok(())
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[key].as_str()).collect()
}

/// Charts contain them, and the built-in accepts them.
#[tokio::test]
async fn o_2_duplicates_are_accepted() -> Outcome {
    all_accepted([
        with_container(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]})),
        with_container(json!({"ports": [{"containerPort": 80}, {"containerPort": 80}]})),
        pod_spec(json!({"hostAliases": [
            {"ip": "10.0.0.1", "hostnames": ["a"]},
            {"ip": "10.0.0.1", "hostnames": ["b"]},
        ]})),
        pod_spec(json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]})),
        pod_spec(json!({"tolerations": [{"operator": "Exists"}, {"operator": "Exists"}]})),
    ])
    .await
}

/// The published API calls these fields required; the built-in does without.
#[tokio::test]
async fn o_2_what_the_built_in_does_without_is_optional() -> Outcome {
    let preferred = json!([{"weight": 1}]);
    all_accepted([
        pod_spec(json!({"imagePullSecrets": [{}]})),
        pod_spec(json!({"securityContext": {"sysctls": [{"name": "kernel.shm_rmid_forced"}]}})),
        pod_spec(json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}})),
        with_container(json!({"livenessProbe": {"httpGet": {"port": "web", "httpHeaders": [{"name": "A"}]}}})),
        with_container(json!({"env": [{"name": "A"}], "imagePullPolicy": "", "command": []})),
        pod_spec(json!({"volumes": [{"name": "scratch"}, {"name": "data", "emptyDir": {}}]})),
    ])
    .await
}

async fn templates_are_stored_as_written(ns: &Namespace, manifest: &Value) -> Result<()> {
    ns.kubectl().apply(&manifest.to_string()).await?;
    let stored = ns.set(NAME).await?;
    assert_eq!(stored["spec"]["template"], manifest["spec"]["template"]);
    assert_eq!(stored["spec"]["volumeClaimTemplates"], manifest["spec"]["volumeClaimTemplates"]);
    Ok(())
}

/// The built-in reads a null argument as an empty one, and so does the API server when the pod is made.
#[tokio::test]
async fn o_2_a_null_argument_is_carried() -> Outcome {
    all_accepted([with_container(json!({"command": ["run", null], "args": [null]}))]).await
}
