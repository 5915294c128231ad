//! `plan` is total: whatever a snapshot holds, it plans, and twice the same.

use crate::{
    kubelet::Dice,
    objects::{Kind, Object},
    operator::collect,
    properties::{random, seeds},
    store::Store,
};
use ordinal_plan::{
    Snapshot, plan,
    snapshot::{Failure, Failures, Memory, Trial, Verdict},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Names at and beyond all limits.
fn name(dice: &mut Dice) -> String {
    let names =
        ["", "-", "web", "web-", "web--1", "web-0", "web-2147483647", "web-2147483648", "wéb-1", "web-1-1", "\u{0}-7"];
    match dice.throw(names.len() + 1) {
        11 => format!("{}-3", "é".repeat(300)),
        n => names[n].to_owned(),
    }
}

fn number(dice: &mut Dice) -> Value {
    let numbers = [0, 1, 3, -1, 1000, i32::MAX, i32::MIN, i32::MAX - 1];
    json!(numbers[dice.throw(numbers.len())])
}

fn time(dice: &mut Dice) -> Value {
    let times = ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-30T22:00:00Z", "1969-12-31T23:59:59Z"];
    json!(times[dice.throw(times.len())])
}

fn owners(dice: &mut Dice) -> Value {
    let one = |dice: &mut Dice| {
        json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": dice.of(["OrdinalSet", "Pod", ""]),
            "name": name(dice), "uid": dice.of(["set", "", "other"]), "controller": dice.once_in(2),
        })
    };
    (0..dice.throw(3)).map(|_| one(dice)).collect()
}

/// A set that no schema would admit, but that can be read.
fn set(dice: &mut Dice) -> Value {
    let mut set = random::set(dice);
    let spec = &mut set["spec"];
    for field in ["replicas", "revisionHistoryLimit", "minReadySeconds"] {
        if dice.once_in(2) {
            spec[field] = number(dice);
        }
    }
    if dice.once_in(2) {
        spec["ordinals"]["start"] = number(dice);
    }
    if dice.once_in(2) {
        let odd =
            [json!(0), json!(-7), json!("0%"), json!("x%"), json!("99999999999999999999%"), json!(i32::MAX), json!("")];
        let max = odd[dice.throw(odd.len())].clone();
        spec["updateStrategy"] = json!({"rollingUpdate": {"partition": number(dice), "maxUnavailable": max}});
    }
    if dice.once_in(4) {
        spec["template"] = dice.of([json!({}), json!({"metadata": 7, "spec": []}), json!({"spec": {"containers": 1}})]);
    }
    if dice.once_in(4) {
        let odd = [json!([{}]), json!([7, "x"]), json!([{"metadata": {"name": "é"}}, {"metadata": {"name": "é"}}])];
        spec["volumeClaimTemplates"] = odd[dice.throw(3)].clone();
    }
    set["metadata"] =
        json!({"name": dice.of(["web", "", "é"]), "namespace": "ns", "uid": "set", "generation": number(dice)});
    if dice.once_in(6) {
        set["metadata"]["deletionTimestamp"] = time(dice);
    }
    let current = name(dice);
    set["status"] = dice.of([
        json!({"collisionCount": i32::MAX - 1, "currentRevision": current}),
        json!({"replicas": -5, "currentRevision": "web-nothing", "blockedPods": [{"name": "", "reason": "", "message": ""}]}),
        json!("garbage"),
        Value::Null,
    ]);
    set
}

fn pod(dice: &mut Dice) -> Value {
    let revisions = ["web-a".to_owned(), name(dice)];
    let mut pod = random::pod(dice, &revisions);
    pod["metadata"]["name"] = name(dice).into();
    pod["metadata"]["uid"] = dice.of(["", "same", "u1", "u2"]).into();
    if dice.once_in(2) {
        pod["metadata"]["ownerReferences"] = owners(dice);
    }
    for field in ["creationTimestamp", "deletionTimestamp"] {
        if dice.once_in(4) {
            pod["metadata"][field] = time(dice);
        }
    }
    if dice.once_in(3) {
        pod["status"] = json!({"phase": dice.of(["", "Dancing"]), "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": time(dice)},
            {"type": "Ready", "status": "Maybe"}, {},
        ]});
    }
    if dice.once_in(3) {
        pod["spec"] = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name(dice)}}, {}]});
    }
    pod
}

fn snapshot(dice: &mut Dice) -> Option<Snapshot> {
    let mut store = Store::default();
    let set = Object::new(Kind::Set, set(dice)).as_set().ok()?;
    for n in 0..dice.throw(4) {
        let data =
            [json!(null), json!([]), json!({"spec": {"template": 7}}), json!({"spec": {"template": {"spec": {}}}})];
        let mut labels = json!({"app": "web"});
        labels["controller.kubernetes.io/hash"] = name(dice).into();
        let number = dice.of([json!(i64::MAX), json!(i64::MIN), json!(n)]);
        let metadata = json!({"name": name(dice), "uid": "r", "labels": labels, "ownerReferences": owners(dice)});
        store.plant(Kind::Revision, json!({"metadata": metadata, "data": data[dice.throw(4)], "revision": number}));
    }
    let Store { pods, claims, revisions, services, .. } = &store;
    let mut snapshot = collect(set, [pods, claims, revisions, services], store.now, memory(dice));
    // Straight in, and some of them twice: no name was asked for.
    for _ in 0..dice.throw(12) {
        let object = Object::new(Kind::Pod, pod(dice)).as_pod()?;
        (0..=dice.throw(2)).for_each(|_| snapshot.pods.push(object.clone()));
    }
    for _ in 0..dice.throw(6) {
        let metadata = json!({"name": format!("data-{}", name(dice)), "uid": "c", "ownerReferences": owners(dice)});
        let claim = Object::new(Kind::Claim, json!({"metadata": metadata})).as_claim()?;
        (0..=dice.throw(2)).for_each(|_| snapshot.claims.push(claim.clone()));
    }
    let doubled: Vec<_> = snapshot.revisions.iter().filter(|_| dice.once_in(3)).cloned().collect();
    snapshot.revisions.extend(doubled);
    snapshot.now = serde_json::from_value(time(dice)).ok()?;
    Some(snapshot)
}

fn memory(dice: &mut Dice) -> Memory {
    let seen = serde_json::from_value(time(dice)).expect("a time");
    let failure = Failure { uid: "u1".into(), count: u32::MAX, seen };
    let slots = [i32::MIN, -1, 0, 1, i32::MAX].map(|ordinal| (ordinal, failure.clone()));
    let verdict = Verdict::Refused { message: String::new(), count: u32::MAX, retry_at: seen };
    Memory {
        failures: Failures { revision: "web-a".into(), slots: slots.into() },
        service_missing_since: Some(seen),
        service_mended: Some(seen),
        trial: Some(Trial { revision: "web-a".into(), generation: i64::MAX, verdict }),
        ..Memory::default()
    }
}

#[test]
fn n_14_no_snapshot_whatever_makes_the_planner_panic() {
    seeds(4_000, |seed| {
        let Some(snapshot) = snapshot(&mut Dice::new(seed)) else { return };
        let first = plan(&snapshot);
        assert_eq!(first, plan(&snapshot), "the same snapshot gave two plans");
        let again = Snapshot { pods: snapshot.pods.iter().map(|p| Arc::new((**p).clone())).collect(), ..snapshot };
        assert_eq!(first.to_string(), plan(&again).to_string(), "an equal snapshot gave another plan");
    });
}
