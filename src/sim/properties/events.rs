//! What happens to a cluster, and how people put things right.

use crate::{
    call::{Call, Deletion, Part, Propagation, Style},
    kubelet::{self, Dice},
    objects::{Kind, Object},
    properties::random,
    store::FOREGROUND,
    world::World,
};
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

/// Holds what a stranger put it on.
const HELD: &str = "test.ordinal.dev/held";

/// One event of some sort.
pub fn happen(world: &mut World, dice: &mut Dice) {
    let pods: Vec<String> = world.store.pods.keys().cloned().collect();
    let pod = dice.pick(&pods).cloned().unwrap_or_default();
    match dice.throw(20) {
        0..3 => edit(world, dice),
        3 | 4 => {
            let image = dice.of(["a", "b", "c"]);
            patch_set(world, json!({"spec": {"template": image_template(image)}}));
        }
        5..7 => delete(world, Kind::Pod, &pod, None),
        7 => kubelet::end(&mut world.store, &pod, dice.of(["Failed", "Succeeded"])),
        8 => {
            let status = unready(world);
            kubelet::report(&mut world.store, &pod, status);
        }
        9 => kubelet::report(&mut world.store, &pod, json!({"phase": "Unknown"})),
        10 => world.restart(dice.throw(world.operators.len())),
        11 | 12 => {
            let time = SignedDuration::from_secs(i64::try_from(dice.throw(400)).unwrap_or(0));
            world.store.now = world.store.now.checked_add(time).expect("a time");
        }
        13 => {
            let claims: Vec<String> = world.store.claims.keys().cloned().collect();
            let claim = dice.pick(&claims).cloned().unwrap_or_default();
            delete(world, Kind::Claim, &claim, None);
        }
        14 => {
            let revisions: Vec<String> = world.store.revisions.keys().cloned().collect();
            if let Some(revision) = dice.pick(&revisions) {
                delete(world, Kind::Revision, revision, None);
            }
        }
        15 | 16 => stranger(world, dice, &pod),
        17 => {
            let ways = [None, Some(Propagation::Foreground), Some(Propagation::Orphan)];
            if dice.once_in(3) {
                delete(world, Kind::Set, "web", ways[dice.throw(3)]);
            }
        }
        18 => drop(world.call(&Call::Create { kind: Kind::Set, object: random::set(dice), dry_run: false })),
        _ => refuse(world, dice),
    }
}

fn image_template(image: &str) -> Value {
    json!({"spec": {"containers": [{"name": "c", "image": image}]}})
}

fn unready(world: &World) -> Value {
    let now = world.store.now;
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": now}]})
}

/// A user changes the spec.
fn edit(world: &mut World, dice: &mut Dice) {
    let fresh = random::set_spec(dice);
    let change = match dice.throw(5) {
        0 | 1 => json!({"replicas": dice.throw(5)}),
        2 => json!({"ordinals": {"start": dice.throw(3)}}),
        3 => json!({"updateStrategy": {"rollingUpdate": null, "type": "OnDelete"}}),
        _ => json!({
            "minReadySeconds": fresh["minReadySeconds"],
            "revisionHistoryLimit": fresh["revisionHistoryLimit"],
            "persistentVolumeClaimRetentionPolicy": fresh["persistentVolumeClaimRetentionPolicy"],
        }),
    };
    patch_set(world, json!({"spec": change}));
}

fn patch_set(world: &mut World, patch: Value) {
    let (kind, name) = (Kind::Set, "web".to_owned());
    let _ = world.call(&Call::Patch { kind, name, patch, style: Style::Merge, part: Part::Main });
}

fn delete(world: &mut World, kind: Kind, name: &str, propagation: Option<Propagation>) {
    let how = Deletion { propagation, ..Deletion::default() };
    let _ = world.call(&Call::Delete { kind, name: name.to_owned(), how });
}

/// Somebody else writes what is theirs, or what is ours.
fn stranger(world: &mut World, dice: &mut Dice, pod: &str) {
    let metadata = match dice.throw(6) {
        0 => json!({"labels": {"app": dice.of(["web", "other"])}}),
        1 => json!({"labels": {"statefulset.kubernetes.io/pod-name": "nonsense"}}),
        2 => json!({"annotations": {"seen": dice.throw(100).to_string()}}),
        3 => json!({"finalizers": [HELD]}),
        4 => json!({"ownerReferences": null}),
        _ => {
            // A name is taken.
            let revisions: Vec<String> = world.store.revisions.keys().cloned().collect();
            let pod = random::pod(dice, &revisions);
            let _ = world.call(&Call::Create { kind: Kind::Pod, object: pod, dry_run: false });
            return;
        }
    };
    let (kind, name) = (Kind::Pod, pod.to_owned());
    let patch = json!({"metadata": metadata});
    let _ = world.call(&Call::Patch { kind, name, patch, style: Style::Merge, part: Part::Main });
}

/// An admission policy comes or goes.
fn refuse(world: &mut World, dice: &mut Dice) {
    if world.store.refused.is_empty() {
        let message = dice.of(["a policy says no", "exceeded quota: pods"]);
        world.store.refused.insert(format!("web-{}", dice.throw(5)), message.to_owned());
    } else {
        world.store.refused.clear();
    }
}

/// Takes away what nobody but people would: policies, finalizers, strangers in our places, pods that never get well.
pub fn mend(world: &mut World) {
    world.store.refused.clear();
    // A pod deleted in the foreground waits for its claim, which waits for the pod that uses it: so it is natively.
    let deadlocked = |o: &Object| {
        let let_go = o.value()["metadata"]["deletionGracePeriodSeconds"] == 0;
        o.kind() == Kind::Pod && let_go && o.finalizers().all(|f| f == FOREGROUND)
    };
    let held: Vec<(Kind, String)> = world
        .store
        .all()
        .filter(|o| o.finalizers().any(|f| f == HELD) || deadlocked(o))
        .map(|o| (o.kind(), o.name().to_owned()))
        .collect();
    for (kind, name) in held {
        let patch = json!({"metadata": {"finalizers": null}});
        let _ = world.call(&Call::Patch { kind, name, patch, style: Style::Merge, part: Part::Main });
    }
    let set = world.store.sets.object("web").cloned();
    let foreign = |o: &Object| o.controller().as_deref() != set.as_ref().map(|s| s.uid());
    let ended = |o: &Object| matches!(o.value()["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
    let odd = |o: &Object| matches!(o.name(), "web-01" | "web-99999999999");
    let pods: Vec<String> =
        world.store.pods.objects().filter(|o| foreign(o) || ended(o) || odd(o)).map(|o| o.name().to_owned()).collect();
    for pod in pods {
        delete(world, Kind::Pod, &pod, None);
    }
    // Pods that were made by hand, or by a namesake, lack their volumes (S-2.8), and that cannot be mended: they are replaced.
    let unfit: Vec<String> = unfit_pods(world);
    for pod in unfit {
        delete(world, Kind::Pod, &pod, None);
    }
}

fn unfit_pods(world: &World) -> Vec<String> {
    let Some(Ok(set)) = world.store.sets.object("web").map(|o| o.as_set()) else { return Vec::new() };
    let lacks = |pod: &Value| {
        set.claim_templates().next().is_some() && pod["spec"]["volumes"].as_array().is_none_or(Vec::is_empty)
    };
    world.store.pods.iter().filter(|(_, pod)| lacks(pod)).map(|(name, _)| name.clone()).collect()
}
