//! Two operators work at once, as they do when a lease fails to keep one away (S-8.12: there is no fencing).

use std::time::Duration;

use ordinal_tests::{ControlPlane, Options, Outcome, Witness};
use serde_json::{Value, json};

use super::{claim_uids, lived, operator};
use crate::sets::{Sets, claims, image, set};

#[tokio::test]
async fn n_13_two_operators_at_once_make_and_roll_an_ordered_set() -> Outcome {
    two_operators(json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}})).await
}

#[tokio::test]
async fn n_13_two_operators_at_once_make_and_roll_a_parallel_set() -> Outcome {
    two_operators(json!({"podManagementPolicy": "Parallel"})).await
}

async fn two_operators(spec: Value) -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let operators = [operator(&control_plane).await?, operator(&control_plane).await?];
    let ns = control_plane.namespace("rivals").await?;
    let witness = Witness::of(&ns);
    let mut object = set("db", 8, spec);
    object["spec"]["volumeClaimTemplates"] = claims();
    ns.create_set(object).await?;
    ns.settled("db").await?;
    lived(&ns, &witness, 8, 1).await?;
    let first_claims = claim_uids(&ns).await?;

    ns.patch_set("db", image("nginx:2")).await?;
    ns.settled("db").await?;
    lived(&ns, &witness, 8, 2).await?;
    assert!(ns.images("db").await?.values().all(|image| image == "nginx:2"));

    ns.scale("db", 3).await?;
    ns.settled("db").await?;
    ns.members_are("db", &["db-0", "db-1", "db-2"]).await?;
    lived(&ns, &witness, 8, 2).await?;
    assert_eq!(claim_uids(&ns).await?, first_claims, "claims are kept");

    // A rival's write may cost a pass; once there is nothing to do, nothing fails any more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let logs = || operators.each_ref().map(ordinal_tests::Operator::log);
    let before = logs();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(logs(), before, "they do not come to rest");
    assert!(before.iter().all(|log| !log.contains("panicked")), "{before:?}");
    Ok(())
}
