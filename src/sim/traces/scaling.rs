//! Pods made and taken away as replicas and start ordinal say.

use super::{settle, settled};
use crate::{
    cluster::Cluster,
    hands::{acts, condemned, counters, created, gone, names, pod, ready, status},
    kubelet,
    stories::{image, replicas, spec, with_claim},
};
use serde_json::json;

/// B-1: ordered creation of three. A pass makes one pod with its claim and counts only what it saw; a pod that is pending or
/// not ready is waited for; both revisions are one from the first pass on.
// also: S-4.2, S-4.3, S-6.3, S-6.7, S-5.2, S-3.7
#[test]
fn s_4_4_b_1_ordered_creation_makes_one_pod_at_a_time() {
    let mut cluster = Cluster::new(with_claim(3));
    for (n, ordinal) in (0..3).enumerate() {
        let before = i32::try_from(n).expect("a small number");
        let plan = cluster.pass();
        let expected =
            [format!("create claim data-web-{ordinal}"), format!("create pod web-{ordinal} at the update revision")];
        assert_eq!(acts(&plan), expected);
        assert_eq!(counters(&plan.status), [before; 5], "what this pass makes is not counted by it");
        assert_eq!(plan.status.current_revision, plan.status.update_revision);

        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "web-{ordinal} is pending:\n{plan}");
        let [seen, ready, ..] = counters(&plan.status);
        assert_eq!((seen, ready), (before + 1, before));
        kubelet::settle(&mut cluster);
    }
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "{plan}");
    assert_eq!(counters(&plan.status), [3; 5]);
    assert_eq!(plan.status.current_revision, plan.status.update_revision);
}

/// B-2: 3 to 1 while web-0 is not ready: nothing goes until it is available, then web-2, and web-1 once web-2 is gone.
// also: S-4.5
#[test]
fn s_4_14_b_2_an_unready_slot_blocks_scale_down() {
    let mut cluster = settled(spec(3, json!({})));
    kubelet::sicken(&mut cluster, "web-0");
    cluster.edit(replicas(1));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "{plan}");
    ready(&mut cluster, "web-0");
    assert_eq!(acts(&cluster.pass()), condemned(&["web-2"]));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "web-1 waits until web-2 is gone:\n{plan}");
    gone(&mut cluster, "web-2");
    assert_eq!(acts(&cluster.pass()), condemned(&["web-1"]));
    gone(&mut cluster, "web-1");
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "{plan}");
    assert_eq!(names(&cluster), ["web-0"]);
}

/// B-3: 3 to 2 while only web-2 is unhealthy: it is the first that is unavailable, and goes at once.
#[test]
fn s_4_5_b_3_the_first_unavailable_condemned_pod_goes_at_once() {
    let mut cluster = settled(spec(3, json!({})));
    kubelet::sicken(&mut cluster, "web-2");
    cluster.edit(replicas(2));
    assert_eq!(acts(&cluster.pass()), condemned(&["web-2"]));
}

/// Four pods scaled to two, with the two condemned ones unhealthy.
fn two_unhealthy_condemned_pods() -> Cluster {
    let mut cluster = settled(spec(4, json!({})));
    kubelet::sicken(&mut cluster, "web-2");
    kubelet::sicken(&mut cluster, "web-3");
    cluster.edit(replicas(2));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "web-3's turn, but web-2 is the first that is unavailable:\n{plan}");
    cluster
}

/// B-4: 4 to 2 while web-2 and web-3 are unhealthy: nothing goes until one of them recovers or is gone; a web-2 that is only
/// terminating still counts.
// also: S-4.5
#[test]
fn s_12_4_b_4_two_unhealthy_condemned_pods_block_scale_down() {
    let mut cluster = two_unhealthy_condemned_pods();
    cluster.delete_pod("web-2");
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "web-2 is terminating, and so still unavailable:\n{plan}");
    gone(&mut cluster, "web-2");
    assert_eq!(acts(&cluster.pass()), condemned(&["web-3"]));

    let mut cluster = two_unhealthy_condemned_pods();
    ready(&mut cluster, "web-2");
    assert_eq!(acts(&cluster.pass()), condemned(&["web-3"]), "now web-3 is the first that is unavailable");

    let mut cluster = two_unhealthy_condemned_pods();
    ready(&mut cluster, "web-3");
    assert_eq!(acts(&cluster.pass()), condemned(&["web-3"]), "a healthy one may go");
    gone(&mut cluster, "web-3");
    assert_eq!(acts(&cluster.pass()), condemned(&["web-2"]), "the only unhealthy one is the first");
}

/// B-14: start 0 to 2 with three replicas: web-2 stays, web-3 and web-4 come, then web-1 and web-0 go.
// also: S-12.27, S-4.5
#[test]
fn s_4_12_b_14_a_start_ordinal_moves_like_scale_up_and_scale_down() {
    let mut cluster = settled(spec(3, json!({})));
    let kept = pod(&mut cluster, "web-2")["metadata"]["uid"].clone();
    cluster.edit(|set| set["spec"]["ordinals"] = json!({"start": 2}));
    for new in ["web-3", "web-4"] {
        assert_eq!(acts(&cluster.pass()), created(&[new]));
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{new} is to be available first:\n{plan}");
        kubelet::settle(&mut cluster);
    }
    assert_eq!(status(&cluster).replicas, 5, "more than three for a while");
    for old in ["web-1", "web-0"] {
        assert_eq!(acts(&cluster.pass()), condemned(&[old]));
        gone(&mut cluster, old);
    }
    settle(&mut cluster);
    assert_eq!(names(&cluster), ["web-2", "web-3", "web-4"]);
    assert_eq!(pod(&mut cluster, "web-2")["metadata"]["uid"], kept);
}

/// B-15: to 0 amid a roll-out: condemned pods go from the top, and with the last of them the roll-out is complete, with
/// OnDelete too.
// also: O-11, S-12.11, S-4.14
#[test]
fn s_3_8_b_15_scaling_to_zero_completes_a_roll_out() {
    for strategy in ["RollingUpdate", "OnDelete"] {
        let mut cluster = settled(spec(3, json!({"updateStrategy": {"type": strategy}})));
        cluster.edit(|set| {
            image("b")(set);
            replicas(0)(set);
        });
        for going in ["web-2", "web-1", "web-0"] {
            assert_eq!(acts(&cluster.pass()), condemned(&[going]), "{strategy}");
            assert_ne!(
                status(&cluster).current_revision,
                status(&cluster).update_revision,
                "{strategy}: {going} is there"
            );
            gone(&mut cluster, going);
        }
        let status = cluster.pass().status;
        assert_eq!(counters(&status), [0; 5], "{strategy}");
        assert_eq!(status.current_revision, status.update_revision, "{strategy}");
    }
}
