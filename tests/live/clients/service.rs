//! Services and what they make of a set's pods (S-11), by the EndpointSlice controller of kube-controller-manager. What a
//! DNS server makes of the slices is not to be seen here: tests/rules-elsewhere.md.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use ordinal_tests::{Look, Namespace, Outcome, binaries::kubernetes_minor, world};
use serde_json::{Value, json};

use crate::{
    admission::manifest::immutable,
    sets::{SOON, Sets, set},
};

async fn service(ns: &Namespace, name: &str, spec: Value) -> Result<()> {
    ns.create_object::<Service>(json!({"metadata": {"name": name}, "spec": spec})).await?;
    Ok(())
}

fn headless(selector: Value) -> Value {
    json!({"clusterIP": "None", "selector": selector})
}

/// A pod's hostname in the slices of a Service (empty if it has none), and whether it is ready there.
type Endpoints = BTreeMap<String, (String, bool)>;

async fn endpoints(ns: &Namespace, service: &str) -> Result<Endpoints> {
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let slices = ns.api::<EndpointSlice>().list(&of_service).await?.items;
    let all = slices.into_iter().flat_map(|slice| slice.endpoints.unwrap_or_default());
    Ok(all
        .map(|endpoint| {
            let pod = endpoint.target_ref.and_then(|target| target.name).unwrap_or_default();
            let ready = endpoint.conditions.and_then(|c| c.ready).unwrap_or_default();
            (pod, (endpoint.hostname.unwrap_or_default(), ready))
        })
        .collect())
}

/// Waits until a Service's endpoints are these: pod, hostname, ready.
async fn endpoints_are(ns: &Namespace, service: &str, expected: &[(&str, &str, bool)]) -> Result<()> {
    let expected: Endpoints =
        expected.iter().map(|(pod, host, ready)| (pod.to_string(), (host.to_string(), *ready))).collect();
    ns.eventually(SOON, &format!("the endpoints of Service {service} are {expected:?}"), async || {
        let endpoints = endpoints(ns, service).await?;
        Ok(Look::when(endpoints == expected, || format!("{endpoints:?}")))
    })
    .await
}

/// Both fields come from the set alone, whatever the Service is or whether it is.
#[tokio::test]
async fn s_11_1_a_wrong_or_missing_service_stops_no_pod() -> Outcome {
    let ns = world::namespace("no-service").await?;
    service(&ns, "wrong", json!({"selector": {"app": "nobody"}, "ports": [{"port": 80}]})).await?;
    ns.create_set(set("missing", 2, json!({"serviceName": "nowhere"}))).await?;
    ns.create_set(set("mistaken", 2, json!({"serviceName": "wrong"}))).await?;
    for (name, service) in [("missing", "nowhere"), ("mistaken", "wrong")] {
        ns.settled(name).await?;
        for pod in ns.members(name).await?.into_values() {
            assert_eq!(pod.spec.and_then(|s| s.subdomain).as_deref(), Some(service));
        }
    }
    ns.condition("mistaken", "ServiceReady", "False", "NotHeadless").await?;
    Ok(())
}

/// What becomes of them inside a container is the kubelet's.
#[tokio::test]
async fn s_11_2_a_pods_hostname_is_its_name_and_its_subdomain_the_service() -> Outcome {
    let ns = world::namespace("hostname").await?;
    let mut object = set("web", 1, json!({"serviceName": "web"}));
    object["spec"]["template"]["spec"]["hostnameOverride"] = json!("mine.example");
    ns.create_set(object).await?;
    let spec = ns.pod_ready("web-0", SOON).await?.spec.unwrap_or_default();
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("web-0"), Some("web")));
    // Older API servers drop it.
    if kubernetes_minor() >= 35 {
        assert_eq!(spec.hostname_override.as_deref(), Some("mine.example"), "the operator does not touch it");
    }
    Ok(())
}

#[tokio::test]
async fn s_12_23_hostname_and_subdomain_of_the_template_are_overwritten() -> Outcome {
    let ns = world::namespace("overwritten").await?;
    for (name, service) in [("with", Some("peers")), ("without", None)] {
        let mut object = set(name, 1, service.map_or(json!({}), |service| json!({"serviceName": service})));
        let pod = &mut object["spec"]["template"]["spec"];
        pod["hostname"] = json!("mine");
        pod["subdomain"] = json!("also-mine");
        ns.create_set(object).await?;
        let spec = ns.pod_ready(&format!("{name}-0"), SOON).await?.spec.unwrap_or_default();
        assert_eq!(spec.hostname, Some(format!("{name}-0")));
        assert_eq!(spec.subdomain.unwrap_or_default(), service.unwrap_or_default());
    }
    Ok(())
}

