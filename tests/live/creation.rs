//! How pods and claims are made (S-2, S-4, S-5).

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use ordinal_tests::{Look, Outcome, namespace::is_ready, world};
use serde_json::json;

use crate::sets::{SOON, Sets, claims, set};

#[tokio::test]
async fn s_4_3_ordered_pods_come_one_after_the_other() -> Outcome {
    let ns = world::namespace("ordered").await?;
    let annotations = json!({"test.ordinal.dev/ready-after": "300ms"});
    let mut object = set("web", 3, json!({}));
    object["spec"]["template"]["metadata"]["annotations"] = annotations;
    ns.create_set(object).await?;
    ns.settled("web").await?;
    let pods = ns.members("web").await?;
    assert_eq!(pods.keys().collect::<Vec<_>>(), ["web-0", "web-1", "web-2"]);
    let ready = |pod: &Pod| {
        let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
        conditions.filter(|c| c.type_ == "Ready").find_map(|c| c.last_transition_time.clone())
    };
    for (before, after) in [("web-0", "web-1"), ("web-1", "web-2")] {
        assert!(ready(&pods[before]) <= pods[after].creation_timestamp(), "{after} was made before {before} was ready");
    }
    Ok(())
}

#[tokio::test]
async fn s_4_4_parallel_pods_wait_for_none() -> Outcome {
    let ns = world::namespace("parallel").await?;
    let mut object = set("web", 3, json!({"podManagementPolicy": "Parallel"}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/never-ready": "true"});
    ns.create_set(object).await?;
    ns.members_are("web", &["web-0", "web-1", "web-2"]).await?;
    assert!(ns.members("web").await?.values().all(|pod| !is_ready(pod)));
    ns.condition("web", "Available", "False", "TooFewReplicas").await?;
    Ok(())
}

// also: S-2.3, S-2.4, S-2.6
#[tokio::test]
async fn s_2_2_a_pod_has_its_identity_on_top_of_the_template() -> Outcome {
    let ns = world::namespace("identity").await?;
    let mut object =
        set("web", 1, json!({"serviceName": "web", "volumeClaimTemplates": claims(), "ordinals": {"start": 7}}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"note": "kept"});
    object["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]);
    let created = ns.create_set(object).await?;
    let pod = ns.pod_ready("web-7", SOON).await?;
    let set = ns.settled("web").await?;
    let labels = pod.labels();
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-7");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "7");
    assert_eq!(labels["controller-revision-hash"], set["status"]["updateRevision"].as_str().unwrap_or_default());
    assert_eq!(pod.annotations()["note"], "kept");
    let owner = &pod.owner_references()[0];
    assert_eq!((owner.kind.as_str(), Some(&owner.uid)), ("OrdinalSet", created.metadata.uid.as_ref()));
    assert_eq!((owner.controller, owner.block_owner_deletion), (Some(true), Some(true)));
    let spec = pod.spec.unwrap_or_default();
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("web-7"), Some("web")));
    let volumes: Vec<_> =
        spec.volumes.iter().flatten().map(|v| (v.name.as_str(), v.persistent_volume_claim.as_ref())).collect();
    assert_eq!(volumes[0].0, "data");
    assert_eq!(
        volumes[0].1.map(|c| c.claim_name.as_str()),
        Some("data-web-7"),
        "the claim wins over the template's volume"
    );
    assert!(volumes.iter().any(|(name, _)| *name == "tmp"));
    Ok(())
}

// also: S-5.1
#[tokio::test]
async fn s_5_2_each_pod_has_a_claim_of_its_own() -> Outcome {
    let ns = world::namespace("claims").await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    let claims = ns.claims().list(&Default::default()).await?;
    let bound = |c: &PersistentVolumeClaim| c.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Bound");
    let names: Vec<String> = claims.items.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["data-db-0", "data-db-1"]);
    assert!(claims.items.iter().all(|c| bound(c) && c.labels()["app"] == "db" && c.owner_references().is_empty()));
    Ok(())
}

#[tokio::test]
async fn s_7_2_events_name_pods_and_claims() -> Outcome {
    let ns = world::namespace("events").await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    let expected =
        ["Create Claim data-db-0 Pod db-0 in OrdinalSet db success", "Create Pod db-0 in OrdinalSet db successful"];
    ns.eventually(SOON, "both events are there", async || {
        let notes = ns.notes("db", "SuccessfulCreate").await?;
        Ok(Look::when(expected.iter().all(|e| notes.iter().any(|n| n == e)), || format!("{notes:?}")))
    })
    .await?;
    let described = ns.kubectl().ok(["describe", "ordinalset", "db"]).await?;
    assert!(described.contains("SuccessfulCreate") && described.contains("ordinalset-controller"), "{described}");
    Ok(())
}

// also: O-10
#[tokio::test]
async fn o_1_scale_and_wait_work_as_for_a_stateful_set() -> Outcome {
    let ns = world::namespace("kubectl").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.kubectl().ok(["scale", "ords/web", "--replicas=2"]).await?;
    ns.members_are("web", &["web-0", "web-1"]).await?;
    ns.settled("web").await?;
    ns.kubectl().ok(["wait", "--for=condition=Available", "ords/web", "--timeout=60s"]).await?;
    let table = ns.kubectl().ok(["get", "ords", "web", "--no-headers"]).await?;
    let columns: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(columns[..3], ["web", "2", "2"], "{table}");
    let scale = ns.sets().get_scale("web").await?;
    assert_eq!(scale.status.and_then(|s| s.selector).as_deref(), Some("app=web"));
    Ok(())
}
