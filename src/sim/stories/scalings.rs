//! More pods, fewer pods, other ordinals.

use super::{edit, image, is_ready, policy, replicas, spec, with_claim};
use crate::story::Story;
use serde_json::json;

// also: S-4.4, S-4.5, S-5.2
#[test]
fn s_4_3_ordered_scaling() {
    Story::of("ordered-scaling", "OrderedReady: one pod at a time, up and down (S-4.4, S-4.5)", with_claim(3))
        .then("scaled to 5", edit(replicas(5)))
        .then("scaled to 2", edit(replicas(2)))
        .then("scaled to 3: the claim that was kept is used again", edit(replicas(3)))
        .tell();
}

// also: S-4.4, S-4.5, S-4.14
#[test]
fn s_4_3_parallel_scaling() {
    let mut set = with_claim(3);
    set["podManagementPolicy"] = "Parallel".into();
    Story::of("parallel-scaling", "Parallel: all at once, up and down (S-4.4, S-4.5)", set)
        .then("scaled to 5", edit(replicas(5)))
        .then("scaled to 1", edit(replicas(1)))
        .tell();
}

// also: S-12.27
#[test]
fn s_4_12_start_ordinal_up_and_down() {
    let start = |n: i32| edit(move |set| set["spec"]["ordinals"] = json!({"start": n}));
    Story::of(
        "start-ordinal",
        "A start ordinal that moves: first the new slots, then what is out of range (S-4.5, S-12.27)",
        spec(3, json!({})),
    )
    .then("start 2", start(2))
    .then("start 0", start(0))
    .tell();
}

// also: S-12.27
#[test]
fn s_4_12_start_ordinal_in_parallel() {
    Story::of(
        "start-ordinal-parallel",
        "A start ordinal that moves, Parallel (S-4.5, S-12.27)",
        spec(3, policy("Parallel", json!({}))),
    )
    .then("start 2", edit(|set| set["spec"]["ordinals"] = json!({"start": 2})))
    .tell();
}

// also: S-3.9
#[test]
fn s_4_12_scale_during_an_ordered_roll_out() {
    Story::of(
        "scale-during-roll-out",
        "Scaling goes before updating; what is made new is made at the update revision (S-4.12, S-3.9)",
        spec(3, json!({})),
    )
    .then("image b", edit(image("b")))
    .until(is_ready("web-2", "b"))
    .then("scaled to 5 amid the roll-out", edit(replicas(5)))
    .then("image c", edit(image("c")))
    .until(is_ready("web-4", "c"))
    .then("scaled to 2 amid the roll-out", edit(replicas(2)))
    .tell();
}

// also: S-3.9, S-4.9
#[test]
fn s_4_12_scale_during_a_parallel_roll_out() {
    Story::of(
        "scale-during-roll-out-parallel",
        "Parallel scales and updates in the same pass (S-4.12)",
        spec(3, policy("Parallel", json!({}))),
    )
    .then("image b", edit(image("b")))
    .until(is_ready("web-2", "b"))
    .then("scaled to 5 amid the roll-out", edit(replicas(5)))
    .then(
        "image c, and scaled to 2",
        edit(|set| {
            image("c")(set);
            replicas(2)(set);
        }),
    )
    .tell();
}
