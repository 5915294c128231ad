//! `kubectl delete` of a set in its three ways, by the garbage collector of kube-controller-manager (S-10.9).

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::json;

use crate::sets::{SOON, Sets, claims, set};

/// A settled set of two pods that take a while to stop, with claims and a Service of its own manifest.
async fn settled(prefix: &str, stop_after: &str) -> anyhow::Result<Namespace> {
    let ns = world::namespace(prefix).await?;
    let service = json!({"metadata": {"name": "db"}, "spec": {"clusterIP": "None", "selector": {"app": "db"}}});
    ns.create_object::<Service>(service).await?;
    let mut object = set("db", 2, json!({"serviceName": "db", "volumeClaimTemplates": claims()}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/stop-after": stop_after});
    ns.create_set(object).await?;
    ns.settled("db").await?;
    Ok(ns)
}

/// Claims and the Service are separate from the set.
async fn the_rest_is_there(ns: &Namespace) -> anyhow::Result<()> {
    let claims = ns.claims().list(&Default::default()).await?.items;
    assert_eq!(claims.len(), 2);
    assert!(claims.iter().all(|c| c.metadata.deletion_timestamp.is_none()));
    assert!(ns.api::<Service>().get("db").await?.metadata.deletion_timestamp.is_none());
    Ok(())
}

/// There is no scaling down before: all pods end at once.
#[tokio::test]
async fn s_10_9_by_default_the_set_goes_first_and_its_pods_follow() -> Outcome {
    let ns = settled("delete-background", "2s").await?;
    ns.kubectl().ok(["delete", "ords", "db"]).await?;
    assert!(ns.sets().get_opt("db").await?.is_none());
    assert_eq!(ns.members("db").await?.len(), 2, "they are still stopping");
    ns.eventually(SOON, "both pods are stopping at once", async || {
        let pods = ns.members("db").await?;
        let stopping = pods.values().filter(|p| p.metadata.deletion_timestamp.is_some()).count();
        Ok(Look::when(stopping == 2, || format!("{stopping} of {}", pods.len())))
    })
    .await?;
    ns.members_are("db", &[]).await?;
    the_rest_is_there(&ns).await?;
    Ok(())
}

#[tokio::test]
async fn s_10_9_orphaned_pods_stay_and_belong_to_nobody() -> Outcome {
    let ns = settled("delete-orphan", "0s").await?;
    let uids = ns.uids("db").await?;
    ns.kubectl().ok(["delete", "ords", "db", "--cascade=orphan"]).await?;
    assert!(ns.sets().get_opt("db").await?.is_none(), "kubectl has waited for it");
    let pods = ns.members("db").await?;
    assert!(pods.values().all(|p| p.owner_references().is_empty() && p.metadata.deletion_timestamp.is_none()));
    assert_eq!(ns.uids("db").await?, uids);
    the_rest_is_there(&ns).await?;
    Ok(())
}

#[tokio::test]
async fn s_10_9_in_the_foreground_the_set_stays_until_its_pods_are_gone() -> Outcome {
    let ns = settled("delete-foreground", "2s").await?;
    ns.kubectl().ok(["delete", "ords", "db", "--cascade=foreground", "--wait=false"]).await?;
    let set = ns.set("db").await?;
    assert_eq!(set["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    ns.eventually(SOON, "set and pods are gone", async || {
        // In this order: pods that are gone stay so, and a set without them may be seen a moment longer.
        let left = ns.sets().get_opt("db").await?;
        let pods = ns.members("db").await?;
        assert!(left.is_some() || pods.is_empty(), "the set went before {:?}", pods.keys());
        Ok(Look::when(left.is_none(), || format!("{:?}", pods.keys())))
    })
    .await?;
    the_rest_is_there(&ns).await?;
    Ok(())
}
