//! The API server is away for a while.

use std::time::Duration;

use ordinal_tests::{ControlPlane, Doorway, Identity, Operator, Options, Outcome, Signal, Witness};
use serde_json::json;

use super::{lived, operator};
use crate::sets::{SOON, Sets, image, set};

fn slowly() -> Options {
    Options { ready_after: Duration::from_millis(500), ..Options::default() }
}

#[tokio::test]
async fn n_13_the_api_server_is_killed_amid_a_creation_and_comes_back() -> Outcome {
    let control_plane = ControlPlane::start(slowly()).await?;
    let operator = operator(&control_plane).await?;
    let ns = control_plane.namespace("restart").await?;
    let witness = Witness::of(&ns);
    ns.create_set(set("web", 5, json!({}))).await?;
    ns.pod_ready("web-1", SOON).await?;
    control_plane.kill_apiserver().await?;
    operator.says(SOON, &["watch failed, trying again"]).await?;
    control_plane.revive_apiserver().await?;
    ns.settled("web").await?;
    lived(&ns, &witness, 5, 1).await?;
    assert!(operator.exit_code()?.is_none() && !operator.log().contains("panicked"), "{}", operator.log());
    Ok(())
}

#[tokio::test]
async fn n_13_the_api_server_freezes_amid_a_creation_for_ten_seconds() -> Outcome {
    let control_plane = ControlPlane::start(slowly()).await?;
    let operator = operator(&control_plane).await?;
    let ns = control_plane.namespace("freeze").await?;
    let witness = Witness::of(&ns);
    ns.create_set(set("web", 5, json!({}))).await?;
    ns.pod_ready("web-1", SOON).await?;
    control_plane.signal_apiserver(Signal::Stop);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (alive, _) = operator.get("/healthz").await?;
    assert_eq!(alive, 200, "a frozen API server is no reason to restart the operator");
    control_plane.signal_apiserver(Signal::Cont);
    ns.settled("web").await?;
    lived(&ns, &witness, 5, 1).await?;
    Ok(())
}

/// The played nodes do not bear it amid their work, so it happens between two pieces of it.
#[tokio::test]
async fn n_13_etcd_is_killed_and_no_pod_pays_for_it() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let operator = operator(&control_plane).await?;
    let ns = control_plane.namespace("etcd").await?;
    let witness = Witness::of(&ns);
    ns.create_set(set("web", 3, json!({}))).await?;
    ns.settled("web").await?;
    control_plane.kill_etcd().await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    control_plane.revive_etcd().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    lived(&ns, &witness, 3, 1).await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    lived(&ns, &witness, 3, 2).await?;
    assert!(operator.exit_code()?.is_none() && !operator.log().contains("panicked"), "{}", operator.log());
    Ok(())
}

/// What happened behind a broken connection is caught up with.
#[tokio::test]
async fn n_13_the_operator_alone_is_cut_off_amid_a_roll_out() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let mut doorway = Doorway::closed(&control_plane)?;
    doorway.open().await?;
    let kubeconfig = doorway.kubeconfig(&control_plane, Identity::Operator)?;
    let args = ["--leader-elect=false".to_owned()];
    let operator = Operator::launch(&kubeconfig, &args, control_plane.log("operator-cut-off")).await?;
    operator.ready(SOON).await?;
    let ns = control_plane.namespace("cut-off").await?;
    ns.create_set(set("web", 3, json!({}))).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    doorway.close();
    ns.delete_pod("web-1").await?;
    ns.scale("web", 4).await?;
    operator.says(SOON, &["watch failed, trying again"]).await?;
    doorway.open().await?;
    ns.settled("web").await?;
    assert!(ns.images("web").await?.values().all(|image| image == "nginx:2"));
    Ok(())
}
