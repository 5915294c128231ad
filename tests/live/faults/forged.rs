//! Somebody writes what looks like the operator's own: it is never followed into the loss of a pod.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::ResourceExt;
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::{Value, json};

use crate::sets::{SOON, Sets, claims, image, set};

/// A reference that says that the set controls it.
async fn owned_by(ns: &Namespace, name: &str) -> anyhow::Result<Value> {
    let uid = ns.set(name).await?["metadata"]["uid"].clone();
    Ok(json!([{
        "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "name": name, "uid": uid, "controller": true,
    }]))
}

async fn forge_revision(ns: &Namespace, name: &str, data: Value, number: i64) -> anyhow::Result<()> {
    let owners = owned_by(ns, "web").await?;
    let metadata = json!({"name": name, "labels": {"app": "web"}, "ownerReferences": owners});
    ns.create_object::<ControllerRevision>(json!({"metadata": metadata, "data": data, "revision": number})).await?;
    Ok(())
}

// also: N-14
#[tokio::test]
async fn n_5_revisions_with_garbage_restart_no_pod() -> Outcome {
    let ns = world::namespace("garbage").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let uids = ns.uids("web").await?;
    let garbage = [
        json!({}),
        json!({"spec": 7}),
        json!({"spec": {"template": []}}),
        json!({"spec": {"template": {"spec": {"containers": "none"}}}}),
    ];
    // One of them has the last number that there is.
    for (index, (data, number)) in garbage.into_iter().zip([i64::MAX, 41, 42, 43]).enumerate() {
        forge_revision(&ns, &format!("web-garbage{index}"), data, number).await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ns.uids("web").await?, uids);
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    let rolled = ns.uids("web").await?;
    assert!(ns.images("web").await?.values().all(|image| image == "nginx:2"));
    ns.patch_set("web", image("nginx:1")).await?;
    ns.settled("web").await?;
    assert!(ns.images("web").await?.values().all(|image| image == "nginx:1"), "the way back works");
    assert!(ns.uids("web").await?.values().all(|uid| !rolled.values().any(|old| old == uid)));
    Ok(())
}

// also: S-2.5, N-4
#[tokio::test]
async fn n_9_a_pod_with_a_forged_owner_and_a_foreign_name_is_let_go_unharmed() -> Outcome {
    let ns = world::namespace("forged").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    let owners = owned_by(&ns, "web").await?;
    let metadata = json!({"name": "stranger", "labels": {"app": "web"}, "ownerReferences": owners});
    let pod: Pod =
        ns.create_object(json!({"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "i"}]}})).await?;
    ns.eventually(SOON, "the stranger is let go", async || {
        let now = ns.pods().get("stranger").await?;
        Ok(Look::when(now.owner_references().is_empty(), || format!("{:?}", now.owner_references())))
    })
    .await?;
    let now = ns.pods().get("stranger").await?;
    assert_eq!((now.uid(), now.metadata.deletion_timestamp), (pod.uid(), None), "it was not touched otherwise");
    assert_eq!(ns.settled("web").await?["status"]["replicas"], 1, "it is not counted");
    Ok(())
}

// also: N-1, N-6
#[tokio::test]
async fn n_9_a_claim_with_a_forged_owner_is_used_and_stays() -> Outcome {
    let ns = world::namespace("forged").await?;
    let somebody: Pod = ns
        .create_object(json!({
            "metadata": {"name": "somebody"}, "spec": {"containers": [{"name": "c", "image": "i"}]},
        }))
        .await?;
    let owner = json!([{
        "apiVersion": "v1", "kind": "Pod", "name": "somebody", "uid": somebody.uid(), "controller": true,
    }]);
    let spec = claims()[0]["spec"].clone();
    let metadata = json!({"name": "data-db-0", "ownerReferences": owner});
    let claim: PersistentVolumeClaim = ns.create_object(json!({"metadata": metadata, "spec": spec})).await?;
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    let more = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    ns.create_set(set("db", 1, more)).await?;
    ns.settled("db").await?;
    ns.scale("db", 0).await?;
    ns.settled("db").await?;
    let now = ns.claims().get("data-db-0").await?;
    assert_eq!((now.uid(), now.owner_references()), (claim.uid(), claim.owner_references()));
    Ok(())
}

// also: S-2.6, S-3.3
#[tokio::test]
async fn o_3_names_at_their_longest_work() -> Outcome {
    let ns = world::namespace("longest").await?;
    let name = format!("a{}", "b".repeat(51));
    let mut template = claims();
    template[0]["metadata"]["name"] = "c".repeat(63).into();
    ns.create_set(set(&name, 2, json!({"volumeClaimTemplates": template, "serviceName": "s".repeat(63)}))).await?;
    ns.settled(&name).await?;
    ns.patch_set(&name, image("nginx:2")).await?;
    ns.settled(&name).await?;
    assert_eq!(ns.claims().list(&Default::default()).await?.items.len(), 2);
    Ok(())
}
