//! What breaks, and how it heals, alone or by a person.

use super::{broken, edit, image, policy, repaired, spec};
use crate::{cluster::Cluster, kubelet, story::Story, traces::delete_with_orphans_and_make_again};
use serde_json::json;

// also: S-12.1
#[test]
fn s_4_13_broken_roll_out_waits_for_a_person() {
    Story::of("broken-roll-out", "OrderedReady: a broken roll-out waits for a person (S-4.13)", spec(3, json!({})))
        .then("image b, which never gets ready", edit(broken("b")))
        .then("image c, which would: the broken pod stays", edit(repaired("c")))
        .then("somebody deletes it", |cluster| cluster.delete_pod("web-2"))
        .tell();
}

// also: S-12.3, O-8
#[test]
fn s_4_9_broken_roll_out_repairs_itself() {
    Story::of(
        "broken-roll-out-parallel",
        "Parallel: a broken roll-out is repaired by a better template alone (S-4.9, B-8)",
        spec(3, policy("Parallel", json!({}))),
    )
    .then("image b, which never gets ready", edit(broken("b")))
    .then("image c, which does", edit(repaired("c")))
    .tell();
}

// also: S-4.16, S-12.9
#[test]
fn o_7_a_pod_that_fails_at_once() {
    let fail = |cluster: &mut Cluster| kubelet::end(cluster, "web-1", "Failed");
    let failed_again = |cluster: &Cluster| cluster.pods.get("web-1").is_some_and(|p| p["status"]["phase"] == "Running");
    Story::of(
        "failed-pod",
        "A pod that fails at once stays a while as evidence, each time longer (O-7)",
        spec(3, json!({})),
    )
    .then("web-1 fails within a minute of its creation", fail)
    .until(failed_again)
    .then("its replacement fails too", fail)
    .until(failed_again)
    .then("and that one's", fail)
    .then("an hour later web-2 ends", |cluster| {
        cluster.wait(k8s_openapi::jiff::SignedDuration::from_hours(1));
        kubelet::end(cluster, "web-2", "Succeeded");
    })
    .tell();
}

// also: N-12
#[test]
fn o_4_a_refused_revision() {
    let refusals = |cluster: &Cluster| {
        let stalled = |c: &serde_json::Value| c["type"] == "Stalled" && c["status"] == "True";
        cluster.set["status"]["conditions"].as_array().into_iter().flatten().any(stalled)
    };
    Story::of(
        "refused-revision",
        "Nothing is deleted for a revision that the API server refuses (O-4, N-12)",
        spec(2, json!({})),
    )
    .then("image b, which an admission policy refuses", |cluster| {
        cluster.refused.insert("web-0".into(), "admission policy says no".into());
        cluster.edit(image("b"));
    })
    .until(refusals)
    .then("the policy changes, and the pause is over", |cluster| {
        assert_eq!(cluster.pods.len(), 2, "nothing is deleted for a revision that was refused");
        cluster.refused.clear();
    })
    .tell();
}

// also: S-3.11, N-5
#[test]
fn s_2_5_orphans() {
    Story::of(
        "orphans",
        "A set deleted with orphans and made again takes them back; nothing restarts (S-2.5, S-3.11)",
        spec(3, json!({})),
    )
    .then("the set is deleted with orphans, and made again as it was", delete_with_orphans_and_make_again)
    .then("again, with image b", |cluster| {
        delete_with_orphans_and_make_again(cluster);
        cluster.edit(image("b"));
    })
    .tell();
}

// also: N-2, S-2.5
#[test]
fn s_12_8_a_name_that_is_taken() {
    Story::of(
        "name-taken",
        "A label edited away sets a pod free, and its name is waited for (S-2.5, S-12.8)",
        spec(2, json!({})),
    )
    .then("somebody edits the label of web-1", |cluster| {
        cluster.pods.get_mut("web-1").expect("web-1")["metadata"]["labels"]["app"] = "other".into();
    })
    .then("somebody deletes that pod", |cluster| drop(cluster.pods.remove("web-1")))
    .tell();
}
