//! Sets that were stored while the CRD was looser, or by a newer one: they stay changeable where they are not at fault, and
//! what the operator cannot read harms nobody (S-1.2, S-1.6, S-7.7).

use anyhow::Result;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use ordinal_tests::{
    ControlPlane, Identity, Look, Namespace, Operator, OperatorOptions, Options, Outcome, eventually, kubectl::Output,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::refusal;
use crate::sets::{SOON, Sets, claims, image, set};

struct Legacy {
    control_plane: ControlPlane,
    operator: Operator,
    turn: Mutex<()>,
}

/// A control plane whose CRD these tests loosen, with an operator, for one test at a time: while a CRD is exchanged, the API
/// server may answer anybody that it is shutting down.
async fn legacy() -> Result<(&'static Legacy, MutexGuard<'static, ()>)> {
    static LEGACY: OnceCell<Legacy> = OnceCell::const_new();
    let legacy = LEGACY
        .get_or_try_init(async || {
            let control_plane = ControlPlane::start(Options { nodes: 1, ..Options::default() }).await?;
            let operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
            anyhow::Ok(Legacy { control_plane, operator, turn: Mutex::default() })
        })
        .await?;
    Ok((legacy, legacy.turn.lock().await))
}

impl Legacy {
    /// From here on the API server takes any spec, until [`Legacy::tighten`].
    async fn loosen(&self) -> Result<()> {
        let crds: Api<CustomResourceDefinition> = Api::all(self.control_plane.client(Identity::Tests).await?);
        let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let mut crd = crds.get("ordinalsets.apps.ordinal.dev").await?;
        for version in &mut crd.spec.versions {
            version.schema = Some(serde_json::from_value(json!({"openAPIV3Schema": anything}))?);
        }
        crds.replace(&crd.name_any(), &Default::default(), &crd).await?;
        Ok(())
    }

    /// The CRD as it is shipped again.
    async fn tighten(&self, ns: &Namespace) -> Result<()> {
        self.control_plane.kubectl().ok(["replace", "-f", "crds/"]).await?;
        // The API server needs a moment to go by it.
        eventually(SOON, "a set without a spec is refused", async || {
            let bare = json!({"metadata": {"name": "bare", "namespace": ns.name()}});
            let Err(refused) = ns.create_set(bare).await else {
                ns.delete_set("bare").await?;
                return Ok(Look::NotYet("it was taken".to_owned()));
            };
            let by_rule = matches!(refused.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 422);
            Ok(Look::when(by_rule, || format!("{refused:#}")))
        })
        .await?;
        Ok(())
    }
}

/// Until the API server goes by the looser CRD, it refuses.
async fn stored_loosely(ns: &Namespace, object: Value) -> Result<()> {
    ns.eventually(SOON, "the set is taken", async || {
        ns.create_set(object.clone()).await?;
        Ok(Look::Done(()))
    })
    .await
}

async fn patch(ns: &Namespace, name: &str, patch: Value) -> kube::Result<()> {
    ns.sets().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

/// Its name could not be given today; but it goes like any other.
#[tokio::test]
async fn s_1_2_a_legacy_name_is_not_judged_again() -> Outcome {
    let (legacy, _turn) = legacy().await?;
    let ns = legacy.control_plane.namespace("legacy-name").await?;
    legacy.loosen().await?;
    let names = ["web.old".to_owned(), "a".repeat(60)];
    for name in &names {
        let mut object = set(name, 0, json!({}));
        object["metadata"]["finalizers"] = json!(["example.com/hold"]);
        stored_loosely(&ns, object).await?;
    }
    legacy.tighten(&ns).await?;
    for name in &names {
        ns.patch_set(name, json!({"spec": {"minReadySeconds": 1}, "metadata": {"labels": {"a": "b"}}})).await?;
        ns.delete_set(name).await?;
        ns.patch_set(name, json!({"metadata": {"finalizers": null}})).await?;
        assert!(ns.sets().get_opt(name).await?.is_none(), "{name}");
    }
    Ok(())
}

/// What is wrong with it and does not change is tolerated; what is changed must be right.
#[tokio::test]
async fn s_1_6_a_legacy_set_stays_changeable() -> Outcome {
    let (legacy, _turn) = legacy().await?;
    let ns = legacy.control_plane.namespace("legacy-spec").await?;
    legacy.loosen().await?;
    let claim = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    let mut object = set("web", 0, json!({"serviceName": "not.a.label", "volumeClaimTemplates": claim}));
    object["spec"]["template"]["spec"]["activeDeadlineSeconds"] = json!(5);
    stored_loosely(&ns, object).await?;
    legacy.tighten(&ns).await?;
    ns.patch_set("web", json!({"spec": {"minReadySeconds": 1}})).await?;
    ns.scale("web", 1).await?;
    let told = refusal(patch(&ns, "web", json!({"spec": {"minReadySeconds": -1}})).await, 422)?;
    assert!(told.contains("spec.minReadySeconds"), "{told}");
    let told = refusal(patch(&ns, "web", json!({"spec": {"serviceName": "other"}})).await, 422)?;
    assert!(told.contains("field is immutable"), "{told}");
    ns.patch_set("web", json!({"spec": {"template": {"spec": {"activeDeadlineSeconds": null}}}})).await?;
    Ok(())
}

/// What `updateStrategy.type: Recreate` does where its gate is off (S-4.10): nothing happens to the set's pods, claims and
/// status, whatever else has changed in it, and it says so.
// also: S-4.10, S-12.34, O-15, N-14
#[tokio::test]
async fn s_7_7_a_stored_recreate_is_reported_and_its_pods_are_left_alone() -> Outcome {
    let (legacy, _turn) = legacy().await?;
    let ns = legacy.control_plane.namespace("recreate").await?;
    let policy = json!({"whenScaled": "Delete"});
    let spec = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    ns.create_set(set("db", 2, spec)).await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let before = ns.settled("db").await?["status"].clone();
    ns.settled("web").await?;
    let uids = ns.uids("db").await?;

    // A changed template and a scale-down at once: the built-in's Recreate would leave claims behind (S-12.34).
    let mut recreate = image("nginx:2");
    recreate["spec"]["updateStrategy"] = json!({"type": "Recreate", "rollingUpdate": null});
    recreate["spec"]["replicas"] = json!(1);
    legacy.loosen().await?;
    ns.eventually(SOON, "the set is taken", async || {
        patch(&ns, "db", recreate.clone()).await?;
        Ok(Look::Done(()))
    })
    .await?;
    legacy.tighten(&ns).await?;

    ns.eventually(SOON, "an event says why the set is skipped", async || {
        let notes = ns.notes("db", "InvalidSet").await?;
        Ok(Look::when(notes.iter().any(|n| n.contains("skipped") && n.contains("Recreate")), || format!("{notes:?}")))
    })
    .await?;
    legacy.operator.says(SOON, &["WARN", "set=\"db\"", "skipped", "Recreate"]).await?;

    // Others live on.
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    ns.create_set(set("late", 1, json!({}))).await?;
    ns.settled("late").await?;
    assert_eq!(ns.uids("db").await?, uids, "no pod was touched");
    let claims = ns.claims().list(&Default::default()).await?.items;
    assert!(claims.len() == 2 && claims.iter().all(|c| c.owner_references().is_empty()), "no claim either");
    let db = ns.set("db").await?;
    assert_eq!(db["status"], before, "no status is written");

    // As natively, a type that is stored already is no obstacle to other changes; and once it is mended, all is made up for.
    ns.patch_set("db", json!({"spec": {"minReadySeconds": 0}, "metadata": {"labels": {"a": "b"}}})).await?;
    ns.patch_set("db", json!({"spec": {"updateStrategy": {"type": "RollingUpdate"}}})).await?;
    ns.settled("db").await?;
    assert_eq!(ns.images("db").await?, [("db-0".to_owned(), "nginx:2".to_owned())].into());
    ns.eventually(SOON, "the claim of db-1 is collected", async || {
        let left = ns.claims().get_opt("data-db-1").await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    Ok(())
}

/// What no schema would let in today: each is reported where it cannot be read, none has pods, and the others live.
// also: N-14
#[tokio::test]
async fn o_15_sets_that_cannot_be_read_harm_only_themselves() -> Outcome {
    let (legacy, _turn) = legacy().await?;
    let ns = legacy.control_plane.namespace("unreadable").await?;
    let broken = [
        ("no-spec", json!(null)),
        ("no-fields", json!({})),
        ("text-for-a-number", json!({"minReadySeconds": "3"})),
        ("a-number-too-large", json!({"revisionHistoryLimit": 3_000_000_000_u64})),
        ("no-selector", json!({"selector": null})),
        ("empty-selector", json!({"selector": {}})),
        ("bad-operator", json!({"selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}})),
        ("text-for-a-template", json!({"template": "nginx"})),
        ("unknown-policy", json!({"podManagementPolicy": "Random"})),
        ("a-list-for-claims", json!({"volumeClaimTemplates": {"data": {}}})),
    ];
    legacy.loosen().await?;
    for (name, spec) in &broken {
        let mut object = set(name, 1, spec.clone());
        match spec.as_object().map(serde_json::Map::len) {
            None => object["spec"] = Value::Null,
            Some(0) => object["spec"] = json!({}),
            Some(_) => {}
        }
        stored_loosely(&ns, object).await?;
    }
    ns.create_set(set("good", 2, json!({}))).await?;
    ns.settled("good").await?;
    for (name, _) in &broken {
        ns.eventually(SOON, &format!("an event says that {name} is skipped"), async || {
            let notes = ns.notes(name, "InvalidSet").await?;
            Ok(Look::when(notes.iter().any(|n| n.contains("skipped: ")), || format!("{notes:?}")))
        })
        .await?;
    }
    legacy.tighten(&ns).await?;
    ns.patch_set("good", image("nginx:2")).await?;
    ns.settled("good").await?;
    let pods = ns.pods().list(&Default::default()).await?.items;
    assert!(pods.iter().all(|pod| pod.name_any().starts_with("good-")), "{:?}", pods.iter().map(|p| p.name_any()));
    // They can be mended, or go.
    ns.patch_set("text-for-a-number", json!({"spec": {"minReadySeconds": 1}})).await?;
    ns.settled("text-for-a-number").await?;
    for (name, _) in &broken {
        ns.delete_set(name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn s_4_10_recreate_is_refused_as_where_its_gate_is_off() -> Outcome {
    let ns = ControlPlane::shared().await?.namespace("no-recreate").await?;
    let recreate = set("web", 0, json!({"updateStrategy": {"type": "Recreate"}}));
    for (kind, version) in [("OrdinalSet", "apps.ordinal.dev/v1"), ("StatefulSet", "apps/v1")] {
        let mut object = recreate.clone();
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        let Output { code, stderr, .. } = ns.kubectl().try_apply(&object.to_string()).await?;
        let words = "must be 'RollingUpdate' or 'OnDelete'";
        assert!(
            code != 0 && stderr.contains("spec.updateStrategy: Invalid value") && stderr.contains(words),
            "{stderr}"
        );
    }
    Ok(())
}
