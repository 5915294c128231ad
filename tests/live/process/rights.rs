//! The operator has the rights that it uses, and no others: without any one of them it says which it misses.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::{join_all, try_join_all};
use k8s_openapi::api::{core::v1::Service, rbac::v1::PolicyRule};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use ordinal_tests::{ControlPlane, Look, Namespace, Operator, OperatorOptions, Options, Outcome, eventually};
use serde_json::{Value, json};

use super::{grant, take_rights};
use crate::sets::{claims, image, set};

/// A missing Service is made after 15 s, and pauses after failures grow to 30 s.
const TOLD: Duration = Duration::from_secs(120);

/// A right, and where it is taken away.
struct Missing {
    group: String,
    resource: String,
    verb: String,
    ns: Namespace,
}

/// Each verb of each rule.
fn rights(rules: &[PolicyRule]) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for rule in rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                all.extend(rule.verbs.iter().map(|verb| (group.clone(), resource.clone(), verb.clone())));
            }
        }
    }
    all
}

impl Missing {
    /// The rules without this right.
    fn left(&self, rules: &[PolicyRule]) -> Value {
        let here = rights(rules)
            .into_iter()
            .filter(|right| (&right.0, &right.1, &right.2) != (&self.group, &self.resource, &self.verb));
        here.map(|(group, resource, verb)| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}))
            .collect()
    }

    /// What the server says when it is asked for.
    fn words(&self) -> String {
        match (self.resource.as_str(), self.verb.as_str()) {
            // Where the admission plug-in asks in the name of whoever sets an owner reference.
            ("ordinalsets/finalizers" | "pods/finalizers", _) => "cannot set blockOwnerDeletion".to_owned(),
            ("pods" | "persistentvolumeclaims", "delete") => {
                "cannot set an ownerRef on a resource you can't delete".to_owned()
            }
            (resource, verb) => format!("cannot {verb} resource \"{resource}\" in API group \"{}\"", self.group),
        }
    }

    /// Lets a set do all that a set can ask for. What fails is the point.
    async fn exercise(&self) {
        let ns = &self.ns;
        let orphan = json!({
            "metadata": {"name": "web-0", "labels": {"app": "web"}},
            "spec": {
                "containers": [{"name": "main", "image": "nginx:1"}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}],
            },
        });
        let _ = ns.create_object::<k8s_openapi::api::core::v1::Pod>(orphan).await;
        let more = json!({
            "serviceName": "web", "revisionHistoryLimit": 1, "podManagementPolicy": "Parallel",
            "volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
        });
        let _ = ns.create_set(set("web", 2, more)).await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        // The last one goes back to a revision that is kept.
        for new in ["nginx:2", "nginx:3", "nginx:2"] {
            let _ = ns.patch_set("web", image(new)).await;
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        // Only then it is a claim that is to go.
        let _ = ns.scale("web", 1).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let services: Api<Service> = ns.api();
        let drift = json!({"spec": {"selector": {"app": "somebody"}}});
        let _ = services.patch("web", &PatchParams::default(), &Patch::Merge(drift)).await;
    }
}

#[tokio::test]
async fn without_any_one_of_its_rights_the_operator_says_which() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let kubectl = control_plane.kubectl();
    let rules = take_rights(&kubectl).await?;
    let all = try_join_all(rights(&rules).into_iter().map(async |(group, resource, verb)| -> Result<Missing> {
        Ok(Missing { group, resource, verb, ns: control_plane.namespace("without").await? })
    }))
    .await?;
    grant(&kubectl, all.iter().map(|missing| (missing.ns.name(), missing.left(&rules)))).await?;

    let namespaces: Vec<_> = all.iter().map(|missing| missing.ns.name()).collect();
    let args = vec![format!("--namespaces={}", namespaces.join(","))];
    let operator =
        Operator::start(&control_plane, OperatorOptions { args, wait_ready: false, ..OperatorOptions::default() })
            .await?;
    join_all(all.iter().map(Missing::exercise)).await;

    eventually(TOLD, "each missing right is named", async || {
        let log = operator.log();
        let untold: Vec<_> = all
            .iter()
            .filter(|missing| {
                let (words, place) = (missing.words(), missing.ns.name());
                !log.lines().any(|line| line.replace("\\\"", "\"").contains(&words) && line.contains(place))
            })
            .map(|missing| format!("{} {} in {}", missing.verb, missing.resource, missing.ns.name()))
            .collect();
        Ok(Look::when(untold.is_empty(), || format!("{untold:#?}")))
    })
    .await
    .context("a right that nobody misses is not to be granted")?;
    Ok(())
}
