//! The governing headless Service (O-9). Pods are never held back by it (S-11.1).

use crate::{
    action::{Action, Stage, StageKind},
    snapshot::{Service, Set, Snapshot},
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use ordinal_api::lite::ServicePort;
use serde_json::{Value, json};

/// A manifest's own Service may come after its set.
const GRACE: SignedDuration = SignedDuration::from_secs(15);

/// Somebody else may want our own Service otherwise: then the two shall not chase each other.
const MEND_AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// How the governing Service stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// What the condition ServiceReady says, if the set names a Service: status, reason, message.
    pub ready: Option<(bool, &'static str, String)>,
    pub stage: Option<Stage>,
    /// For the next pass.
    pub mended: Option<Timestamp>,
    /// For the next pass.
    pub missing_since: Option<Timestamp>,
    /// When the grace is over.
    pub look_again: Option<Timestamp>,
}

pub(crate) fn judge(s: &Snapshot) -> Verdict {
    let set = &*s.set;
    let mut verdict =
        Verdict { ready: None, stage: None, mended: s.memory.service_mended, missing_since: None, look_again: None };
    let name = &set.spec.service_name;
    if name.is_empty() {
        return verdict;
    }
    let Some(service) = &s.service else {
        missing(s, &mut verdict);
        return verdict;
    };
    let own = service.controller.as_ref() == Some(&set.uid);
    if own && !set.deleting && !is_as_desired(set, service) {
        let due = s.memory.service_mended.and_then(|at| at.checked_add(MEND_AGAIN).ok()).filter(|due| *due > s.now);
        if due.is_none() {
            verdict.mended = Some(s.now);
            let update = Action::UpdateService { name: name.clone(), patch: patch(set, service) };
            verdict.stage = Stage::one_by_one(StageKind::Service, [update]);
        }
        verdict.look_again = due;
    }
    verdict.ready = Some(if service.spec.cluster_ip != "None" {
        (false, "NotHeadless", format!("Service {name} has a cluster IP, so pods have no DNS names of their own"))
    } else if !selects(service, set) {
        (false, "SelectorMismatch", format!("the selector of Service {name} does not match the labels of the template"))
    } else {
        (true, "Found", format!("Service {name} is headless and selects the pods"))
    });
    verdict
}

fn missing(s: &Snapshot, verdict: &mut Verdict) {
    let set = &*s.set;
    let name = &set.spec.service_name;
    let since = s.memory.service_missing_since.unwrap_or(s.now);
    verdict.missing_since = Some(since);
    let missing = |more: &str| format!("Service {name} does not exist{more}");
    if set.deleting || set.spec.selector.match_labels.as_ref().is_none_or(|l| l.is_empty()) {
        verdict.ready = Some((false, "Missing", missing("")));
        return;
    }
    let due = since.checked_add(GRACE).unwrap_or(since);
    if due > s.now {
        verdict.look_again = Some(due);
    } else {
        verdict.stage = Stage::one_by_one(StageKind::Service, [Action::CreateService { name: name.clone() }]);
    }
    verdict.ready = Some(match &s.memory.service_error {
        Some(error) => (false, "CreateFailed", missing(&format!(" and cannot be created: {error}"))),
        None => {
            (false, "Missing", missing(&format!("; it is created when it has been missing for {} s", GRACE.as_secs())))
        }
    });
}

/// Whether every label that the Service asks for is one of the template's. Without a selector its endpoints are somebody
/// else's to fill, and pods get no names by it.
fn selects(service: &Service, set: &Set) -> bool {
    let labels = &set.template["metadata"]["labels"];
    !service.spec.selector.is_empty() && service.spec.selector.iter().all(|(k, v)| labels[k] == *v.as_str())
}

fn is_as_desired(set: &Set, service: &Service) -> bool {
    set.spec.selector.match_labels.as_ref() == Some(&service.spec.selector)
        && service.spec.ports == ports(&set.template)
        && !service.spec.publish_not_ready_addresses
}

/// The template's named container ports; a name or number that comes again is left out.
fn ports(template: &Value) -> Vec<ServicePort> {
    let mut ports: Vec<ServicePort> = Vec::new();
    let containers = template["spec"]["containers"].as_array().into_iter().flatten();
    for port in containers.filter_map(|c| c["ports"].as_array()).flatten() {
        let (Some(name), Some(number)) = (port["name"].as_str(), port["containerPort"].as_i64()) else { continue };
        if name.is_empty() || ports.iter().any(|p| p.name == name || p.port == number) {
            continue;
        }
        let protocol = port["protocol"].as_str().unwrap_or("TCP").into();
        ports.push(ServicePort { name: name.into(), port: number, protocol });
    }
    ports
}

/// The Service to be created.
pub fn desired(set: &Set) -> Value {
    let mut spec = spec(set);
    spec["clusterIP"] = "None".into();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": set.spec.service_name,
            "namespace": set.namespace,
            "labels": set.spec.selector.match_labels,
            "ownerReferences": [set.controller_ref()],
        },
        "spec": spec,
    })
}

/// The merge patch that brings our own Service up to date. `clusterIP` cannot change, so it is left alone.
fn patch(set: &Set, service: &Service) -> Value {
    let mut spec = spec(set);
    for foreign in
        service.spec.selector.keys().filter(|k| spec["selector"][k.as_str()].is_null()).cloned().collect::<Vec<_>>()
    {
        spec["selector"][foreign] = Value::Null;
    }
    json!({"metadata": {"uid": service.uid}, "spec": spec})
}

fn spec(set: &Set) -> Value {
    let port = |p: &ServicePort| json!({"name": p.name, "port": p.port, "targetPort": p.port, "protocol": p.protocol});
    json!({
        "selector": set.spec.selector.match_labels,
        "ports": ports(&set.template).iter().map(port).collect::<Vec<_>>(),
        "publishNotReadyAddresses": false,
    })
}
