//! The operator ends amid its work, and is started again.

use std::time::Duration;

use anyhow::Result;
use ordinal_tests::{ControlPlane, Look, Operator, OperatorOptions, Options, Outcome, Witness};
use serde_json::json;

use super::{at_once, claim_uids, lived, operator, slow};
use crate::sets::{SOON, Sets, claims, image, set};

#[tokio::test]
async fn n_13_killed_amid_a_parallel_creation() -> Outcome {
    ended_amid_a_parallel_creation(async |operator| {
        operator.kill();
        Ok(())
    })
    .await
}

#[tokio::test]
async fn n_13_stopped_amid_a_parallel_creation() -> Outcome {
    ended_amid_a_parallel_creation(async |operator| {
        assert_eq!(operator.stop(SOON).await?, 0);
        Ok(())
    })
    .await
}

/// The next operator makes what is missing, and nothing twice (N-5, N-6).
async fn ended_amid_a_parallel_creation(end: impl AsyncFnOnce(Operator) -> Result<()>) -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let ns = control_plane.namespace("ended").await?;
    let witness = Witness::of(&ns);
    let first = Operator::start(&control_plane, slow()).await?;
    let spec = json!({"podManagementPolicy": "Parallel", "volumeClaimTemplates": claims()});
    ns.create_set(set("db", 20, spec)).await?;
    ns.eventually(SOON, "some pods are there", async || {
        let pods = ns.members("db").await?.len();
        Ok(Look::when(pods > 2, || format!("{pods}")))
    })
    .await?;
    let claims = claim_uids(&ns).await?;
    assert!(claims.len() < 20, "all claims are there: this is not amid the creation");
    end(first).await?;

    let _second = operator(&control_plane).await?;
    ns.settled("db").await?;
    lived(&ns, &witness, 20, 1).await?;
    let after = claim_uids(&ns).await?;
    assert_eq!(after.len(), 20);
    assert!(claims.iter().all(|(name, uid)| after.get(name) == Some(uid)), "a claim was lost");
    Ok(())
}

// also: N-7
#[tokio::test]
async fn n_13_killed_amid_a_roll_out() -> Outcome {
    let ready_after = Duration::from_millis(500);
    let control_plane = ControlPlane::start(Options { ready_after, ..Options::default() }).await?;
    let ns = control_plane.namespace("killed").await?;
    let witness = Witness::of(&ns);
    let first = operator(&control_plane).await?;
    ns.create_set(set("db", 5, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    let claims = claim_uids(&ns).await?;
    ns.patch_set("db", image("nginx:2")).await?;
    ns.eventually(SOON, "db-3 is at the new image", async || {
        let images = ns.images("db").await?;
        Ok(Look::when(images.get("db-3").is_some_and(|i| i == "nginx:2"), || format!("{images:?}")))
    })
    .await?;
    first.kill();
    assert_eq!(ns.images("db").await?["db-0"], "nginx:1", "it was not killed in time");

    let _second = operator(&control_plane).await?;
    ns.settled("db").await?;
    assert!(ns.images("db").await?.values().all(|image| image == "nginx:2"));
    lived(&ns, &witness, 5, 2).await?;
    assert_eq!(claim_uids(&ns).await?, claims);
    Ok(())
}

// also: N-5
#[tokio::test]
async fn n_13_killed_again_and_again() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let ns = control_plane.namespace("killed").await?;
    let witness = Witness::of(&ns);
    let mut spec = set("db", 8, json!({"volumeClaimTemplates": claims()}));
    spec["spec"]["updateStrategy"] = json!({"rollingUpdate": {"maxUnavailable": 2}});
    ns.create_set(spec).await?;
    // Other moments of its life each time: from before its first list to amid its work.
    let lifetimes = [40, 80, 120, 160, 240, 320, 400, 500].map(Duration::from_millis);
    for lifetime in lifetimes {
        let options = OperatorOptions { wait_ready: false, ..at_once() };
        let operator = Operator::start(&control_plane, options).await?;
        tokio::time::sleep(lifetime).await;
        operator.kill();
    }
    let last = operator(&control_plane).await?;
    ns.settled("db").await?;
    lived(&ns, &witness, 8, 1).await?;
    last.kill();
    let claims = claim_uids(&ns).await?;

    ns.patch_set("db", image("nginx:2")).await?;
    for lifetime in lifetimes {
        let operator = operator(&control_plane).await?;
        tokio::time::sleep(lifetime).await;
        operator.kill();
    }
    let _last = operator(&control_plane).await?;
    ns.settled("db").await?;
    assert!(ns.images("db").await?.values().all(|image| image == "nginx:2"));
    lived(&ns, &witness, 8, 2).await?;
    assert_eq!(claim_uids(&ns).await?, claims);
    Ok(())
}
