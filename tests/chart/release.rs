//! A release in a cluster: installed, upgraded, rolled back, uninstalled, while sets live on.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::ResourceExt;
use ordinal_tests::{
    ControlPlane, Identity, Look, Namespace, Operator, OperatorOptions, Options, Outcome, eventually,
    helm::{CHART, Helm},
    kubectl::Kubectl,
    manifests::{claims, set},
};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

const NAMESPACE: &str = "--namespace=ordinal-system";

/// A cluster whose namespace `ordinal-system` lets no pod in that Pod Security "restricted" refuses.
async fn cluster() -> Result<ControlPlane> {
    let control_plane = ControlPlane::start(Options { install: false, ..Options::default() }).await?;
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ordinal-system", "labels": labels}});
    control_plane.kubectl().apply(&namespace.to_string()).await?;
    Ok(control_plane)
}

async fn helm(control_plane: &ControlPlane) -> Result<Helm> {
    Helm::of(&control_plane.kubeconfig(Identity::Admin)).await
}

/// The operator as a process, with the flags of the release's Deployment and the rights of its ServiceAccount.
async fn operator(control_plane: &ControlPlane) -> Result<Operator> {
    let text = control_plane.kubectl().ok(["get", "deployment", "ordinal", NAMESPACE, "-o", "json"]).await?;
    let deployment: Value = serde_json::from_str(&text)?;
    let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().context("no args")?;
    let args =
        args.iter().filter_map(Value::as_str).filter(|arg| *arg != "run" && !arg.starts_with("--health-bind-address"));
    let options = OperatorOptions { args: args.map(str::to_owned).collect(), ..OperatorOptions::default() };
    Operator::start(control_plane, options).await
}

async fn rolled_out(kubectl: &Kubectl) -> Result<()> {
    kubectl.ok(["rollout", "status", "deployment/ordinal", NAMESPACE, "--timeout=60s"]).await.map(drop)
}

fn web() -> Value {
    let retention = json!({"whenScaled": "Delete"});
    let more = json!({
        "serviceName": "web", "persistentVolumeClaimRetentionPolicy": retention, "volumeClaimTemplates": claims(),
    });
    set("web", 2, more)
}

/// The names of a namespace's ready pods, with their UIDs.
async fn ready(ns: &Namespace, count: usize) -> Result<BTreeMap<String, String>> {
    eventually(SOON, &format!("{count} pods are ready"), async || {
        let pods = ns.pods().list(&Default::default()).await?.items;
        let there = pods.iter().filter(|pod| ordinal_tests::namespace::is_ready(pod));
        let there: BTreeMap<_, _> = there.map(|pod| (pod.name_any(), pod.uid().unwrap_or_default())).collect();
        Ok(if there.len() == count { Look::Done(there) } else { Look::NotYet(format!("{there:?}")) })
    })
    .await
}

fn refused(control_plane: &ControlPlane) -> Result<Vec<String>> {
    let calls = control_plane.calls(Identity::Operator)?;
    Ok(calls.into_iter().filter(|call| call.is_forbidden()).map(|call| format!("{} {}", call.verb, call.uri)).collect())
}