#[tokio::test]
async fn s_11_3_endpoints_of_the_governing_service_carry_the_hostnames() -> Outcome {
    let ns = world::namespace("governing").await?;
    service(&ns, "web", headless(json!({"app": "web"}))).await?;
    service(&ns, "other", headless(json!({"app": "web"}))).await?;
    ns.create_set(set("web", 2, json!({"serviceName": "web"}))).await?;
    ns.settled("web").await?;
    endpoints_are(&ns, "web", &[("web-0", "web-0", true), ("web-1", "web-1", true)]).await?;
    // A Service of another name than the pods' subdomain gives none.
    endpoints_are(&ns, "other", &[("web-0", "", true), ("web-1", "", true)]).await?;
    Ok(())
}

#[tokio::test]
async fn s_11_4_only_ready_pods_are_ready_endpoints_unless_the_service_says_otherwise() -> Outcome {
    let ns = world::namespace("published").await?;
    service(&ns, "web", headless(json!({"app": "web"}))).await?;
    let mut early = headless(json!({"app": "web"}));
    early["publishNotReadyAddresses"] = json!(true);
    service(&ns, "early", early).await?;
    let mut object = set("web", 2, json!({"serviceName": "web", "podManagementPolicy": "Parallel"}));
    object["spec"]["template"]["metadata"]["annotations"] = json!({"test.ordinal.dev/stop-after": "1h"});
    ns.create_set(object).await?;
    ns.settled("web").await?;
    ns.annotate_pod("web-1", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    endpoints_are(&ns, "web", &[("web-0", "web-0", true), ("web-1", "web-1", false)]).await?;
    endpoints_are(&ns, "early", &[("web-0", "", true), ("web-1", "", true)]).await?;
    // A terminating pod loses its record at once, or keeps it to its end.
    ns.delete_pod("web-0").await?;
    endpoints_are(&ns, "web", &[("web-0", "web-0", false), ("web-1", "web-1", false)]).await?;
    endpoints_are(&ns, "early", &[("web-0", "", true), ("web-1", "", true)]).await?;
    Ok(())
}

#[tokio::test]
async fn s_11_6_two_sets_share_a_service() -> Outcome {
    let ns = world::namespace("shared-service").await?;
    service(&ns, "peers", headless(json!({"tier": "data"}))).await?;
    for name in ["left", "right"] {
        let mut object = set(name, 1, json!({"serviceName": "peers"}));
        object["spec"]["template"]["metadata"]["labels"]["tier"] = json!("data");
        ns.create_set(object).await?;
    }
    for name in ["left", "right"] {
        ns.settled(name).await?;
        ns.condition(name, "ServiceReady", "True", "Found").await?;
    }
    endpoints_are(&ns, "peers", &[("left-0", "left-0", true), ("right-0", "right-0", true)]).await?;

    // The Service itself may change, and costs no pod.
    let before = (ns.uids("left").await?, ns.uids("right").await?);
    let changed = Patch::Merge(json!({"spec": {"publishNotReadyAddresses": true, "ports": [{"port": 81}]}}));
    ns.api::<Service>().patch("peers", &PatchParams::default(), &changed).await?;
    ns.annotate_pod("left-0", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    ns.condition("left", "Available", "False", "TooFewReplicas").await?;
    endpoints_are(&ns, "peers", &[("left-0", "left-0", true), ("right-0", "right-0", true)]).await?;
    assert_eq!((ns.uids("left").await?, ns.uids("right").await?), before);
    Ok(())
}

#[tokio::test]
async fn s_11_6_the_service_name_never_changes() -> Outcome {
    let named = |name: Value| json!({"spec": {"serviceName": name}});
    immutable(named(json!("web")), named(json!("other")), "spec.serviceName").await?;
    immutable(named(json!("web")), named(Value::Null), "spec.serviceName").await
}

#[tokio::test]
async fn s_11_7_a_service_selects_one_pod_and_pods_read_their_ordinal() -> Outcome {
    let ns = world::namespace("one-pod").await?;
    let mut object = set("web", 3, json!({"serviceName": "web", "ordinals": {"start": 5}}));
    let index = json!({"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}});
    object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "ORDINAL", "valueFrom": index}]);
    ns.create_set(object).await?;
    let selector = json!({"statefulset.kubernetes.io/pod-name": "web-6"});
    service(&ns, "second", json!({"selector": selector, "ports": [{"port": 80}]})).await?;
    ns.settled("web").await?;
    endpoints_are(&ns, "second", &[("web-6", "", true)]).await?;
    for (name, pod) in ns.members("web").await? {
        assert_eq!(Some(pod.labels()["apps.kubernetes.io/pod-index"].as_str()), name.strip_prefix("web-"), "absolute");
        let env = pod.spec.and_then(|s| s.containers.into_iter().next()).and_then(|c| c.env).unwrap_or_default();
        let path = env[0].value_from.as_ref().and_then(|v| v.field_ref.as_ref()).map(|f| f.field_path.as_str());
        assert_eq!(path, Some("metadata.labels['apps.kubernetes.io/pod-index']"));
    }
    Ok(())
}
