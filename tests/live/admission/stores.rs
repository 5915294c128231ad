//! O-1: the kind, what is stored of it, and what `kubectl get` shows.

use std::time::Duration;

use super::manifest::{NAME, namespace, set};
use anyhow::{Context, Result};
use ordinal_tests::{ControlPlane, Look, Namespace, Outcome, binaries::repository};
use serde_json::{Value, json};

/// Generous: a busy machine must not fail a test, and a passing test never waits that long.
const SOON: Duration = Duration::from_secs(30);

/// The spec as it is stored for a changed manifest.
async fn stored(ns: &Namespace, patch: Value) -> Result<Value> {
    ns.kubectl().apply(&set(patch).to_string()).await?;
    Ok(ns.set(NAME).await?["spec"].take())
}

/// `kubectl patch --subresource=status`, as other controllers write it.
async fn write_status(ns: &Namespace, status: Value) -> Result<String> {
    let patch = json!({"status": status}).to_string();
    ns.kubectl().ok(["patch", "ords", NAME, "--subresource=status", "--type=merge", "--patch", &patch]).await
}

#[tokio::test]
async fn o_1_defaults_are_stored() -> Outcome {
    let spec = stored(&namespace().await?, json!({"spec": {"replicas": null}})).await?;
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["podManagementPolicy"], "OrderedReady");
    assert_eq!(spec["revisionHistoryLimit"], 10);
    assert_eq!(
        spec["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}})
    );
    assert_eq!(spec["persistentVolumeClaimRetentionPolicy"], json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
    // The built-in serves none of these when they were not given.
    for absent in ["minReadySeconds", "ordinals", "serviceName"] {
        assert_eq!(spec.get(absent), None, "{absent}");
    }
    Ok(())
}

#[tokio::test]
async fn o_1_nested_defaults_are_stored() -> Outcome {
    let ns = namespace().await?;
    let strategy = json!({"rollingUpdate": {"maxUnavailable": "50%"}});
    let given = json!({
        "updateStrategy": strategy,
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
        "ordinals": {},
    });
    let spec = stored(&ns, json!({"spec": given})).await?;
    let rolling = json!({"partition": 0, "maxUnavailable": "50%"});
    assert_eq!(spec["updateStrategy"], json!({"type": "RollingUpdate", "rollingUpdate": rolling}));
    assert_eq!(spec["persistentVolumeClaimRetentionPolicy"], json!({"whenDeleted": "Retain", "whenScaled": "Delete"}));
    assert_eq!(spec["ordinals"], json!({"start": 0}));
    Ok(())
}

/// An explicit type without the block stays so (S-1.5); a schema cannot tell `{}` from it (O-12 makes both the same).
#[tokio::test]
async fn o_1_rolling_update_block_stays_absent() -> Outcome {
    for strategy in [json!({"type": "RollingUpdate"}), json!({})] {
        let mut manifest = set(json!({}));
        manifest["spec"]["updateStrategy"] = strategy;
        let ns = namespace().await?;
        ns.kubectl().apply(&manifest.to_string()).await?;
        assert_eq!(ns.set(NAME).await?["spec"]["updateStrategy"], json!({"type": "RollingUpdate"}));
    }
    Ok(())
}

/// As in the built-in, null is as good as absent; so no accepted object holds a null that the operator cannot parse.
#[tokio::test]
async fn o_1_nulls_are_not_stored() -> Outcome {
    let ns = namespace().await?;
    let mut manifest = set(json!({}));
    for field in ["replicas", "serviceName", "updateStrategy", "minReadySeconds", "ordinals", "podManagementPolicy"] {
        manifest["spec"][field] = Value::Null;
    }
    manifest["spec"]["selector"]["matchExpressions"] = Value::Null;
    manifest["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    manifest["spec"]["volumeClaimTemplates"][0]["metadata"]["creationTimestamp"] = Value::Null;
    ns.kubectl().apply(&manifest.to_string()).await?;
    let spec = ns.set(NAME).await?["spec"].take();
    assert!(!spec.to_string().contains("null"), "{spec}");
    Ok(())
}

#[tokio::test]
async fn o_1_columns() -> Outcome {
    let ns = namespace().await?;
    ns.kubectl().apply(&set(json!({})).to_string()).await?;
    let status = json!({
        "replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 0,
        "currentRevision": "web-old", "updateRevision": "web-new",
    });
    // An operator that other tests run may write its own status in between.
    ns.eventually(SOON, "the columns are filled", async || {
        write_status(&ns, status.clone()).await?;
        let short = ns.kubectl().ok(["get", "ords"]).await?;
        let wide = ns.kubectl().ok(["get", "ordinalsets", "-o", "wide"]).await?;
        let is = columns(&short) == "NAME READY DESIRED AGE web 2 0 "
            && columns(&wide)
                == "NAME READY DESIRED UPDATED AVAILABLE CURRENT REVISION UPDATE REVISION AGE web 2 0 1 0 web-old web-new ";
        Ok(Look::when(is, || format!("{short}\n{wide}")))
    })
    .await?;
    Ok(())
}

/// A table with single spaces, and without the age at its end.
fn columns(table: &str) -> String {
    let words: Vec<_> = table.split_whitespace().collect();
    let [but_last @ .., _age] = words.as_slice() else { return String::new() };
    format!("{} ", but_last.join(" "))
}

#[tokio::test]
async fn o_1_category_all() -> Outcome {
    let ns = namespace().await?;
    ns.kubectl().apply(&set(json!({})).to_string()).await?;
    let all = ns.kubectl().ok(["get", "all", "-o", "name"]).await?;
    assert!(all.lines().any(|line| line == "ordinalset.apps.ordinal.dev/web"), "{all}");
    Ok(())
}

#[tokio::test]
async fn o_1_scale_subresource() -> Outcome {
    let ns = namespace().await?;
    // As many as there are changes nothing for an operator.
    ns.kubectl().apply(&set(json!({"spec": {"ordinals": {"start": 4}}})).to_string()).await?;
    ns.eventually(SOON, "the scale shows the status", async || {
        write_status(&ns, json!({"replicas": 2, "selector": "app=web"})).await?;
        let scale = ns.kubectl().ok(["get", "ords", NAME, "--subresource=scale", "-o", "json"]).await?;
        let scale: Value = serde_json::from_str(&scale)?;
        let is = scale["spec"] == json!({}) && scale["status"] == json!({"replicas": 2, "selector": "app=web"});
        Ok(Look::when(is, || scale.to_string()))
    })
    .await?;
    ns.kubectl().ok(["scale", "ords", NAME, "--replicas=1"]).await?;
    assert_eq!(ns.set(NAME).await?["spec"]["replicas"], 1);
    let negative = json!({"spec": {"replicas": -1}}).to_string();
    let patch = ["patch", "ords", NAME, "--subresource=scale", "--type=merge", "--patch", &negative];
    let refusal = ns.kubectl().run(patch).await?;
    assert!(refusal.code != 0 && refusal.stderr.contains("spec.replicas"), "{}", refusal.stderr);
    Ok(())
}

#[tokio::test]
async fn o_1_conditions_need_type_and_status_only() -> Outcome {
    let ns = namespace().await?;
    ns.kubectl().apply(&set(json!({})).to_string()).await?;
    let condition = json!({"type": "example.com/Seen", "status": "True"});
    write_status(&ns, json!({"conditions": [condition]})).await?;
    let nameless = write_status(&ns, json!({"conditions": [{"status": "True"}]})).await;
    let told = format!("{:#}", nameless.err().context("a condition without a type is refused")?);
    assert!(told.contains("status.conditions[0].type: Required value"), "{told}");
    let twice = write_status(&ns, json!({"conditions": [condition, condition]})).await;
    let told = format!("{:#}", twice.err().context("two conditions of a type are refused")?);
    assert!(told.contains("status.conditions[1]: Duplicate value"), "{told}");
    Ok(())
}

/// O-3: plain `kubectl apply`, the second time as well, when there is an annotation to compare with.
#[tokio::test]
async fn o_3_crd_applies_client_side() -> Outcome {
    let kubectl = ControlPlane::shared().await?.kubectl();
    let folder = repository().join("crds").display().to_string();
    for _ in 0..2 {
        kubectl.ok(["apply", "--filename", &folder]).await?;
    }
    let crd = kubectl.ok(["get", "crd", "ordinalsets.apps.ordinal.dev", "-o", "json"]).await?;
    let crd: Value = serde_json::from_str(&crd).context("a CRD is JSON")?;
    let applied = &crd["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    let size = applied.as_str().context("it was applied client-side")?.len();
    assert!(size < 100_000, "{size} bytes");
    Ok(())
}
