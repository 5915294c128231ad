//! An operator that lacks something says what, waits, and works once it is there.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::{Api, api::PostParams};
use ordinal_tests::{
    ControlPlane, Doorway, Identity, Look, Operator, OperatorOptions, Options, Outcome, binaries::repository,
    eventually, install,
};
use serde_json::{Value, json};

use super::without_sets;
use crate::sets::{SOON, Sets, set};

/// Pauses between tries grow to 30 s and are stretched by chance, so what was missing may be noticed late.
const NOTICED: Duration = Duration::from_secs(90);

async fn unready(operator: &Operator, missing: &[&str]) -> Result<()> {
    eventually(SOON, &format!("/healthz says 200, and /readyz 503 for want of {missing:?}"), async || {
        let (alive, _) = operator.get("/healthz").await?;
        let (ready, why) = operator.get("/readyz").await?;
        let named = why.split_once(" of ").map(|(_, kinds)| kinds.trim().split(", ").collect::<Vec<_>>());
        let done = (alive, ready) == (200, 503) && named.as_deref() == Some(missing);
        Ok(Look::when(done, || format!("{alive}, {ready} {why}")))
    })
    .await
}

fn not_waiting() -> OperatorOptions {
    OperatorOptions { wait_ready: false, ..OperatorOptions::default() }
}

#[tokio::test]
async fn without_an_api_server_it_waits_for_one() -> Outcome {
    let control_plane = without_sets().await?;
    let mut doorway = Doorway::closed(control_plane)?;
    let kubeconfig = doorway.kubeconfig(control_plane, Identity::Operator)?;
    let args = ["--lease-namespace=ordinal-system".to_owned(), "--lease-name=late".to_owned()];
    let operator = Operator::launch(&kubeconfig, &args, control_plane.log("operator-early")).await?;
    unready(&operator, &["OrdinalSet", "Pod", "PersistentVolumeClaim", "ControllerRevision", "Service"]).await?;
    operator.says(SOON, &["Pod", "watch failed, trying again", "Connection refused"]).await?;
    operator.says(SOON, &["lease", "Connection refused"]).await?;
    doorway.open().await?;
    operator.ready(NOTICED).await?;
    operator.says(NOTICED, &["leading"]).await?;
    Ok(())
}

#[tokio::test]
async fn without_the_kind_it_says_what_to_install() -> Outcome {
    let control_plane = ControlPlane::start(Options { install: false, ..Options::default() }).await?;
    install::operator_permissions(&control_plane.kubectl()).await?;
    let operator = Operator::start(&control_plane, not_waiting()).await?;
    operator.says(SOON, &["not installed", "kubectl apply -f crds/ordinalsets.yaml"]).await?;
    unready(&operator, &["OrdinalSet"]).await?;
    install::crds(&control_plane.kubectl()).await?;
    operator.ready(NOTICED).await?;
    let ns = control_plane.namespace("installed").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    Ok(())
}

#[tokio::test]
async fn with_the_kind_of_another_version_it_says_which_is_older() -> Outcome {
    let control_plane = ControlPlane::start(Options { nodes: 1, ..Options::default() }).await?;
    let crd = std::fs::read_to_string(repository().join("crds/ordinalsets.yaml"))?;
    let own = format!("Schema of Ordinal {}", env!("CARGO_PKG_VERSION"));
    // The description is folded anywhere.
    let mut words: Value = serde_saphyr::from_str(&crd)?;
    let description = &mut words["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"];
    let text = description.as_str().context("no description")?;
    assert!(text.contains(&own), "{text}");
    *description = text.replace(&own, "Schema of Ordinal 9.0.0").into();
    control_plane.kubectl().apply(&words.to_string()).await?;
    let operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
    operator.says(SOON, &["WARN", "newer, of Ordinal 9.0.0", "upgrade the operator"]).await?;
    Ok(())
}

#[tokio::test]
async fn without_a_permission_it_has_the_servers_words() -> Outcome {
    let control_plane = ControlPlane::start(Options { nodes: 1, ..Options::default() }).await?;
    let roles: Api<ClusterRole> = Api::all(control_plane.client(Identity::Tests).await?);
    let mut role = roles.get("ordinal").await?;
    let rules = role.rules.as_mut().context("the role has rules")?;
    let pods = |resources: &Option<Vec<String>>| resources.iter().flatten().any(|resource| resource == "pods");
    rules.iter_mut().filter(|rule| pods(&rule.resources)).for_each(|rule| rule.verbs.retain(|verb| verb != "list"));
    roles.replace("ordinal", &PostParams::default(), &role).await?;

    let operator = Operator::start(&control_plane, not_waiting()).await?;
    operator.says(SOON, &["ERROR", "kind=Pod", "no permission", r#"cannot list resource "pods""#]).await?;
    unready(&operator, &["Pod"]).await?;
    install::operator_permissions(&control_plane.kubectl()).await?;
    operator.ready(NOTICED).await?;
    Ok(())
}

#[tokio::test]
async fn without_a_permission_for_the_lease_it_says_so() -> Outcome {
    let control_plane = without_sets().await?;
    let args = vec!["--lease-namespace=default".to_owned()];
    let kubeconfig = control_plane.kubeconfig(Identity::Operator);
    let operator = Operator::launch(&kubeconfig, &args, control_plane.log("operator-no-lease")).await?;
    operator.says(SOON, &["lease", r#"cannot get resource "leases""#, r#"namespace "default""#]).await?;
    assert!(operator.exit_code()?.is_none(), "{}", operator.log());
    Ok(())
}
