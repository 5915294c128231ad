//! Generation, and which write may change what (S-1.3).

use anyhow::{Context, Result};
use http::Request;
use kube::api::{DeleteParams, Patch, PatchParams};
use ordinal_tests::{Namespace, Outcome};
use serde_json::{Value, json};

use super::refusal;
use crate::admission::manifest::{NAME, namespace, set};

async fn created() -> Result<Namespace> {
    let ns = namespace().await?;
    ns.create_set(set(json!({}))).await?;
    Ok(ns)
}

async fn generation(ns: &Namespace) -> Result<i64> {
    ns.set(NAME).await?["metadata"]["generation"].as_i64().context("a generation")
}

async fn write_status(ns: &Namespace, patch: Value) -> Result<()> {
    ns.sets().patch_status(NAME, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// PUTs the object as it is: kube's own client would not send every one.
async fn put(ns: &Namespace, name: &str, part: &str, object: &Value) -> Result<kube::Result<Value>> {
    let path = format!("/apis/apps.ordinal.dev/v1/namespaces/{}/ordinalsets/{name}{part}", ns.name());
    let request =
        Request::put(path).header("content-type", "application/json").body(object.to_string().into_bytes())?;
    Ok(ns.client().request(request).await)
}

#[tokio::test]
async fn s_1_3_the_generation_follows_the_spec() -> Outcome {
    let ns = created().await?;
    assert_eq!(generation(&ns).await?, 1);
    ns.patch_set(NAME, json!({"spec": {"minReadySeconds": 3}})).await?;
    assert_eq!(generation(&ns).await?, 2, "another spec");
    ns.patch_set(NAME, json!({"spec": {"minReadySeconds": 3}})).await?;
    assert_eq!(generation(&ns).await?, 2, "the same spec");
    ns.patch_set(NAME, json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}})).await?;
    assert_eq!(generation(&ns).await?, 2, "other metadata");
    write_status(&ns, json!({"status": {"collisionCount": 1}})).await?;
    assert_eq!(generation(&ns).await?, 2, "another status");
    ns.scale(NAME, 0).await?;
    assert_eq!(generation(&ns).await?, 2, "the same scale");
    ns.patch_set(NAME, json!({"spec": {"template": {"spec": {"hostname": "x"}}}})).await?;
    assert_eq!(generation(&ns).await?, 3, "another template");
    Ok(())
}

#[tokio::test]
async fn s_1_3_a_deletion_that_only_marks_counts_once() -> Outcome {
    let ns = created().await?;
    ns.patch_set(NAME, json!({"metadata": {"finalizers": ["example.com/hold"]}})).await?;
    assert_eq!(generation(&ns).await?, 1);
    for _ in 0..2 {
        ns.delete_set(NAME).await?;
        let set = ns.set(NAME).await?;
        assert!(set["metadata"]["deletionTimestamp"].is_string());
        assert_eq!(set["metadata"]["generation"], 2);
    }
    ns.patch_set(NAME, json!({"metadata": {"finalizers": null}})).await?;
    assert!(ns.sets().get_opt(NAME).await?.is_none(), "nothing holds it any more");
    Ok(())
}

/// A count of collisions that no operator would come to.
#[tokio::test]
async fn s_1_3_a_status_comes_by_its_own_door_only() -> Outcome {
    let ns = namespace().await?;
    let status = json!({"collisionCount": 77});
    let created = ns.create_set(set(json!({"status": status}))).await?;
    assert_eq!(created.data.get("status"), None, "on creation");
    let patched = ns.patch_set(NAME, json!({"status": status, "metadata": {"labels": {"a": "b"}}})).await?;
    assert_ne!(patched.data.pointer("/status/collisionCount"), Some(&json!(77)), "on an update");
    assert_eq!(patched.metadata.labels.unwrap_or_default()["a"], "b");
    Ok(())
}

/// Natively labels and annotations pass there; a custom resource's do not (S-1.3, PN).
#[tokio::test]
async fn s_1_3_a_status_write_changes_the_status_only() -> Outcome {
    let ns = created().await?;
    let before = ns.set(NAME).await?;
    let metadata = json!({"labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["example.com/hold"]});
    let spec = json!({"minReadySeconds": 9});
    write_status(&ns, json!({"status": {"collisionCount": 3}, "spec": spec, "metadata": metadata})).await?;
    let after = ns.set(NAME).await?;
    assert_eq!(after["status"]["collisionCount"], 3);
    assert_eq!(after["spec"], before["spec"]);
    for field in ["labels", "annotations", "finalizers", "generation"] {
        assert_eq!(after["metadata"][field], before["metadata"][field], "{field}");
    }
    Ok(())
}

#[tokio::test]
async fn s_1_3_a_put_names_its_version_and_creates_nothing() -> Outcome {
    let ns = created().await?;
    let mut unversioned = set(json!({"spec": {"minReadySeconds": 3}}));
    let told = refusal(put(&ns, NAME, "", &unversioned).await?, 422)?;
    assert!(
        told.contains("metadata.resourceVersion: Invalid value") && told.contains("must be specified for an update"),
        "{told}"
    );
    assert_eq!(generation(&ns).await?, 1);

    // Its scale takes one, as the built-in does.
    let scale = json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {"name": NAME, "namespace": ns.name()}, "spec": {"replicas": 0},
    });
    put(&ns, NAME, "/scale", &scale).await??;

    unversioned["metadata"]["name"] = json!("other");
    refusal(put(&ns, "other", "", &unversioned).await?, 404)?;
    Ok(())
}

/// What kubectl sends for built-in kinds; a custom resource takes the other three (S-1.3, PN).
#[tokio::test]
async fn s_1_3_strategic_merge_patches_are_refused() -> Outcome {
    let ns = created().await?;
    let patch = r#"{"spec":{"minReadySeconds":3}}"#;
    let strategic = ns.kubectl().run(["patch", "ords", NAME, "--patch", patch]).await?;
    assert!(strategic.code != 0, "{}", strategic.stdout);
    let words = "application/strategic-merge-patch+json is not supported by apps.ordinal.dev/v1, Kind=OrdinalSet";
    assert!(strategic.stderr.contains(words), "{}", strategic.stderr);

    ns.kubectl().ok(["patch", "ords", NAME, "--type=merge", "--patch", patch]).await?;
    let json_patch = r#"[{"op":"replace","path":"/spec/minReadySeconds","value":4}]"#;
    ns.kubectl().ok(["patch", "ords", NAME, "--type=json", "--patch", json_patch]).await?;
    assert_eq!(ns.set(NAME).await?["spec"]["minReadySeconds"], 4);
    Ok(())
}

/// As natively, a delete that says nothing about dependents does not wait for them.
#[tokio::test]
async fn s_1_3_a_plain_delete_is_a_background_one() -> Outcome {
    let ns = created().await?;
    ns.sets().delete(NAME, &DeleteParams::default()).await?;
    assert!(ns.sets().get_opt(NAME).await?.is_none(), "no finalizer of the garbage collector holds it");
    Ok(())
}
