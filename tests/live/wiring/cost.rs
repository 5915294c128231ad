//! What a set's life costs the API server, in calls, events among them: bounds that a change of ours should not pass unseen.
//! `make bench` has the figures beside the built-in controller's.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use ordinal_tests::{Namespace, Outcome, world};
use serde_json::{Value, json};

use super::{at_rest, in_words};
use crate::sets::{Sets, image, set};

/// Events of a burst are told together after five seconds.
const TOLD: Duration = Duration::from_secs(6);

/// All calls so far, and what they were.
async fn cost(ns: &Namespace) -> anyhow::Result<(usize, String)> {
    let calls = at_rest(ns).await?;
    tokio::time::sleep(TOLD).await;
    let events = ns.api::<Event>().list(&ListParams::default()).await?.items;
    let ours = events.iter().filter(|e| e.reporting_controller.as_deref() == Some("ordinalset-controller"));
    let notes: Vec<_> = ours.filter_map(|e| e.note.clone()).collect();
    Ok((calls.len() + notes.len(), format!("{:#?}\n{notes:#?}", in_words(&calls))))
}

fn parallel(replicas: i32, more: Value) -> Value {
    let mut set = set("web", replicas, json!({"podManagementPolicy": "Parallel"}));
    set["spec"]["updateStrategy"] = more;
    set
}

#[tokio::test]
async fn o_14_many_pods_at_once_cost_a_call_each_and_a_few() -> Outcome {
    let ns = world::namespace("cost").await?;
    ns.create_set(parallel(50, json!({}))).await?;
    ns.settled("web").await?;
    let (calls, told) = cost(&ns).await?;
    assert!(calls <= 75, "{calls} calls for 50 pods: {told}");
    Ok(())
}

#[tokio::test]
async fn o_14_ten_pods_in_order_cost_less_than_four_calls_each() -> Outcome {
    let ns = world::namespace("cost").await?;
    ns.create_set(set("web", 10, json!({}))).await?;
    ns.settled("web").await?;
    let (calls, told) = cost(&ns).await?;
    assert!(calls < 40, "{calls} calls for 10 pods: {told}");
    Ok(())
}

#[tokio::test]
async fn o_14_a_roll_out_costs_two_calls_a_pod_and_a_few() -> Outcome {
    let ns = world::namespace("cost").await?;
    ns.create_set(parallel(20, json!({"rollingUpdate": {"maxUnavailable": 5}}))).await?;
    ns.settled("web").await?;
    let (before, _) = cost(&ns).await?;
    ns.patch_set("web", image("nginx:2")).await?;
    ns.settled("web").await?;
    let (after, told) = cost(&ns).await?;
    assert!(after - before <= 65, "{} calls for 20 pods: {told}", after - before);
    Ok(())
}
