//! Roll-outs as far as they are wanted, taken back, changed on the way.

use super::{edit, image, is_ready, policy, spec};
use crate::{kubelet, story::Story};
use serde_json::{Value, json};

fn partition(n: i32) -> impl Fn(&mut Value) {
    move |set| set["spec"]["updateStrategy"] = super::rolling(json!({"partition": n}))
}

// also: S-4.17, S-3.9, S-3.6
#[test]
fn s_4_7_canary() {
    Story::of("canary", "OrderedReady: a canary, the rest, and back again (S-4.7, S-4.17, S-3.6)", spec(3, json!({})))
        .then(
            "image b, partition 2",
            edit(|set| {
                image("b")(set);
                partition(2)(set);
            }),
        )
        .then("web-0, below the partition, is deleted by hand", |cluster| cluster.delete_pod("web-0"))
        .then("partition 0", edit(partition(0)))
        .then("image a again", edit(image("a")))
        .tell();
}

// also: S-4.17, S-3.9
#[test]
fn s_4_9_parallel_canary() {
    Story::of(
        "parallel-canary",
        "Parallel: a canary, and the rest (S-4.9, S-4.17)",
        spec(3, policy("Parallel", json!({"partition": 2}))),
    )
    .then("image b", edit(image("b")))
    .then("partition 0", edit(partition(0)))
    .tell();
}

// also: S-4.17, S-3.7
#[test]
fn s_3_6_roll_back_amid_a_roll_out() {
    Story::of(
        "roll-back-amid",
        "A roll-out taken back on its way: only what was updated goes back (S-3.6, B-12)",
        spec(3, json!({})),
    )
    .then("image b", edit(image("b")))
    .until(is_ready("web-1", "b"))
    .then("image a again", edit(image("a")))
    .tell();
}

// also: S-12.16, S-3.10
#[test]
fn s_4_17_template_changed_twice() {
    let mut set = spec(3, json!({}));
    set["revisionHistoryLimit"] = 1.into();
    Story::of(
        "changed-twice",
        "A template changed again amid its roll-out: it begins again from the top (S-4.17, S-3.10)",
        set,
    )
    .then("image b", edit(image("b")))
    .until(is_ready("web-2", "b"))
    .then("image c", edit(image("c")))
    .until(is_ready("web-2", "c"))
    .then("image d", edit(image("d")))
    .tell();
}

// also: S-4.17, S-12.11, O-11
#[test]
fn s_4_6_on_delete() {
    Story::of(
        "on-delete",
        "OnDelete: replaced is what somebody deletes (S-4.6)",
        spec(2, json!({"updateStrategy": {"type": "OnDelete"}})),
    )
    .then("image b", edit(image("b")))
    .then("somebody deletes web-0", |cluster| cluster.delete_pod("web-0"))
    .then(
        "the type becomes RollingUpdate",
        edit(|set| set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate"})),
    )
    .tell();
}

// also: S-4.15, S-4.2
#[test]
fn n_8_a_set_being_deleted() {
    Story::of(
        "being-deleted",
        "A set being deleted counts its pods, and leaves them alone (S-4.15, N-8)",
        spec(3, json!({})),
    )
    .then("image b", edit(image("b")))
    .until(is_ready("web-2", "b"))
    .then("the set is deleted in the foreground, and its pods go in no order", |cluster| {
        cluster.edit(|set| set["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
        kubelet::settle(cluster);
        cluster.delete_pod("web-1");
    })
    .tell();
}
