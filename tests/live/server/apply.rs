//! Several writers of one set: server-side apply, and what `kubectl apply` makes of a custom resource (O-2, appendix D.9).

use anyhow::Result;
use kube::api::{DynamicObject, Patch, PatchParams};
use ordinal_tests::{Namespace, Outcome};
use serde_json::{Value, json};

use super::refusal;
use crate::admission::manifest::{NAME, container, namespace, pod_spec, set};

async fn apply(ns: &Namespace, params: PatchParams, object: &Value) -> kube::Result<DynamicObject> {
    ns.sets().patch(NAME, &params, &Patch::Apply(object)).await
}

async fn apply_as(ns: &Namespace, manager: &str, object: &Value) -> kube::Result<DynamicObject> {
    apply(ns, PatchParams::apply(manager), object).await
}

/// A manifest of nothing but this spec.
fn only(spec: Value) -> Value {
    json!({"apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": NAME}, "spec": spec})
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[key].as_str()).collect()
}

#[tokio::test]
async fn o_2_a_conflict_names_the_field_and_its_manager() -> Outcome {
    let ns = namespace().await?;
    apply_as(&ns, "owner", &set(json!({"spec": {"minReadySeconds": 1}}))).await?;
    let other = only(json!({"minReadySeconds": 2}));
    let told = refusal(apply_as(&ns, "other", &other).await, 409)?;
    assert!(told.contains(r#"conflict with "owner""#) && told.contains(".spec.minReadySeconds"), "{told}");
    assert_eq!(ns.set(NAME).await?["spec"]["minReadySeconds"], 1);

    // Who insists takes it over, and then the owner may leave it out without losing it for the other.
    apply(&ns, PatchParams::apply("other").force(), &other).await?;
    refusal(apply_as(&ns, "owner", &set(json!({"spec": {"minReadySeconds": 1}}))).await, 409)?;
    apply_as(&ns, "owner", &set(json!({}))).await?;
    assert_eq!(ns.set(NAME).await?["spec"]["minReadySeconds"], 2);
    Ok(())
}

/// A mesh brings a container; neither manager's next apply takes away what is the other's.
#[tokio::test]
async fn o_2_containers_of_two_managers_live_side_by_side() -> Outcome {
    let ns = namespace().await?;
    apply_as(&ns, "owner", &set(json!({}))).await?;
    let template = |containers: Value| only(json!({"template": {"spec": {"containers": containers}}}));
    let proxy = json!({"name": "proxy", "image": "proxy:1"});
    apply_as(&ns, "mesh", &template(json!([proxy, {"name": "agent", "image": "agent:1"}]))).await?;
    let containers = |set: &Value| set["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(names(&containers(&ns.set(NAME).await?), "name"), ["main", "proxy", "agent"]);

    let owner = set(pod_spec(json!({"containers": [container(json!({"image": "nginx:2"}))]})));
    apply_as(&ns, "owner", &owner).await?;
    apply_as(&ns, "mesh", &template(json!([proxy]))).await?;
    let set = ns.set(NAME).await?;
    assert_eq!(names(&containers(&set), "name"), ["main", "proxy"], "the mesh has withdrawn its agent");
    assert_eq!(names(&containers(&set), "image"), ["nginx:2", "proxy:1"]);
    Ok(())
}

/// Charts contain a name twice, so the list has one owner (O-2); the built-in's merges by name.
#[tokio::test]
async fn o_2_the_environment_of_a_container_has_one_manager() -> Outcome {
    let ns = namespace().await?;
    let with_env = |name: &str| json!([container(json!({"env": [{"name": name, "value": "1"}]}))]);
    apply_as(&ns, "owner", &set(pod_spec(json!({"containers": with_env("A")})))).await?;
    let other = only(json!({"template": {"spec": {"containers": with_env("B")}}}));
    let told = refusal(apply_as(&ns, "other", &other).await, 409)?;
    assert!(told.contains(r#".spec.template.spec.containers[name="main"].env"#), "{told}");
    apply(&ns, PatchParams::apply("other").force(), &other).await?;
    let set = ns.set(NAME).await?;
    assert_eq!(names(&set["spec"]["template"]["spec"]["containers"][0]["env"], "name"), ["B"]);
    Ok(())
}

/// Two of its three ways are maps: what was removed from the manifest goes, what others have added stays. Lists are replaced,
/// where the built-in's strategic merge would keep a container of somebody else's; server-side apply does so here too.
#[tokio::test]
async fn o_2_kubectl_apply_merges_maps_and_replaces_lists() -> Outcome {
    let ns = namespace().await?;
    let apply = async |patch: Value| -> Result<Value> {
        ns.kubectl().apply(&set(patch).to_string()).await?;
        ns.set(NAME).await
    };
    let template = |annotations: Value| json!({"metadata": {"annotations": annotations}});
    let annotated = template(json!({"a": "1", "c": "3"}));
    let first = json!({"spec": {"minReadySeconds": 3, "replicas": null, "template": annotated}});
    apply(first).await?;
    let foreign = json!({
        "revisionHistoryLimit": 4,
        "template": {
            "metadata": {"annotations": {"b": "2"}},
            "spec": {"containers": [container(json!({})), {"name": "foreign", "image": "x"}]},
        },
    });
    ns.patch_set(NAME, json!({"spec": foreign})).await?;
    ns.scale(NAME, 0).await?;

    let second = json!({"spec": {"replicas": null, "template": template(json!({"c": "3"}))}});
    let after = apply(second).await?["spec"].take();
    assert_eq!(after.get("minReadySeconds"), None, "it was removed from the manifest");
    assert_eq!(after["template"]["metadata"]["annotations"], json!({"b": "2", "c": "3"}));
    assert_eq!((&after["revisionHistoryLimit"], &after["replicas"]), (&json!(4), &json!(0)), "never in the manifest");
    assert_eq!(names(&after["template"]["spec"]["containers"], "name"), ["main"]);
    Ok(())
}
