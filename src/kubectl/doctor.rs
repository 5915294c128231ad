//! `kubectl ordinal doctor`: whether everything is as it must be. Exit code 1 when something is wrong.

use std::process::ExitCode;

use anyhow::Result;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        coordination::v1::Lease,
        core::v1::ConfigMap,
        policy::v1::PodDisruptionBudget,
    },
    jiff::Timestamp,
};
use kube::{
    Api, ResourceExt,
    api::ListParams,
    core::{Selector, SelectorExt},
};
use ordinal_api::{MAX_NAME_LENGTH, OrdinalSet, SCHEMA_OF};
use ordinal_plan::adoption::CONDITION;

use crate::{
    cli,
    cluster::{Cluster, told},
    finding::{Finding, bad, good, print, unsure},
    release, rights,
};

/// The oldest that is tried.
const OLDEST: u32 = 34;

/// What the operator is called in its Deployment and Lease.
const OPERATOR: &str = "app.kubernetes.io/name=ordinal";

pub async fn run(args: &cli::Doctor, cluster: &Cluster) -> Result<ExitCode> {
    let mut findings = vec![version(cluster).await?, kind(cluster).await];
    if findings.iter().all(|finding| !finding.is_bad()) {
        findings.extend(operator(cluster).await);
        findings.extend(may(cluster).await?);
        findings.extend(sets(args, cluster).await?);
        findings.extend(releases(args, cluster).await);
    }
    let bad = print(&findings);
    if bad == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{bad} of {} findings need somebody", findings.len());
    Ok(ExitCode::FAILURE)
}

async fn version(cluster: &Cluster) -> Result<Finding> {
    let version = cluster.client.apiserver_version().await.map_err(|e| told(e, "cannot reach the API server"))?;
    let minor: u32 = version.minor.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    let text = format!("Kubernetes {}", version.git_version);
    Ok(if minor < OLDEST { bad(format!("{text} is older than 1.{OLDEST}")) } else { good(text) })
}

async fn kind(cluster: &Cluster) -> Finding {
    let path = "/openapi/v3/apis/apps.ordinal.dev/v1";
    let Ok(request) = http::Request::get(path).body(Vec::new()) else { return unsure("the kind cannot be asked for") };
    match cluster.client.request_text(request).await {
        Ok(schema) => {
            let version =
                schema.split_once(SCHEMA_OF).map(|(_, rest)| rest.split(['"', ' ', '\\']).next().unwrap_or(""));
            let (version, own) =
                (version.unwrap_or("an older version").trim_end_matches('.'), env!("CARGO_PKG_VERSION"));
            let text = format!("the kind OrdinalSet is installed, of Ordinal {version}");
            if version == own { good(text) } else { unsure(format!("{text}; this plugin is of {own}")) }
        }
        Err(kube::Error::Api(status)) if status.code == 404 => {
            bad("the kind OrdinalSet is not installed: helm install ordinal …, or kubectl apply -f crds/")
        }
        Err(error) => unsure(format!("the kind's schema cannot be read: {error}")),
    }
}

async fn operator(cluster: &Cluster) -> Vec<Finding> {
    let labelled = ListParams::default().labels(OPERATOR);
    let deployments = Api::<Deployment>::all(cluster.client.clone()).list(&labelled).await;
    let Ok(deployments) = deployments else {
        return vec![unsure("the operator's Deployment cannot be looked at: no right to list Deployments")];
    };
    let mut findings = Vec::new();
    for deployment in &deployments {
        let status = deployment.status.clone().unwrap_or_default();
        let (wanted, ready) = (deployment.spec.replicas.unwrap_or(1), status.ready_replicas.unwrap_or(0));
        let namespace = deployment.namespace().unwrap_or_default();
        let text = format!("Deployment {namespace}/{}: {ready} of {wanted} ready", deployment.name_any());
        findings.push(if ready > 0 {
            good(text)
        } else {
            bad(format!("{text}: kubectl -n {namespace} describe deployment"))
        });
        findings.extend(lease(cluster, &namespace).await);
    }
    if findings.is_empty() {
        findings.push(unsure("no Deployment of the operator is found: it may run elsewhere, or not at all"));
    }
    findings
}

async fn lease(cluster: &Cluster, namespace: &str) -> Option<Finding> {
    let leases = Api::<Lease>::namespaced(cluster.client.clone(), namespace);
    let lease = leases.get_opt("ordinal").await.ok()??;
    let spec = lease.spec?;
    let (holder, renewed) = (spec.holder_identity.unwrap_or_default(), spec.renew_time?);
    let old = Timestamp::now().duration_since(renewed.0).as_secs();
    let lasts = i64::from(spec.lease_duration_seconds.unwrap_or(15));
    Some(if holder.is_empty() || old > lasts {
        bad(format!("nobody leads: the Lease {namespace}/ordinal was renewed {old} s ago"))
    } else {
        good(format!("{holder} leads"))
    })
}

/// What this user may do: enough to read is all that this plugin must have.
async fn may(cluster: &Cluster) -> Result<Vec<Finding>> {
    let asked = [
        ("list", "", "pods"),
        ("list", "", "persistentvolumeclaims"),
        ("list", "apps", "controllerrevisions"),
        ("list", "apps.ordinal.dev", "ordinalsets"),
        ("patch", "apps.ordinal.dev", "ordinalsets"),
    ];
    let missing = rights::missing(cluster, &asked).await?;
    Ok(vec![if missing.is_empty() {
        good(format!("you may do what this plugin does in namespace {}", cluster.namespace))
    } else {
        bad(format!("in namespace {} you may not {}", cluster.namespace, missing.join(", nor ")))
    }])
}

