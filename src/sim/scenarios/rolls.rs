//! Roll-outs, roll-backs, and what is remembered of them.

use super::POLICIES;
use crate::{
    cluster::Cluster,
    hands::{acts, images, names, outdated, pod, status},
    kubelet::{self, Dice},
    orders::wander,
    stories::{image, replicas, rolling, spec, with_claim},
    traces::{settle, settled},
};
use serde_json::{Value, json};

/// To rest in a seeded order, with at most `max` slots unavailable after any event.
fn within_budget(cluster: &mut Cluster, seed: u64, max: usize, at: &str) {
    let replicas = cluster.snapshot().set.replicas();
    let least = usize::try_from(replicas).expect("replicas") - max;
    wander(cluster, &mut Dice::new(seed), at, |cluster| {
        let up = |pod: &&Value| {
            pod["metadata"]["deletionTimestamp"].is_null() && pod["status"]["conditions"][0]["status"] == "True"
        };
        let available = cluster.pods.values().filter(up).count();
        assert!(available >= least, "{at}, seed {seed}: {available} available of {replicas}, {max} may be missing");
        false
    });
}

fn all_at(n: i32, image: &str) -> String {
    (0..n).map(|o| format!("web-{o}:{image}")).collect::<Vec<_>>().join(" ")
}

// also: S-4.9, S-4.12
#[test]
fn s_4_8_a_new_image_reaches_all_pods_whether_scaled_or_not() {
    for policy in POLICIES {
        for n in [3, 5, 1] {
            for seed in 0..10 {
                let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
                cluster.edit(|set| {
                    image("b")(set);
                    replicas(n)(set);
                });
                let at = format!("{policy}, 3 to {n}");
                wander(&mut cluster, &mut Dice::new(seed), &at, |_| false);
                let now = status(&cluster);
                assert_eq!((images(&cluster), now.updated_replicas), (all_at(n, "b"), n), "{at}, seed {seed}");
                assert_eq!(now.current_revision, now.update_revision, "{at}, seed {seed}");
            }
        }
    }
}

// also: S-5.7, S-12.11
#[test]
fn s_4_6_on_delete_keeps_the_old_image_until_each_pod_is_deleted() {
    for policy in POLICIES {
        for n in [3, 5, 1] {
            let mut set = with_claim(3);
            set["podManagementPolicy"] = policy.into();
            set["updateStrategy"] = json!({"type": "OnDelete"});
            let mut cluster = settled(set);
            cluster.edit(|set| {
                image("b")(set);
                replicas(n)(set);
            });
            settle(&mut cluster);
            for o in 0..n.min(3) {
                assert!(images(&cluster).contains(&format!("web-{o}:a")), "{policy}, 3 to {n}: {}", images(&cluster));
            }
            for name in names(&cluster).into_iter().map(str::to_owned).collect::<Vec<_>>() {
                cluster.delete_pod(&name);
            }
            settle(&mut cluster);
            assert_eq!(images(&cluster), all_at(n, "b"), "{policy}, 3 to {n}");
            super::claims_are_owned(&cluster, policy);
        }
    }
}

// also: S-4.17
#[test]
fn s_4_7_only_ordinals_from_the_partition_on_move() {
    for policy in POLICIES {
        let more = json!({"podManagementPolicy": policy, "updateStrategy": rolling(json!({"partition": 2}))});
        let mut cluster = settled(spec(4, more));
        cluster.edit(image("b"));
        settle(&mut cluster);
        assert_eq!(images(&cluster), "web-0:a web-1:a web-2:b web-3:b", "{policy}");
    }
}

// also: S-4.8, S-4.9, N-7
#[test]
fn o_8_never_more_than_max_unavailable_are_down() {
    for policy in POLICIES {
        for (partition, expected) in [(3, "web-0:a web-1:a web-2:a web-3:b web-4:b web-5:b"), (0, &*all_at(6, "b"))] {
            for seed in 0..20 {
                let block = json!({"partition": partition, "maxUnavailable": 2});
                let more = json!({"podManagementPolicy": policy, "updateStrategy": rolling(block)});
                let mut cluster = settled(spec(6, more));
                cluster.edit(image("b"));
                within_budget(&mut cluster, seed, 2, policy);
                assert_eq!(images(&cluster), expected, "{policy}, partition {partition}, seed {seed}");
            }
        }
    }
}

// also: S-4.9, S-4.4
#[test]
fn s_4_8_terminating_pods_use_the_budget_up() {
    let combinations: [&[usize]; 10] =
        [&[], &[0], &[2], &[5], &[0, 1], &[0, 5], &[3, 4], &[4, 5], &[0, 2, 4], &[0, 1, 2, 3, 4, 5]];
    for policy in POLICIES {
        for going in combinations {
            let block = json!({"partition": 3, "maxUnavailable": 2});
            let more = json!({"podManagementPolicy": policy, "updateStrategy": rolling(block)});
            let mut cluster = settled(spec(6, more));
            going.iter().for_each(|o| cluster.delete_pod(&format!("web-{o}")));
            cluster.edit(image("b"));
            let deleted = acts(&cluster.pass()).len();
            // OrderedReady waits for each of them before it updates at all.
            let expected = match (policy, going.len()) {
                ("OrderedReady", 1..) => 0,
                (_, gone) => 2_usize.saturating_sub(gone).min(3),
            };
            assert_eq!(deleted, expected, "{policy}, terminating: {going:?}");
        }
    }
}

