//! What cannot be taken over is left alone, and told why.

use kube::ResourceExt;
use ordinal_tests::Outcome;
use serde_json::json;

use super::{Natives, held, place};
use crate::sets::set;

#[tokio::test]
async fn n_9_a_set_that_differs_is_refused_with_the_differences_and_taken_once_they_are_gone() -> Outcome {
    let (ns, _operator) = place("drift").await?;
    let native = ns.native(set("web", 2, json!({}))).await?;
    let before = ns.photo().await?;
    ns.adopt(&native, json!({"replicas": 3, "podManagementPolicy": "OrderedReady"})).await?;
    let words = held(&ns, "web", "Refused").await?;
    assert!(words.contains("spec.replicas: 3, not 2"), "{words}");
    assert_eq!(ns.photo().await?, before);
    ns.patch_set("web", json!({"spec": {"replicas": 2}})).await?;
    ns.adopted("web").await?;
    assert_eq!(ns.photo().await?, before);
    Ok(())
}

#[tokio::test]
async fn n_9_another_image_is_refused_and_named() -> Outcome {
    let (ns, _operator) = place("image").await?;
    let native = ns.native(set("web", 1, json!({}))).await?;
    let before = ns.photo().await?;
    let mut other = json!(native.spec)["template"].clone();
    other["spec"]["containers"][0]["image"] = "nginx:7".into();
    ns.adopt(&native, json!({"template": other})).await?;
    let words = held(&ns, "web", "Refused").await?;
    assert!(words.contains(r#"containers[main].image: "nginx:7", not "nginx:1""#), "{words}");
    assert_eq!(ns.photo().await?, before);
    Ok(())
}

#[tokio::test]
async fn n_9_a_uid_that_is_not_there_is_refused() -> Outcome {
    let (ns, _operator) = place("other").await?;
    let native = ns.native(set("web", 1, json!({}))).await?;
    let before = ns.photo().await?;
    let from = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": "no-such-uid"});
    ns.adopt(&native, json!({"adoptFrom": from})).await?;
    let words = held(&ns, "web", "ConflictingStatefulSet").await?;
    assert!(words.contains(&native.uid().unwrap_or_default()), "{words}");
    assert_eq!(ns.photo().await?, before);
    Ok(())
}

/// Its owner would make it again.
#[tokio::test]
async fn n_9_a_stateful_set_of_an_operator_is_refused() -> Outcome {
    let (ns, _operator) = place("owned").await?;
    let parent: k8s_openapi::api::core::v1::ConfigMap =
        ns.create_object(json!({"metadata": {"name": "parent"}})).await?;
    let owner =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": parent.uid(), "controller": true});
    let mut manifest = set("web", 1, json!({}));
    manifest["metadata"]["ownerReferences"] = json!([owner]);
    let native = ns.native(manifest).await?;
    ns.adopt(&native, json!({})).await?;
    let words = held(&ns, "web", "Refused").await?;
    assert!(words.contains("ConfigMap parent"), "{words}");
    Ok(())
}

#[tokio::test]
async fn wrong_names_and_what_is_taken_over_already_are_told_with_an_exit_code() -> Outcome {
    let (ns, _operator) = place("wrong").await?;
    let nothing = ns.kubectl().ordinal(["adopt", "web"]).await?;
    assert_eq!(nothing.code, 1);
    assert!(nothing.stderr.contains("not found"), "{nothing:?}");
    ns.native(set("web", 1, json!({}))).await?;
    let before = ns.photo().await?;
    let report = ns.kubectl().ordinal(["adopt", "web", "--dry-run"]).await?;
    assert_eq!(report.code, 0, "{report:?}");
    assert!(ns.sets().get_opt("web").await?.is_none() && ns.photo().await? == before, "a dry run changes nothing");
    let done = ns.kubectl().ordinal(["adopt", "web"]).await?;
    assert_eq!(done.code, 0, "{done:?}");
    let again = ns.kubectl().ordinal(["adopt", "web"]).await?;
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("already"), "{again:?}");
    let absent = ns.kubectl().ordinal(["release", "db"]).await?;
    assert!(absent.code == 1 && absent.stderr.contains("not found"), "{absent:?}");
    assert_eq!(ns.photo().await?, before);
    Ok(())
}
