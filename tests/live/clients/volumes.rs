//! Claims that exist are used as they are, and no write of ours changes their spec (S-5.9, S-12.14, N-11).

use anyhow::Result;
use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::{Value, json};

use crate::{
    server::refusal,
    sets::{SOON, Sets, set},
};

/// A class whose volumes may grow; classes are for the whole control plane, so a test takes its namespace's name.
async fn growing_class(ns: &Namespace) -> Result<String> {
    let class = serde_json::from_value(json!({
        "metadata": {"name": ns.name()},
        "provisioner": "kubernetes.io/host-path",
        "allowVolumeExpansion": true,
    }))?;
    Api::<StorageClass>::all(ns.client()).create(&PostParams::default(), &class).await?;
    Ok(ns.name().to_owned())
}

fn template(name: &str, class: &str, storage: &str) -> Value {
    json!([{
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": class,
            "resources": {"requests": {"storage": storage}},
        },
    }])
}

fn requested(claim: &PersistentVolumeClaim) -> String {
    let requests = claim.spec.as_ref().and_then(|s| s.resources.as_ref()).and_then(|r| r.requests.as_ref());
    requests.and_then(|r| r.get("storage")).map(|q| q.0.clone()).unwrap_or_default()
}

async fn bound(ns: &Namespace, name: &str) -> Result<PersistentVolumeClaim> {
    ns.eventually(SOON, &format!("claim {name} is bound"), async || {
        let claim = ns.claims().get(name).await?;
        let phase = claim.status.as_ref().and_then(|s| s.phase.clone());
        Ok(if phase.as_deref() == Some("Bound") { Look::Done(claim) } else { Look::NotYet(format!("{phase:?}")) })
    })
    .await
}

async fn recreate(ns: &Namespace, set: Value) -> Result<()> {
    ns.sets().delete("db", &DeleteParams::orphan()).await?;
    ns.eventually(SOON, "the set is gone", async || {
        let left = ns.sets().get_opt("db").await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    ns.create_set(set).await?;
    ns.settled("db").await?;
    Ok(())
}

/// Existing volumes by their claims; those of new pods by a set that is deleted with its pods left, and made again.
// also: S-12.24
#[tokio::test]
async fn s_5_9_volumes_grow_by_their_claims_and_new_ones_by_a_new_set() -> Outcome {
    let ns = world::namespace("growing").await?;
    let class = growing_class(&ns).await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": template("data", &class, "1Mi")}))).await?;
    ns.settled("db").await?;
    bound(&ns, "data-db-0").await?;
    let uids = ns.uids("db").await?;

    let larger = json!({"spec": {"volumeClaimTemplates": template("data", &class, "3Mi")}});
    let patched = ns.sets().patch("db", &PatchParams::default(), &Patch::Merge(larger)).await;
    assert!(refusal(patched, 422)?.contains("spec.volumeClaimTemplates: Invalid value"));
    let grown = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "2Mi"}}}}));
    ns.claims().patch("data-db-0", &PatchParams::default(), &grown).await?;

    recreate(&ns, set("db", 2, json!({"volumeClaimTemplates": template("data", &class, "3Mi")}))).await?;
    assert_eq!(requested(&ns.claims().get("data-db-0").await?), "2Mi", "as somebody has edited it");
    assert_eq!(requested(&ns.claims().get("data-db-1").await?), "3Mi", "as the new template says");
    assert_eq!(ns.uids("db").await?.get("db-0"), uids.get("db-0"), "no restart");
    Ok(())
}

/// The API server refuses it of anybody; a set that was made again with such a template does not even try.
#[tokio::test]
async fn n_11_no_bound_claim_shrinks_or_changes_its_class() -> Outcome {
    let ns = world::namespace("no-shrinking").await?;
    let class = growing_class(&ns).await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": template("data", &class, "2Mi")}))).await?;
    ns.settled("db").await?;
    let before = bound(&ns, "data-db-0").await?;
    for spec in [json!({"resources": {"requests": {"storage": "1Mi"}}}), json!({"storageClassName": "standard"})] {
        let patch = Patch::Merge(json!({"spec": spec}));
        refusal(ns.claims().patch("data-db-0", &PatchParams::default(), &patch).await, 422)?;
    }
    // The retention policy makes the operator write to the claim.
    let policy = json!({"whenDeleted": "Delete"});
    let smaller = template("data", "standard", "1Mi");
    let spec = json!({"volumeClaimTemplates": smaller, "persistentVolumeClaimRetentionPolicy": policy});
    recreate(&ns, set("db", 1, spec)).await?;
    let claim = ns
        .eventually(SOON, "the claim is the set's", async || {
            let claim = ns.claims().get("data-db-0").await?;
            let owned = claim.owner_references().iter().any(|o| o.kind == "OrdinalSet");
            Ok(if owned { Look::Done(claim) } else { Look::NotYet(format!("{:?}", claim.metadata)) })
        })
        .await?;
    assert_eq!((&claim.spec, claim.uid()), (&before.spec, before.uid()));
    assert!(ns.notes("db", "FailedUpdate").await?.is_empty(), "nothing was tried that was refused");
    Ok(())
}

/// Template `a-b` of set `c` and template `a` of set `b-c`: one name, so one claim, as it is.
#[tokio::test]
async fn s_12_14_two_sets_whose_claims_have_one_name_share_the_claim() -> Outcome {
    let ns = world::namespace("ambiguous").await?;
    ns.create_set(set("b-c", 1, json!({"volumeClaimTemplates": template("a", "standard", "1Mi")}))).await?;
    ns.settled("b-c").await?;
    let before = bound(&ns, "a-b-c-0").await?;
    ns.create_set(set("c", 1, json!({"volumeClaimTemplates": template("a-b", "other", "5Mi")}))).await?;
    ns.settled("c").await?;
    let after = ns.claims().get("a-b-c-0").await?;
    assert_eq!((after.uid(), &after.spec, after.labels()), (before.uid(), &before.spec, before.labels()));
    for (pod, volume) in [("b-c-0", "a"), ("c-0", "a-b")] {
        let volumes = ns.pods().get(pod).await?.spec.and_then(|s| s.volumes).unwrap_or_default();
        let volume = volumes.iter().find(|v| v.name == volume).and_then(|v| v.persistent_volume_claim.as_ref());
        assert_eq!(volume.map(|c| c.claim_name.as_str()), Some("a-b-c-0"), "{pod}");
    }
    assert_eq!(ns.claims().list(&Default::default()).await?.items.len(), 1);
    Ok(())
}
