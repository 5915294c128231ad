//! Creation, scaling and replacement.

use super::{POLICIES, claims_are_owned, identities_hold, order_holds, variants};
use crate::{
    cluster::Cluster,
    hands::{acts, counters, names, status},
    kubelet::{self, Dice},
    orders::wander,
    stories::{replicas, spec, with_claim},
    traces::{settle, settled},
};
use serde_json::json;

/// Goes to rest in a seeded order; identities hold after every event, and the order of OrderedReady too.
fn rest(cluster: &mut Cluster, seed: u64, at: &str) {
    let ordered = cluster.set["spec"]["podManagementPolicy"] != "Parallel";
    wander(cluster, &mut Dice::new(seed), at, |cluster| {
        identities_hold(cluster, at);
        if ordered {
            order_holds(cluster, at);
        }
        false
    });
    claims_are_owned(cluster, at);
}

// also: S-2.2, S-2.3, S-5.5, S-4.3
#[test]
fn s_4_4_three_pods_are_made_under_every_policy() {
    for (at, spec) in variants(3) {
        for seed in 0..10 {
            let mut cluster = Cluster::new(spec.clone());
            rest(&mut cluster, seed, &at);
            assert_eq!((names(&cluster).len(), counters(&status(&cluster))), (3, [3; 5]), "{at}, seed {seed}");
        }
    }
}

// also: S-4.14, S-3.8
#[test]
fn s_4_5_four_pods_and_then_none_under_every_policy() {
    for (at, spec) in variants(3) {
        for seed in 0..10 {
            let mut cluster = Cluster::new(spec.clone());
            rest(&mut cluster, seed, &at);
            cluster.edit(replicas(4));
            rest(&mut cluster, seed, &at);
            assert_eq!(counters(&status(&cluster)), [4; 5], "{at}, seed {seed}");
            cluster.edit(replicas(0));
            rest(&mut cluster, seed, &at);
            assert_eq!((names(&cluster).len(), counters(&status(&cluster))), (0, [0; 5]), "{at}, seed {seed}");
        }
    }
}

// also: S-5.7
#[test]
fn s_4_16_pods_deleted_by_hand_come_back_by_name_and_with_their_claims() {
    for (at, spec) in variants(5) {
        let mut cluster = settled(spec);
        let claims = cluster.claims.clone();
        for pod in ["web-0", "web-2", "web-4"] {
            cluster.delete_pod(pod);
        }
        settle(&mut cluster);
        assert_eq!(names(&cluster), ["web-0", "web-1", "web-2", "web-3", "web-4"], "{at}");
        for (name, claim) in claims.iter() {
            assert_eq!(
                cluster.claims[name]["metadata"]["uid"], claim["metadata"]["uid"],
                "{at}: {name} is another one"
            );
        }
        claims_are_owned(&cluster, &at);
    }
}

// also: S-2.1, S-3.9
#[test]
fn s_4_2_names_begin_at_the_start_ordinal() {
    for policy in POLICIES {
        let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy, "ordinals": {"start": 2}})));
        assert_eq!(names(&cluster), ["web-2", "web-3", "web-4"], "{policy}");
        cluster.edit(replicas(1));
        settle(&mut cluster);
        assert_eq!(names(&cluster), ["web-2"], "{policy}: the lowest ordinal stays");
        cluster.edit(|set| set["spec"]["ordinals"] = json!(null));
        settle(&mut cluster);
        assert_eq!(names(&cluster), ["web-0"], "{policy}: without ordinals it is 0");
    }
}

// also: S-6.7
#[test]
fn s_4_11_parallel_scales_far_in_two_passes() {
    for (from, to) in [(3, 30), (10, 1), (501, 0), (0, 1000)] {
        let mut cluster = settled(spec(from, json!({"podManagementPolicy": "Parallel"})));
        cluster.edit(replicas(to));
        let plan = cluster.pass();
        assert_eq!(acts(&plan).len(), from.abs_diff(to) as usize, "{from} to {to} at once");
        kubelet::settle(&mut cluster);
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{from} to {to}:\n{plan}");
        assert_eq!(counters(&plan.status), [to; 5], "{from} to {to}");
    }
}

// also: S-6.2, S-3.6
#[test]
fn s_6_3_replicas_change_and_each_generation_is_observed() {
    let mut cluster = settled(spec(2, json!({})));
    for n in [3, 0, 2] {
        cluster.edit(replicas(n));
        settle(&mut cluster);
        let now = status(&cluster);
        assert_eq!((now.replicas, now.observed_generation), (n, cluster.snapshot().set.generation));
    }
    let before = cluster.snapshot().set.generation;
    cluster.edit(|set| set["spec"]["template"]["metadata"]["annotations"] = json!({"note": "changed"}));
    assert_eq!(cluster.pass().status.observed_generation, before + 1, "a template's annotation is a change too");
}

#[test]
fn s_2_2_subdomain_is_the_service_name() {
    let cluster = settled(spec(1, json!({"serviceName": "governing"})));
    assert_eq!(cluster.pods["web-0"]["spec"]["subdomain"], "governing");
    assert_eq!(cluster.pods["web-0"]["spec"]["hostname"], "web-0");
}

// also: S-6.3
#[test]
fn s_4_4_terminating_pods_are_counted_and_not_replaced_before_they_are_gone() {
    for policy in POLICIES {
        let mut cluster = settled(spec(5, json!({"podManagementPolicy": policy})));
        cluster.delete_pod("web-3");
        cluster.delete_pod("web-4");
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{policy}:\n{plan}");
        assert_eq!(counters(&plan.status), [5, 5, 5, 3, 3], "{policy}: terminating ones are at no revision");
        settle(&mut cluster);
        assert_eq!(counters(&status(&cluster)), [5; 5], "{policy}");
    }
}

// also: S-4.12
#[test]
fn s_4_4_a_terminating_pod_blocks_ordered_scale_up_until_it_is_gone() {
    let mut cluster = settled(with_claim(3));
    cluster.delete_pod("web-0");
    cluster.edit(replicas(5));
    for _ in 0..3 {
        let plan = cluster.pass();
        assert!(acts(&plan).is_empty(), "{plan}");
    }
    settle(&mut cluster);
    assert_eq!(counters(&status(&cluster)), [5; 5]);
}