async fn sets(args: &cli::Doctor, cluster: &Cluster) -> Result<Vec<Finding>> {
    let api: Api<OrdinalSet> = if args.all_namespaces { Api::all(cluster.client.clone()) } else { cluster.api() };
    let sets = api.list(&ListParams::default()).await.map_err(|e| told(e, "cannot list OrdinalSets"))?.items;
    let mut findings = vec![good(format!("{} OrdinalSets", sets.len()))];
    for set in &sets {
        let here = Cluster { client: cluster.client.clone(), namespace: set.namespace().unwrap_or_default() };
        findings.extend(one(set, &here).await?);
    }
    Ok(findings)
}

/// Releases that have not come to their end.
async fn releases(args: &cli::Doctor, cluster: &Cluster) -> Vec<Finding> {
    let api: Api<ConfigMap> = if args.all_namespaces { Api::all(cluster.client.clone()) } else { cluster.api() };
    let labelled = ListParams::default().labels(release::LABEL);
    let Ok(left) = api.list_metadata(&labelled).await else {
        return vec![unsure("ConfigMaps of releases that were interrupted are not looked for: you may not list them")];
    };
    let told = left.iter().map(|map| {
        let (namespace, name) = (map.namespace().unwrap_or_default(), map.name_any());
        let set = release::set_of(&name);
        bad(format!(
            "{namespace}/{name}: a release was interrupted: kubectl ordinal -n {namespace} release {set} goes on"
        ))
    });
    told.collect()
}

/// How the taking over of a StatefulSet goes, where it has not come to its end. What stops it is told as what stalls the set.
fn adoption(about: &str, set: &OrdinalSet) -> Option<Finding> {
    let conditions = &set.status.as_ref()?.conditions;
    let condition = conditions.iter().find(|c| c.type_ == CONDITION && c.status == "False")?;
    let [reason, message] = [&condition.reason, &condition.message].map(|text| text.as_deref().unwrap_or_default());
    Some(unsure(format!("{about}: it has not taken over its StatefulSet: {reason}: {message}")))
}

/// Both kinds of one name.
fn namesake(about: &str, set: &OrdinalSet) -> Finding {
    let name = set.name_any();
    if set.spec.adopt_from.is_some() {
        return unsure(format!(
            "{about}: it is taking over the StatefulSet of its name: kubectl ordinal adopt {name} shows it"
        ));
    }
    bad(format!(
        "{about}: a StatefulSet of the same name exists, and the OrdinalSet does nothing: take it over with kubectl \
         ordinal adopt {name}, or delete one of the two with --cascade=orphan"
    ))
}

/// What is wrong around one set; nothing is said of what is right.
async fn one(set: &OrdinalSet, cluster: &Cluster) -> Result<Vec<Finding>> {
    let name = set.name_any();
    let about = format!("{}/{name}", cluster.namespace);
    let mut findings = Vec::new();
    let conditions = set.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    findings.extend(adoption(&about, set));
    for condition in conditions {
        let wrong = matches!(
            (condition.type_.as_str(), condition.status.as_str()),
            ("ServiceReady", "False") | ("Stalled", "True")
        );
        if wrong {
            let message = condition.message.as_deref().unwrap_or_default();
            findings.push(bad(format!("{about}: {}: {message}", condition.type_)));
        }
    }
    let observed = set.status.as_ref().map_or(0, |s| s.observed_generation);
    if observed < set.metadata.generation.unwrap_or(0) {
        findings.push(bad(format!(
            "{about}: its last change is not observed: does the operator run, and watch this namespace?"
        )));
    }
    if name.len() > MAX_NAME_LENGTH {
        findings.push(unsure(format!("{about}: its name is longer than {MAX_NAME_LENGTH} characters")));
    }
    let all = ListParams::default();
    if cluster.api::<StatefulSet>().get_opt(&name).await.ok().flatten().is_some() {
        findings.push(namesake(&about, set));
    }
    // What cannot be read here is not worth an error.
    let autoscalers = cluster.api::<HorizontalPodAutoscaler>().list(&all).await.map(|l| l.items).unwrap_or_default();
    for autoscaler in autoscalers {
        let target = &autoscaler.spec.scale_target_ref;
        if target.kind == "StatefulSet" && target.name == name {
            findings.push(bad(format!(
                "{about}: HorizontalPodAutoscaler {} still points to a StatefulSet: set its scaleTargetRef to apps.ordinal.dev/v1 OrdinalSet",
                autoscaler.name_any()
            )));
        }
    }
    let labels = set.spec.template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    let labels = labels.into_iter().filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))).collect();
    let budgets = cluster.api::<PodDisruptionBudget>().list(&all).await.map(|l| l.items).unwrap_or_default();
    let guards = |budget: &&PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
        selector.and_then(|s| Selector::try_from(s).ok()).is_some_and(|s: Selector| s.matches(&labels))
    };
    let guarding: Vec<String> = budgets.iter().filter(guards).map(ResourceExt::name_any).collect();
    match guarding.as_slice() {
        [] if set.spec.replicas > 1 => {
            findings.push(unsure(format!("{about}: no PodDisruptionBudget guards its pods")))
        }
        [_, _, ..] => findings.push(bad(format!(
            "{about}: several PodDisruptionBudgets match its pods, and no eviction is possible: {}",
            guarding.join(", ")
        ))),
        _ => {}
    }
    Ok(findings)
}
