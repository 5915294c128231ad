//! An operator is replaced by a later one: no pod is restarted for it, and what was under way goes on.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::Result;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{Api, ResourceExt};
use ordinal_tests::{
    ControlPlane, Look, Namespace, Operator, OperatorOptions, Options, Outcome, Witness,
    binaries::build,
    eventually, install,
    manifests::{claims, image, set},
    namespace::is_ready,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

/// The folder with the operator of an earlier commit, its CRD and its permissions; `ORDINAL_UPGRADE_FROM` names the commit.
async fn previous() -> Result<PathBuf> {
    let from = std::env::var("ORDINAL_UPGRADE_FROM").ok().filter(|from| !from.is_empty());
    build("tests/upgrade/previous.sh", &from.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// How many pods there are of each image, once all are ready.
async fn images(ns: &Namespace) -> Result<BTreeMap<String, usize>> {
    let mut images = BTreeMap::new();
    for pod in ns.pods().list(&Default::default()).await?.items.iter().filter(|pod| is_ready(pod)) {
        let image = pod.spec.as_ref().and_then(|spec| spec.containers[0].image.clone()).unwrap_or_default();
        *images.entry(image).or_default() += 1;
    }
    Ok(images)
}

async fn comes_to(ns: &Namespace, what: &str, so: impl Fn(&BTreeMap<String, usize>) -> bool) -> Result<()> {
    eventually(SOON, what, async || {
        let now = images(ns).await?;
        Ok(Look::when(so(&now), || format!("{now:?}")))
    })
    .await
}

async fn revisions(ns: &Namespace) -> Result<BTreeMap<String, Option<i64>>> {
    let api: Api<ControllerRevision> = ns.api();
    let all = api.list(&Default::default()).await?.items;
    Ok(all.into_iter().map(|revision| (revision.name_any(), revision.revision)).collect())
}

// also: N-5, N-13
#[tokio::test]
async fn an_upgrade_amid_a_roll_out_restarts_no_pod_and_makes_no_revision() -> Outcome {
    let previous = previous().await?;
    let ready_after = Duration::from_millis(700);
    let control_plane = ControlPlane::start(Options { install: false, ready_after, ..Options::default() }).await?;
    let kubectl = control_plane.kubectl();
    install::crds_from(&previous, &kubectl).await?;
    install::permissions_from(&previous.join("manifests"), &kubectl).await?;
    let args = ["--lease-namespace=ordinal-system".to_owned()];
    let old = Operator::launch_program(&previous.join("ordinal"), &control_plane, &args)?;
    old.ready(SOON).await?;

    let (rolling, calm) = (control_plane.namespace("rolling").await?, control_plane.namespace("calm").await?);
    let witnesses = [Witness::of(&rolling), Witness::of(&calm)];
    rolling.create_set(set("web", 4, json!({"volumeClaimTemplates": claims()}))).await?;
    calm.create_set(set("web", 3, json!({"volumeClaimTemplates": claims()}))).await?;
    calm.create_set(set("all", 3, json!({"podManagementPolicy": "Parallel", "minReadySeconds": 1}))).await?;
    comes_to(&rolling, "all pods are there", |now| now.get("nginx:1") == Some(&4)).await?;
    comes_to(&calm, "all pods are there", |now| now.get("nginx:1") == Some(&6)).await?;
    rolling.patch_set("web", image("nginx:2")).await?;
    comes_to(&rolling, "the roll-out is under way", |now| now.get("nginx:2") == Some(&1)).await?;
    let before = (revisions(&rolling).await?, revisions(&calm).await?);
    assert_eq!(old.stop(SOON).await?, 0);

    install::crds(&kubectl).await?;
    install::operator_permissions(&kubectl).await?;
    let new = Operator::start(&control_plane, OperatorOptions::default()).await?;
    comes_to(&rolling, "the roll-out has gone on to its end", |now| now.get("nginx:2") == Some(&4)).await?;
    // Whatever a new operator does to calm sets, it does at once.
    new.says(SOON, &["leading"]).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((revisions(&rolling).await?, revisions(&calm).await?), before);
    let lives =
        |names: &[&str], lives| names.iter().map(|name| ((*name).to_owned(), lives)).collect::<BTreeMap<_, _>>();
    assert_eq!(
        witnesses[0].lives(),
        lives(&["web-0", "web-1", "web-2", "web-3"], 2),
        "each was replaced by the roll-out once"
    );
    assert_eq!(
        witnesses[1].lives(),
        lives(&["all-0", "all-1", "all-2", "web-0", "web-1", "web-2"], 1),
        "none was restarted"
    );
    let calls = control_plane.calls(ordinal_tests::Identity::Operator)?;
    let forbidden = calls.iter().find(|call| call.is_forbidden());
    assert!(forbidden.is_none(), "{forbidden:?}");
    Ok(())
}
