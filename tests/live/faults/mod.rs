//! Whatever breaks amid the work: the set ends as it should, and no pod or claim pays for it (N-13).

mod disturbed;
mod forged;
mod killed;
mod proxy;
mod rivals;
mod server;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use kube::ResourceExt;
use ordinal_tests::{ControlPlane, Look, Namespace, Operator, OperatorOptions, Witness};

use crate::sets::SOON;

/// Operators of these tests wait for no lease: the next one must go on at once.
fn at_once() -> OperatorOptions {
    OperatorOptions { args: vec!["--leader-elect=false".to_owned()], ..OperatorOptions::default() }
}

/// One that takes seconds over a creation of twenty pods, so that a test can be sure to come amid it.
fn slow() -> OperatorOptions {
    let mut options = at_once();
    options.args.extend(["--qps=10", "--burst=12"].map(str::to_owned));
    options
}

async fn operator(control_plane: &ControlPlane) -> Result<Operator> {
    Operator::start(control_plane, at_once()).await
}

/// The claims' UIDs by name.
async fn claim_uids(ns: &Namespace) -> Result<BTreeMap<String, String>> {
    let claims = ns.claims().list(&Default::default()).await?.items;
    Ok(claims.into_iter().map(|claim| (claim.name_any(), claim.uid().unwrap_or_default())).collect())
}

/// Each of `replicas` pods has lived exactly so often.
async fn lived(ns: &Namespace, witness: &Witness, replicas: usize, times: usize) -> Result<()> {
    ns.eventually(SOON, "the witness has seen all pods", async || {
        let lives = witness.lives();
        let seen = lives.len() == replicas && lives.values().all(|n| *n >= times);
        Ok(Look::when(seen, || format!("{lives:?}")))
    })
    .await?;
    // One pod too many would be on its way.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let lives = witness.lives();
    assert!(lives.values().all(|n| *n == times), "each pod should have lived {times} times: {lives:?}");
    Ok(())
}
