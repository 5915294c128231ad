//! One of several operators works (S-8.12).

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use ordinal_tests::{
    ControlPlane, Identity, Look, Operator, OperatorOptions, Options, Outcome, Witness, eventually, process::Signal,
};
use serde_json::json;

use super::without_sets;
use crate::sets::{SOON, Sets, image, set};

/// Much shorter than a lease of the default duration, which who comes after an orderly end must not wait out.
const AT_ONCE: Duration = Duration::from_secs(10);

fn options(lease: &str, more: &[&str]) -> OperatorOptions {
    let args = [format!("--lease-name={lease}")].into_iter().chain(more.iter().map(|&arg| arg.to_owned()));
    OperatorOptions { args: args.collect(), ..OperatorOptions::default() }
}

async fn leases(control_plane: &ControlPlane) -> Result<Api<Lease>> {
    Ok(Api::namespaced(control_plane.client(Identity::Tests).await?, "ordinal-system"))
}

async fn holder(leases: &Api<Lease>, name: &str) -> Result<String> {
    Ok(leases.get(name).await?.spec.and_then(|spec| spec.holder_identity).unwrap_or_default())
}

#[tokio::test]
async fn s_8_12_a_stopped_operator_gives_the_lease_back() -> Outcome {
    let control_plane = without_sets().await?;
    let leases = leases(control_plane).await?;
    let operator = Operator::start(control_plane, options("given-back", &["--identity=first"])).await?;
    operator.says(SOON, &["leading"]).await?;
    assert!(holder(&leases, "given-back").await?.starts_with("first_"));
    assert_eq!(operator.stop(AT_ONCE).await?, 0);
    assert_eq!(holder(&leases, "given-back").await?, "", "nobody holds it");
    Ok(())
}

#[tokio::test]
async fn s_8_12_the_next_operator_takes_over_at_once() -> Outcome {
    let control_plane = without_sets().await?;
    let first = Operator::start(control_plane, options("handed-over", &[])).await?;
    first.says(SOON, &["leading"]).await?;
    let second = Operator::start(control_plane, options("handed-over", &[])).await?;
    assert!(!second.log().contains("leading"), "two lead:\n{}", second.log());
    assert_eq!(first.stop(AT_ONCE).await?, 0);
    second.says(AT_ONCE, &["leading"]).await?;
    Ok(())
}

#[tokio::test]
async fn s_8_12_an_operator_that_lost_its_lease_ends_with_3() -> Outcome {
    let control_plane = without_sets().await?;
    let operator = Operator::start(control_plane, options("taken-away", &[])).await?;
    operator.says(SOON, &["leading"]).await?;
    let theft = Patch::Merge(json!({"spec": {"holderIdentity": "somebody else"}}));
    let leases = leases(control_plane).await?;
    leases.patch("taken-away", &PatchParams::default(), &theft).await?;
    assert_eq!(operator.ended(AT_ONCE).await?, 3, "{}", operator.log());
    operator.says(AT_ONCE, &["another operator took the lease"]).await?;
    assert_eq!(holder(&leases, "taken-away").await?, "somebody else", "what is another's is not given back");
    Ok(())
}

#[tokio::test]
async fn s_8_12_an_operator_that_cannot_renew_ends_with_3() -> Outcome {
    let control_plane = ControlPlane::start(Options { nodes: 1, ..Options::default() }).await?;
    let short = ["--lease-duration=4", "--renew-deadline=3", "--retry-period=0.5"];
    let operator = Operator::start(&control_plane, options("unreachable", &short)).await?;
    operator.says(SOON, &["leading"]).await?;
    control_plane.kill_apiserver().await?;
    assert_eq!(operator.ended(AT_ONCE).await?, 3, "{}", operator.log());
    operator.says(AT_ONCE, &["could not be renewed in time"]).await?;
    Ok(())
}

// also: N-13, N-5
#[tokio::test]
async fn s_8_12_a_killed_leader_is_replaced_amid_its_work() -> Outcome {
    let ready_after = Duration::from_millis(700);
    let control_plane = ControlPlane::start(Options { ready_after, ..Options::default() }).await?;
    let short = ["--lease-duration=6", "--renew-deadline=4", "--retry-period=1"];
    let first = Operator::start(&control_plane, options("shared", &short)).await?;
    first.says(SOON, &["leading"]).await?;
    // As another user, which tells its calls from those of the first.
    let second =
        Operator::start(&control_plane, OperatorOptions { identity: Identity::Admin, ..options("shared", &short) })
            .await?;
    let (code, _) = second.get("/readyz").await?;
    assert_eq!(code, 200, "who waits for the lease is ready");
    let writes = || -> Result<Vec<String>> {
        let calls = control_plane.calls(Identity::Admin)?.into_iter();
        let writes = calls.filter(|call| !["get", "list", "watch"].contains(&call.verb.as_str()));
        Ok(writes.map(|call| format!("{} {}", call.verb, call.uri)).filter(|call| !call.contains("/leases")).collect())
    };
    let installed = writes()?;

    let ns = control_plane.namespace("handover").await?;
    ns.create_set(set("web", 5, json!({}))).await?;
    ns.pod_ready("web-1", SOON).await?;
    assert_eq!(writes()?, installed, "two operators wrote");
    first.kill();
    let before = ns.uids("web").await?;
    second.says(SOON, &["leading"]).await?;
    ns.settled("web").await?;
    let after = ns.uids("web").await?;
    assert_eq!(after.len(), 5);
    for (name, uid) in before {
        assert_eq!(after[&name], uid, "{name} was restarted");
    }
    eventually(SOON, "the second operator's creations are in the audit log", async || {
        let more = writes()?.len() - installed.len();
        Ok(Look::when(more > 0, || "they are not".to_owned()))
    })
    .await?;
    Ok(())
}

// also: N-1, N-2, N-13
#[tokio::test]
async fn s_8_12_a_leader_that_sleeps_past_its_lease_ends_when_it_wakes_and_hits_no_pod() -> Outcome {
    let ready_after = Duration::from_millis(700);
    let control_plane = ControlPlane::start(Options { ready_after, ..Options::default() }).await?;
    let short = ["--lease-duration=4", "--renew-deadline=3", "--retry-period=0.5"];
    let first = Operator::start(&control_plane, options("asleep", &short)).await?;
    first.says(SOON, &["leading"]).await?;
    let second = Operator::start(&control_plane, options("asleep", &short)).await?;
    let ns = control_plane.namespace("asleep").await?;
    let witness = Witness::of(&ns);
    ns.create_set(set("web", 4, json!({}))).await?;
    ns.settled("web").await?;

    let before = ns.uids("web").await?;
    // Amid a roll-out the leader falls asleep, and the other goes on with it.
    ns.patch_set("web", image("nginx:2")).await?;
    ns.replaced("web-3", Some(before["web-3"].clone())).await?;
    first.signal(Signal::Stop);
    second.says(SOON, &["leading"]).await?;
    ns.settled("web").await?;

    let between = ns.uids("web").await?;
    // It wakes amid the next one, with all that it believed before.
    ns.patch_set("web", image("nginx:3")).await?;
    ns.replaced("web-3", Some(between["web-3"].clone())).await?;
    first.signal(Signal::Cont);
    assert_eq!(first.ended(AT_ONCE).await?, 3, "{}", first.log());
    ns.settled("web").await?;
    let thrice = ["web-0", "web-1", "web-2", "web-3"].map(|name| (name.to_owned(), 3)).into();
    assert_eq!(witness.lives(), thrice, "each pod was replaced once by each roll-out");
    Ok(())
}