// also: S-4.17
#[test]
fn s_3_6_a_roll_back_makes_no_third_revision_whether_scaled_or_not() {
    for policy in POLICIES {
        for n in [3, 5, 1] {
            for seed in 0..10 {
                let mut cluster = settled(spec(3, json!({"podManagementPolicy": policy})));
                cluster.edit(image("b"));
                let at = format!("{policy}, 3 to {n}");
                wander(&mut cluster, &mut Dice::new(seed), &at, |c| images(c).contains(":b"));
                cluster.edit(|set| {
                    image("a")(set);
                    replicas(n)(set);
                });
                wander(&mut cluster, &mut Dice::new(seed), &at, |_| false);
                assert_eq!((images(&cluster), cluster.revisions.len()), (all_at(n, "a"), 2), "{at}, seed {seed}");
            }
        }
    }
}

// also: S-3.7
#[test]
fn s_3_6_revisions_are_made_found_and_renumbered() {
    let mut cluster = settled(spec(1, json!({})));
    let numbers = |c: &Cluster| c.revisions.values().map(|r| r["revision"].as_i64()).collect::<Vec<_>>();
    assert_eq!(numbers(&cluster), [Some(1)], "the first one");
    cluster.edit(replicas(2));
    settle(&mut cluster);
    assert_eq!(numbers(&cluster), [Some(1)], "no other template, no other revision");
    let first = status(&cluster).update_revision;
    cluster.edit(image("b"));
    settle(&mut cluster);
    assert_eq!(
        (cluster.revisions.len(), &cluster.revisions[&status(&cluster).update_revision]["revision"]),
        (2, &json!(2))
    );
    cluster.edit(image("a"));
    settle(&mut cluster);
    assert_eq!((status(&cluster).update_revision, cluster.revisions.len()), (first.clone(), 2));
    assert_eq!(cluster.revisions[&first]["revision"], 3, "the old one, in front");
}

/// Templates 1 … 6, one after the other; the images of the revisions that are left.
fn history(policy: &str, limit: Option<i32>, status_is_written: bool) -> usize {
    let mut set = spec(2, json!({"podManagementPolicy": policy}));
    if let Some(limit) = limit {
        set["revisionHistoryLimit"] = limit.into();
    }
    let mut cluster = settled(set);
    for template in ["1", "2", "3", "4", "5", "6"] {
        cluster.edit(image(template));
        let stored = cluster.set["status"].clone();
        for _ in 0..12 {
            cluster.pass();
            kubelet::settle(&mut cluster);
            if !status_is_written {
                cluster.set["status"] = stored.clone();
            }
        }
        assert_eq!(images(&cluster), format!("web-0:{template} web-1:{template}"));
    }
    cluster.revisions.len()
}

// also: S-12.18
#[test]
fn s_3_10_history_is_cut_to_its_limit_beside_what_is_live() {
    for policy in POLICIES {
        assert_eq!(history(policy, Some(0), true), 1, "{policy}: the live one");
        assert_eq!(history(policy, Some(2), true), 3, "{policy}");
        assert_eq!(history(policy, Some(-1), true), 7, "{policy}: all of them");
        assert_eq!(history(policy, None, true), 7, "{policy}: ten by default");
    }
}

// also: S-12.18
#[test]
fn s_3_10_history_is_cut_though_the_status_cannot_be_written() {
    for policy in POLICIES {
        // The revision that the stored status names stays, besides the live one.
        assert_eq!(history(policy, Some(1), false), 3, "{policy}");
    }
}

// also: S-3.10
#[test]
fn s_3_10_a_revision_that_a_pod_has_is_never_forgotten() {
    let more = json!({"revisionHistoryLimit": 0, "updateStrategy": {"type": "OnDelete"}});
    let mut cluster = settled(spec(2, more));
    for template in ["b", "c"] {
        cluster.edit(image(template));
        settle(&mut cluster);
        cluster.delete_pod(if template == "b" { "web-1" } else { "web-none" });
        settle(&mut cluster);
    }
    let used = |c: &mut Cluster, p: &str| pod(c, p)["metadata"]["labels"]["controller-revision-hash"].clone();
    assert_eq!(images(&cluster), "web-0:a web-1:b");
    for name in ["web-0", "web-1"] {
        let revision = used(&mut cluster, name);
        assert!(cluster.revisions.contains_key(revision.as_str().expect("a label")), "{name} at {revision}");
    }
}

// also: S-4.9
#[test]
fn s_4_8_a_percentage_is_rounded_down_and_at_least_one() {
    for policy in POLICIES {
        for (replicas, percent, expected) in
            [(3, "50%", 1), (3, "34%", 1), (3, "33%", 1), (3, "10%", 1), (3, "67%", 2), (3, "100%", 3), (10, "25%", 2)]
        {
            let block = json!({"maxUnavailable": percent});
            let more = json!({"podManagementPolicy": policy, "updateStrategy": rolling(block)});
            let mut cluster = settled(spec(replicas, more));
            cluster.edit(image("b"));
            assert_eq!(acts(&cluster.pass()).len(), expected, "{policy}: {percent} of {replicas}");
        }
    }
}

// also: S-4.9
#[test]
fn s_4_8_what_is_unavailable_below_the_partition_uses_the_budget_up() {
    let block = json!({"partition": 2, "maxUnavailable": 1});
    let more = json!({"podManagementPolicy": "Parallel", "updateStrategy": rolling(block)});
    let mut cluster = settled(spec(4, more));
    kubelet::sicken(&mut cluster, "web-0");
    cluster.edit(image("b"));
    let plan = cluster.pass();
    assert!(acts(&plan).is_empty(), "web-0 is never deleted for it, and holds the healthy ones:\n{plan}");
    kubelet::sicken(&mut cluster, "web-2");
    assert_eq!(acts(&cluster.pass()), outdated(&["web-2"]), "a broken one above the partition goes all the same");
}
