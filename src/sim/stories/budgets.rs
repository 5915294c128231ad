//! How many pods a roll-out takes at a time, and how long it waits for each.

use super::{edit, image, policy, replicas, spec};
use crate::story::Story;
use serde_json::json;

// also: O-8
#[test]
fn s_4_9_parallel_budget() {
    Story::of(
        "parallel-budget",
        "Parallel, maxUnavailable 2: as soon as one is back the next goes (S-4.9)",
        spec(5, policy("Parallel", json!({"maxUnavailable": 2}))),
    )
    .then("image b", edit(image("b")))
    .tell();
}

// also: O-8
#[test]
fn s_4_8_ordered_budget() {
    Story::of(
        "ordered-budget",
        "OrderedReady, maxUnavailable 2: two go at once, and come back one by one from the lower one (S-4.8)",
        spec(5, policy("OrderedReady", json!({"maxUnavailable": 2}))),
    )
    .then("image b", edit(image("b")))
    .tell();
}

// also: O-8
#[test]
fn s_4_8_percent() {
    Story::of(
        "percent",
        "maxUnavailable 40%: of the replicas, rounded down, and at least one (S-4.8)",
        spec(5, policy("OrderedReady", json!({"maxUnavailable": "40%"}))),
    )
    .then("image b: 40% of 5 are 2", edit(image("b")))
    .then("scaled to 2", edit(replicas(2)))
    .then("image c: 40% of 2 are 0, so 1", edit(image("c")))
    .tell();
}

// also: S-4.4, S-8.5, O-11
#[test]
fn s_4_7_min_ready_seconds_ordered() {
    let mut set = spec(2, policy("OrderedReady", json!({})));
    set["minReadySeconds"] = 10.into();
    Story::of(
        "min-ready-seconds",
        "minReadySeconds 10, OrderedReady: a pod counts when it was ready that long (S-4.4, O-11)",
        set,
    )
    .then("image b", edit(image("b")))
    .tell();
}

// also: S-8.5, O-11
#[test]
fn s_4_9_min_ready_seconds_parallel() {
    let mut set = spec(3, policy("Parallel", json!({})));
    set["minReadySeconds"] = 10.into();
    Story::of(
        "min-ready-seconds-parallel",
        "minReadySeconds 10, Parallel: creation waits for nobody, a roll-out does (S-4.9, O-11)",
        set,
    )
    .then("image b", edit(image("b")))
    .tell();
}
