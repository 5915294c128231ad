//! What others put on a set's pods and claims stays there (N-10), and what the API server asks of who sets owner references
//! (S-12.21).

use anyhow::Result;
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use ordinal_tests::{Identity, Look, Namespace, Outcome, world};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    server::refusal,
    sets::{SOON, Sets, claims, set},
};

/// Somebody's object that takes a part in a set's pods and claims.
struct Other<'a> {
    ns: &'a Namespace,
    uid: String,
}

impl<'a> Other<'a> {
    async fn create(ns: &'a Namespace) -> Result<Self> {
        let object = ns.create_object::<ConfigMap>(json!({"metadata": {"name": "other"}})).await?;
        Ok(Self { ns, uid: object.uid().unwrap_or_default() })
    }

    fn reference(&self) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": self.uid})
    }

    /// Puts a label, an annotation, a finalizer and an owner reference on an object.
    async fn mark<K>(&self, name: &str) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        let metadata = json!({
            "labels": {"example.com/label": "other"},
            "annotations": {"example.com/note": "other"},
            "finalizers": ["example.com/hold"],
            "ownerReferences": [self.reference()],
        });
        let patch = Patch::Strategic(json!({"metadata": metadata}));
        self.ns.api::<K>().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// All four are there.
    fn is_on(&self, object: &impl ResourceExt) -> bool {
        object.labels().get("example.com/label").is_some_and(|v| v == "other")
            && object.annotations().get("example.com/note").is_some_and(|v| v == "other")
            && object.finalizers().iter().any(|f| f == "example.com/hold")
            && object.owner_references().iter().any(|o| o.uid == self.uid && o.controller.is_none())
    }

    /// Waits until the pod or claim is as it should be, and has still all that was put on it.
    async fn stays_on<K>(&self, name: &str, what: &str, done: impl Fn(&K) -> bool) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        let object = self
            .ns
            .eventually(SOON, &format!("{name} {what}"), async || {
                let object = self.ns.api::<K>().get(name).await?;
                Ok(if done(&object) { Look::Done(object) } else { Look::NotYet(format!("{:?}", object.meta())) })
            })
            .await?;
        assert!(self.is_on(&object), "{name} {what}, but has lost what others put on it: {:?}", object.meta());
        Ok(())
    }
}

fn owned_by(object: &impl ResourceExt, kind: &str) -> bool {
    object.owner_references().iter().any(|o: &OwnerReference| o.kind == kind)
}

#[tokio::test]
async fn n_10_what_others_put_on_pods_and_claims_survives() -> Outcome {
    let ns = world::namespace("foreign").await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    let other = Other::create(&ns).await?;
    for pod in ["db-0", "db-1"] {
        other.mark::<Pod>(pod).await?;
        other.mark::<PersistentVolumeClaim>(&format!("data-{pod}")).await?;
    }

    // Repair of the identity (S-2.7).
    let label = "statefulset.kubernetes.io/pod-name";
    ns.kubectl().ok(["label", "pod", "db-0", &format!("{label}-")]).await?;
    other
        .stays_on::<Pod>("db-0", "has its label again", |p| p.labels().get(label).is_some_and(|v| v == "db-0"))
        .await?;

    // Release and adoption (S-2.5).
    ns.kubectl().ok(["label", "pod", "db-1", "app=nobody", "--overwrite"]).await?;
    other.stays_on::<Pod>("db-1", "is released", |p| !owned_by(p, "OrdinalSet")).await?;
    ns.kubectl().ok(["label", "pod", "db-1", "app=db", "--overwrite"]).await?;
    other.stays_on::<Pod>("db-1", "is adopted", |p| owned_by(p, "OrdinalSet")).await?;

    // Owners of claims: the set, nobody again, a condemned pod (S-5.5).
    let policy = |policy: Value| json!({"spec": {"persistentVolumeClaimRetentionPolicy": policy}});
    type Claim = PersistentVolumeClaim;
    ns.patch_set("db", policy(json!({"whenDeleted": "Delete"}))).await?;
    for claim in ["data-db-0", "data-db-1"] {
        other.stays_on::<Claim>(claim, "is the set's", |c| owned_by(c, "OrdinalSet")).await?;
    }
    ns.patch_set("db", policy(json!({"whenDeleted": "Retain", "whenScaled": "Delete"}))).await?;
    for claim in ["data-db-0", "data-db-1"] {
        other.stays_on::<Claim>(claim, "is nobody's", |c| !owned_by(c, "OrdinalSet")).await?;
    }
    ns.scale("db", 1).await?;
    other.stays_on::<Claim>("data-db-1", "is its pod's", |c| owned_by(c, "Pod")).await?;
    // The pod is held by the finalizer, so it is still there to be looked at.
    other.stays_on::<Pod>("db-1", "is being deleted", |p| p.metadata.deletion_timestamp.is_some()).await?;
    other.stays_on::<Claim>("data-db-0", "is nobody's", |c| !owned_by(c, "OrdinalSet") && !owned_by(c, "Pod")).await?;

    let let_go = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    ns.pods().patch("db-1", &PatchParams::default(), &let_go).await?;
    ns.members_are("db", &["db-0"]).await?;
    Ok(())
}

/// The admission plug-in is on in all live tests, and the operator has the permissions of deploy/manifests.
#[tokio::test]
async fn s_12_21_retention_works_where_owner_references_are_guarded() -> Outcome {
    let world = world::world().await?;
    let ns = world::namespace("guarded").await?;
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    let spec = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    ns.create_set(set("db", 2, spec)).await?;
    ns.settled("db").await?;

    // It is really on: the operator itself may not block the deletion of what it has no business with.
    let other = Other::create(&ns).await?;
    let mut reference = other.reference();
    reference["blockOwnerDeletion"] = json!(true);
    let operators: Api<PersistentVolumeClaim> =
        Api::namespaced(world.control_plane.client(Identity::Operator).await?, ns.name());
    let patch = Patch::Merge(json!({"metadata": {"ownerReferences": [reference]}}));
    let told = refusal(operators.patch("data-db-0", &PatchParams::default(), &patch).await, 403)?;
    assert!(told.contains("cannot set blockOwnerDeletion"), "{told}");

    let owner = async |claim: &str, kind: &str| {
        ns.eventually(SOON, &format!("{claim} is owned by {kind}"), async || {
            let claim = ns.claims().get(claim).await?;
            let owners = claim.owner_references();
            let full = owners.iter().find(|o| o.kind == kind && o.block_owner_deletion == Some(true));
            Ok(Look::when(full.is_some_and(|o| o.controller == Some(true)) && owners.len() == 1, || {
                format!("{owners:?}")
            }))
        })
        .await
    };
    owner("data-db-0", "OrdinalSet").await?;
    owner("data-db-1", "OrdinalSet").await?;
    let annotation = json!({"test.ordinal.dev/stop-after": "1s"});
    ns.annotate_pod("db-1", annotation).await?;
    ns.scale("db", 1).await?;
    owner("data-db-1", "Pod").await?;
    ns.eventually(SOON, "the claim of db-1 is collected", async || {
        let left = ns.claims().get_opt("data-db-1").await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    Ok(())
}
