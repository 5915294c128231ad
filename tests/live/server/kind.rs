//! The kind as the API server serves it (S-1.1, S-1.2), and as `kubectl explain` tells it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use kube::ResourceExt;
use ordinal_tests::{ControlPlane, Kubectl, Outcome, world};
use serde_json::{Value, json};

use crate::{
    admission::manifest::{all_refused, refused},
    sets::{SOON, Sets, set},
};

/// What discovery says of a resource or subresource, in an order that can be compared.
async fn discovered(kubectl: &Kubectl, group: &str, name: &str) -> Result<Value> {
    let list: Value = serde_json::from_str(&kubectl.ok(["get", "--raw", &format!("/apis/{group}/v1")]).await?)?;
    let resources = list["resources"].as_array().context("a list of resources")?;
    let found = resources.iter().find(|r| r["name"] == name).with_context(|| format!("{group} has no {name}"))?;
    let verbs: BTreeSet<_> = found["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    Ok(json!({"namespaced": found["namespaced"], "verbs": verbs, "categories": found["categories"]}))
}

#[tokio::test]
async fn s_1_1_the_kind_is_served_like_the_built_ins() -> Outcome {
    let kubectl = ControlPlane::shared().await?.kubectl();
    for part in ["", "/status", "/scale"] {
        let ours = discovered(&kubectl, "apps.ordinal.dev", &format!("ordinalsets{part}")).await?;
        let theirs = discovered(&kubectl, "apps", &format!("statefulsets{part}")).await?;
        assert_eq!(ours, theirs, "{part}");
    }
    let named = kubectl.ok(["api-resources", "--api-group=apps.ordinal.dev", "--no-headers"]).await?;
    let named: Vec<_> = named.split_whitespace().collect();
    assert_eq!(named, ["ordinalsets", "ords", "apps.ordinal.dev/v1", "true", "OrdinalSet"]);
    let list: Value =
        serde_json::from_str(&kubectl.ok(["get", "--raw", "/apis/apps.ordinal.dev/v1/ordinalsets"]).await?)?;
    assert_eq!(list["kind"], "OrdinalSetList");
    Ok(())
}

#[tokio::test]
async fn s_1_2_a_name_is_a_dns_label() -> Outcome {
    let named = |name: &str| json!({"metadata": {"name": name}});
    let words = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'";
    all_refused(["web.example", "a.b"].map(named), "metadata.name", words).await?;
    // These are no names of any object.
    let words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters";
    all_refused(["Web", "-web", "web_1"].map(named), "metadata.name", words).await
}

/// The longest name has pods; a longer one, whose pods the API server would refuse, is refused itself.
#[tokio::test]
async fn s_12_7_a_set_whose_pods_would_not_fit_their_labels_is_refused() -> Outcome {
    let words = "must be no more than 52 characters";
    refused(json!({"metadata": {"name": "a".repeat(53)}}), "metadata.name", words).await?;
    let ns = world::namespace("long-name").await?;
    let longest = "a".repeat(52);
    ns.create_set(set(&longest, 1, json!({"ordinals": {"start": 1_000_000_000}}))).await?;
    let pod = ns.pod_ready(&format!("{longest}-1000000000"), SOON).await?;
    let revision = &pod.labels()["controller-revision-hash"];
    assert!(revision.starts_with(&longest) && revision.len() <= 63, "{revision}");
    ns.settled(&longest).await?;
    Ok(())
}

/// The status may be read and written by other than the operator, so it is told as well.
#[tokio::test]
async fn o_1_explain_has_words_for_each_field_of_the_set() -> Outcome {
    let kubectl = ControlPlane::shared().await?.kubectl();
    for path in [
        "",
        ".spec",
        ".spec.updateStrategy",
        ".spec.updateStrategy.rollingUpdate",
        ".spec.persistentVolumeClaimRetentionPolicy",
        ".spec.ordinals",
        ".status",
        ".status.conditions",
        ".status.blockedPods",
    ] {
        let told = kubectl.ok(["explain", &format!("ordinalsets{path}")]).await?;
        assert!(!told.contains("<no description>") && !told.contains("<empty>"), "{told}");
        assert!(!told.contains("(S-") && !told.contains("(O-"), "numbers of rules mean nothing here: {told}");
    }
    // The fields of pods are those of Kubernetes; that they are there at all is what counts.
    let pods = kubectl.ok(["explain", "ordinalsets.spec.template.spec.containers"]).await?;
    assert!(pods.contains("livenessProbe"), "{pods}");
    Ok(())
}
