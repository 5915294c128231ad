//! Ready is not yet available.

use super::POLICIES;
use crate::{
    cluster::Cluster,
    hands::{acts, condemned, counters, created, images, outdated, pod, status},
    kubelet,
    stories::{image, replicas, rolling, spec},
    traces::{settle, settled},
};
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

/// A set of pods that have all been ready for ever.
fn patient(replicas: i32, min_ready: i32, more: Value) -> Cluster {
    let mut set = spec(replicas, more);
    set["minReadySeconds"] = min_ready.into();
    let mut cluster = Cluster::new(set);
    for _ in 0..=replicas {
        cluster.pass();
        kubelet::settle(&mut cluster);
        cluster.wait(SignedDuration::from_secs(min_ready.into()));
    }
    assert_eq!(status_now(&mut cluster), [replicas; 5]);
    cluster
}

fn status_now(cluster: &mut Cluster) -> [i32; 5] {
    counters(&cluster.pass().status)
}

// also: S-6.3
#[test]
fn s_8_5_an_hour_has_to_pass_before_pods_are_available() {
    let mut cluster = Cluster::new(spec(2, json!({"podManagementPolicy": "Parallel", "minReadySeconds": 3600})));
    cluster.pass();
    kubelet::settle(&mut cluster);
    let plan = cluster.pass();
    assert_eq!(counters(&plan.status), [2, 2, 0, 2, 2]);
    assert_eq!(plan.requeue_after, Some(SignedDuration::from_hours(1)));
    cluster.wait(SignedDuration::from_secs(3599));
    assert_eq!(status_now(&mut cluster), [2, 2, 0, 2, 2]);
    cluster.wait(SignedDuration::from_secs(1));
    assert_eq!(status_now(&mut cluster), [2; 5]);
}

#[test]
fn s_8_5_the_next_look_is_when_the_first_pod_gets_available() {
    let mut cluster = settled(spec(3, json!({"podManagementPolicy": "Parallel"})));
    cluster.edit(|set| set["spec"]["minReadySeconds"] = 5.into());
    for (name, millis) in [("web-0", 0), ("web-1", 2000), ("web-2", 4300)] {
        let since = cluster.now.checked_sub(SignedDuration::from_millis(millis)).expect("a time");
        pod(&mut cluster, name)["status"]["conditions"][0]["lastTransitionTime"] = json!(since);
    }
    assert_eq!(cluster.pass().requeue_after, Some(SignedDuration::from_millis(700)));
}

// also: S-8.5
#[test]
fn s_6_3_available_are_those_ready_for_long_enough() {
    let mut cluster = settled(spec(4, json!({"podManagementPolicy": "Parallel"})));
    cluster.edit(|set| set["spec"]["minReadySeconds"] = 30.into());
    cluster.wait(SignedDuration::from_secs(30));
    let now = cluster.now;
    pod(&mut cluster, "web-2")["status"]["conditions"][0]["lastTransitionTime"] = json!(now);
    kubelet::sicken(&mut cluster, "web-3");
    assert_eq!(status_now(&mut cluster), [4, 3, 2, 4, 4]);
}

// also: S-4.9, S-12.20, O-11, S-12.5
#[test]
fn s_4_8_the_next_pod_goes_when_the_last_one_is_available() {
    for policy in POLICIES {
        let mut cluster = patient(2, 10, json!({"podManagementPolicy": policy}));
        cluster.edit(image("b"));
        let old = status(&cluster).current_revision;
        for next in ["web-1", "web-0"] {
            assert_eq!(acts(&cluster.pass()), outdated(&[next]), "{policy}");
            kubelet::settle(&mut cluster);
            assert_eq!(acts(&cluster.pass()), created(&[next]), "{policy}");
            kubelet::settle(&mut cluster);
            for _ in 0..10 {
                let plan = cluster.pass();
                assert!(acts(&plan).is_empty(), "{policy}: {next} is ready, and not yet available:\n{plan}");
                assert_eq!(plan.status.current_revision, old, "{policy}: not complete before it is available");
                cluster.wait(SignedDuration::from_secs(1));
            }
        }
        let now = cluster.pass().status;
        assert_eq!((counters(&now), now.current_revision == now.update_revision), ([2; 5], true), "{policy}");
    }
}

// also: S-12.20
#[test]
fn s_4_5_ordered_scale_down_waits_for_availability() {
    let mut cluster = patient(3, 10, json!({}));
    let now = cluster.now;
    pod(&mut cluster, "web-0")["status"]["conditions"][0]["lastTransitionTime"] = json!(now);
    cluster.edit(replicas(1));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "web-0 is not available:\n{plan}");
    cluster.wait(SignedDuration::from_secs(10));
    assert_eq!(acts(&cluster.pass()), condemned(&["web-2"]));
}

// also: S-12.20
#[test]
fn s_4_4_ordered_creation_waits_for_availability() {
    let mut cluster = Cluster::new(spec(2, json!({"minReadySeconds": 10})));
    cluster.pass();
    kubelet::settle(&mut cluster);
    let plan = cluster.pass();
    assert_eq!((acts(&plan).len(), plan.requeue_after), (0, Some(SignedDuration::from_secs(10))), "{plan}");
    cluster.wait(SignedDuration::from_secs(10));
    assert_eq!(acts(&cluster.pass()), created(&["web-1"]));
}

#[test]
fn s_4_6_on_delete_waits_for_nobody_in_parallel() {
    let more = json!({"podManagementPolicy": "Parallel", "updateStrategy": {"type": "OnDelete"}});
    let mut cluster = patient(3, 3600, more);
    cluster.edit(image("b"));
    cluster.pass();
    for name in ["web-2", "web-1"] {
        cluster.delete_pod(name);
        kubelet::settle(&mut cluster);
        assert_eq!(acts(&cluster.pass()), created(&[name]));
        kubelet::settle(&mut cluster);
    }
    assert_eq!(images(&cluster), "web-0:a web-1:b web-2:b");
}

// also: S-4.17
#[test]
fn s_4_7_a_partition_waits_for_availability_too() {
    let mut cluster = patient(3, 10, json!({"updateStrategy": rolling(json!({"partition": 1}))}));
    cluster.edit(image("b"));
    cluster.pass();
    kubelet::settle(&mut cluster);
    cluster.pass();
    kubelet::settle(&mut cluster);
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "{plan}");
    cluster.wait(SignedDuration::from_secs(10));
    assert_eq!(acts(&cluster.pass()), outdated(&["web-1"]));
}

// also: S-4.4
#[test]
fn s_8_5_zero_seconds_is_ready_and_sets_no_timer() {
    let mut cluster = Cluster::new(spec(2, json!({"minReadySeconds": 0})));
    cluster.pass();
    kubelet::settle(&mut cluster);
    let plan = cluster.pass();
    assert_eq!((acts(&plan), plan.requeue_after), (created(&["web-1"]), None));
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [2; 5]);
}

#[test]
fn o_11_completion_waits_for_availability() {
    let mut cluster = patient(1, 10, json!({"updateStrategy": {"type": "OnDelete"}}));
    cluster.edit(image("b"));
    cluster.delete_pod("web-0");
    kubelet::settle(&mut cluster);
    cluster.pass();
    kubelet::settle(&mut cluster);
    let ready = cluster.pass().status;
    assert_eq!(counters(&ready), [1, 1, 0, 0, 1]);
    assert_ne!(ready.current_revision, ready.update_revision, "updated and ready, and not yet available");
    cluster.wait(SignedDuration::from_secs(10));
    let available = cluster.pass().status;
    assert_eq!((counters(&available), available.current_revision == available.update_revision), ([1; 5], true));
}
