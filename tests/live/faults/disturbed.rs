//! Somebody takes away, or spoils, what the operator has made.

use anyhow::Result;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::{Value, json};

use super::claim_uids;
use crate::sets::{SOON, Sets, claim_comes_back_under_pending_pod, claims, condition_of, image, set};

async fn revisions(ns: &Namespace) -> Result<Vec<String>> {
    let list = ns.api::<ControllerRevision>().list(&ListParams::default().labels("app=web")).await?;
    Ok(list.items.iter().map(ResourceExt::name_any).collect())
}

// also: N-5
#[tokio::test]
async fn n_13_deleted_revisions_come_back_and_no_pod_restarts() -> Outcome {
    let ns = world::namespace("no-revisions").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    let before = ns.settled("web").await?["status"]["updateRevision"].clone();
    let uids = ns.uids("web").await?;
    for name in revisions(&ns).await? {
        ns.api::<ControllerRevision>().delete(&name, &DeleteParams::default()).await?;
    }
    ns.eventually(SOON, "the revision of the pods is there again", async || {
        let revisions = revisions(&ns).await?;
        Ok(Look::when(revisions.iter().any(|name| *name == before), || format!("{revisions:?}")))
    })
    .await?;
    let status = ns.settled("web").await?["status"].clone();
    assert_eq!((&status["currentRevision"], &status["updateRevision"]), (&before, &before));
    assert_eq!(ns.uids("web").await?, uids, "no pod was restarted");
    Ok(())
}

#[tokio::test]
async fn n_13_revisions_deleted_amid_a_roll_out_do_not_stop_it() -> Outcome {
    let ns = world::namespace("no-revisions").await?;
    let mut object = set("web", 4, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/ready-after": "300ms"});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    for expected in ["web-3", "web-2", "web-1"] {
        ns.eventually(SOON, &format!("{expected} is at the new image"), async || {
            let images = ns.images("web").await?;
            Ok(Look::when(images.get(expected).is_some_and(|i| i == "nginx:2"), || format!("{images:?}")))
        })
        .await?;
        for name in revisions(&ns).await? {
            ns.api::<ControllerRevision>().delete(&name, &DeleteParams::default()).await?;
        }
    }
    ns.settled("web").await?;
    assert!(ns.images("web").await?.values().all(|image| image == "nginx:2"));
    Ok(())
}

#[tokio::test]
async fn n_13_pods_deleted_by_force_amid_a_creation_come_back() -> Outcome {
    let ns = world::namespace("taken-pods").await?;
    let spec = json!({"podManagementPolicy": "Parallel", "volumeClaimTemplates": claims()});
    ns.create_set(set("db", 6, spec)).await?;
    let mut taken = 0;
    ns.eventually(SOON, "a dozen pods have been taken away", async || {
        for name in ns.members("db").await?.into_keys() {
            let forced = DeleteParams::default().grace_period(0);
            taken += usize::from(ns.pods().delete(&name, &forced).await.is_ok());
        }
        Ok(Look::when(taken >= 12, || format!("{taken}")))
    })
    .await?;
    ns.settled("db").await?;
    assert_eq!((ns.members("db").await?.len(), claim_uids(&ns).await?.len()), (6, 6));
    Ok(())
}

// also: S-5.2, O-6
#[tokio::test]
async fn n_13_a_claim_deleted_while_its_pod_is_pending_comes_back() -> Outcome {
    let ns = world::namespace("taken-claim").await?;
    claim_comes_back_under_pending_pod(&ns).await?;
    let mended = json!({"spec": {"template": {"spec": {"nodeSelector": null}}}});
    ns.patch_set("db", mended).await?;
    // A pod that cannot be scheduled holds an ordered roll-out until it is deleted, as natively.
    ns.delete_pod("db-0").await?;
    ns.settled("db").await?;
    Ok(())
}

async fn spoil_status(ns: &Namespace, status: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"status": status}));
    ns.sets().patch_status("web", &PatchParams::default(), &patch).await?;
    Ok(())
}

// also: S-6.4, O-10, O-12
#[tokio::test]
async fn n_13_a_spoilt_status_is_made_anew_and_no_pod_restarts() -> Outcome {
    let ns = world::namespace("spoilt").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    let good = ns.settled("web").await?["status"].clone();
    let uids = ns.uids("web").await?;
    let foreign = json!({"type": "Foreign", "status": "True"});
    for spoilt in [
        json!({"observedGeneration": null, "replicas": null, "readyReplicas": null, "availableReplicas": null,
            "currentReplicas": null, "updatedReplicas": null, "currentRevision": null, "updateRevision": null,
            "selector": null, "conditions": null, "blockedPods": null}),
        json!({"replicas": 77, "readyReplicas": 77, "availableReplicas": 0, "updatedReplicas": 5}),
        json!({"observedGeneration": 999}),
        json!({"currentRevision": "web-nonsense", "updateRevision": "web-other"}),
        json!({"conditions": [foreign, {"type": "Available", "status": "False", "reason": "Lies"}]}),
        json!({"collisionCount": 5}),
    ] {
        spoil_status(&ns, spoilt.clone()).await?;
        let keys = ["replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "observedGeneration"];
        ns.eventually(SOON, &format!("the status is right again after {spoilt}"), async || {
            let set = ns.set("web").await?;
            let counted = keys.iter().all(|key| set["status"][key] == good[key]);
            let revision = set["status"]["currentRevision"] == set["status"]["updateRevision"];
            let available = condition_of(&set, "Available").is_some_and(|c| c["status"] == "True");
            Ok(Look::when(counted && revision && available, || set["status"].to_string()))
        })
        .await?;
        assert_eq!(ns.uids("web").await?, uids, "a pod was restarted after {spoilt}");
    }
    let set = ns.settled("web").await?;
    assert!(condition_of(&set, "Foreign").is_some(), "a condition of somebody else is kept: {}", set["status"]);
    assert_eq!(set["status"]["updateRevision"], good["updateRevision"]);
    Ok(())
}