#[tokio::test]
async fn sets_outlive_upgrades_a_roll_back_and_the_release_itself() -> Outcome {
    let control_plane = cluster().await?;
    let (helm, kubectl) = (helm(&control_plane).await?, control_plane.kubectl());
    let said = helm.run(&["install", "ordinal", CHART, NAMESPACE]).await?;
    assert!(said.contains("kubectl rollout status deployment/ordinal"), "{said}");
    // The restricted namespace lets its pods in, and the probes' port is what they say.
    rolled_out(&kubectl).await?;

    let running = operator(&control_plane).await?;
    let ns = control_plane.namespace("user").await?;
    ns.create_set(web()).await?;
    let before = ready(&ns, 2).await?;
    // Scaling with whenScaled: Delete, and the Service that it makes: with those, each right has been needed.
    ns.scale("web", 1).await?;
    ready(&ns, 1).await?;
    ns.scale("web", 2).await?;
    let pods = ready(&ns, 2).await?;
    assert_eq!(pods["web-0"], before["web-0"]);
    assert_eq!(refused(&control_plane)?, [""; 0]);

    helm.run(&["upgrade", "ordinal", CHART, NAMESPACE, "--set=logging.level=debug,workers=7"]).await?;
    rolled_out(&kubectl).await?;
    assert_eq!(running.stop(SOON).await?, 0);
    let running = operator(&control_plane).await?;
    helm.run(&["rollback", "ordinal", "1", NAMESPACE]).await?;
    rolled_out(&kubectl).await?;
    running.says(SOON, &["leading"]).await?;
    assert_eq!(running.stop(SOON).await?, 0);
    assert_eq!(refused(&control_plane)?, [""; 0]);

    helm.run(&["uninstall", "ordinal", NAMESPACE, "--wait"]).await?;
    assert_eq!(ready(&ns, 2).await?, pods, "the same pods, by UID");
    assert_eq!(ns.set("web").await?["spec"]["replicas"], 2);
    let left =
        kubectl.ok(["get", "deployment,serviceaccount,role,poddisruptionbudget", NAMESPACE, "-o", "name"]).await?;
    assert_eq!(left.trim(), "serviceaccount/default");

    // Again, over the kind that stayed; and this time the kind goes as well.
    helm.run(&["install", "ordinal", CHART, NAMESPACE, "--set=crds.keep=false"]).await?;
    let running = operator(&control_plane).await?;
    ns.scale("web", 3).await?;
    let again = ready(&ns, 3).await?;
    assert!(pods.iter().all(|pod| again.get(pod.0) == Some(pod.1)), "{pods:?}, now {again:?}");
    assert_eq!(running.stop(SOON).await?, 0);
    helm.run(&["uninstall", "ordinal", NAMESPACE]).await?;
    eventually(SOON, "the kind is gone", async || {
        let kinds = kubectl.ok(["get", "crd", "-o", "name"]).await?;
        Ok(Look::when(kinds.is_empty(), || kinds.clone()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn with_namespaces_the_releases_roles_are_enough_there_and_nothing_elsewhere() -> Outcome {
    let control_plane = cluster().await?;
    let helm = helm(&control_plane).await?;
    let (ours, other) = (control_plane.namespace("ours").await?, control_plane.namespace("other").await?);
    let namespaces = format!("--set=watchNamespaces={{{}}}", ours.name());
    helm.run(&["install", "ordinal", CHART, NAMESPACE, &namespaces]).await?;
    let _running = operator(&control_plane).await?;
    for ns in [&other, &ours] {
        ns.create_set(web()).await?;
    }
    ready(&ours, 2).await?;
    assert!(other.pods().list(&Default::default()).await?.items.is_empty());
    assert_eq!(refused(&control_plane)?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn who_may_edit_or_view_workloads_may_so_with_sets() -> Outcome {
    let control_plane = cluster().await?;
    helm(&control_plane).await?.run(&["install", "ordinal", CHART, NAMESPACE]).await?;
    let kubectl = control_plane.kubectl();
    for (role, verbs, refused) in
        [("view", &["get", "list"][..], "create"), ("edit", &["get", "create", "delete"], "escalate")]
    {
        let user = format!("--user={role}er");
        kubectl
            .ok(["create", "rolebinding", role, "--namespace=default", &format!("--clusterrole={role}"), &user])
            .await?;
        let may = async |verb: &str| -> Result<bool> {
            let user = format!("--as={role}er");
            let said = kubectl
                .run(["auth", "can-i", verb, "ordinalsets.apps.ordinal.dev", "--namespace=default", &user])
                .await?;
            Ok(said.stdout.trim() == "yes")
        };
        for verb in verbs {
            eventually(SOON, &format!("a {role}er may {verb}"), async || {
                Ok(Look::when(may(verb).await?, || "not yet".to_owned()))
            })
            .await?;
        }
        assert!(!may(refused).await?, "a {role}er may not {refused}");
    }
    Ok(())
}
