//! What the comparison is worth: it passes our file, it stays the same where the built-in's decision is known to, and it
//! reports what is tampered with.

use crate::{
    lines,
    outcome::Act,
    rules::BY_MEANING,
    vector::{Vector, array},
    verdict::{Verdict, judge},
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use ordinal_plan::{name, revision};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// Every `step`th vector of our file: the classes take turns, and 18 of them are not a multiple of a prime.
fn ours(step: usize) -> impl Iterator<Item = Vector> {
    let lines = lines(Path::new(crate::OURS)).expect("our file").step_by(step);
    lines.map(|line| Vector::parse(&line.expect("a line")).expect("a vector"))
}

#[test]
fn every_vector_of_ours_agrees_or_is_explained() {
    let unexplained: Vec<_> = ours(1)
        .filter_map(|vector| match judge(&vector).expect("a situation") {
            Verdict::Unexplained(lines) => Some(format!("{}\n  {}", vector.id, lines.join("\n  "))),
            _ => None,
        })
        .collect();
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}

/// The same decision is expected, and found, of the varied vector.
fn is_the_same(vary: impl Fn(&mut Value)) {
    for vector in ours(23) {
        let mut varied = vector.json.clone();
        vary(&mut varied);
        let varied = Vector::of(varied).expect("still a vector");
        assert_eq!(judge(&varied).expect("a situation"), judge(&vector).expect("a situation"), "{}", vector.id);
    }
}

#[test]
fn the_order_of_pods_does_not_matter() {
    is_the_same(|json| {
        let pods = json["pods"].as_array_mut().expect("pods");
        let ordinals: Vec<_> =
            pods.iter().filter_map(|p| name::parse(p["metadata"]["name"].as_str()?).ordinal).collect();
        // But of two pods with one ordinal the last counts (S-2.1).
        if ordinals.iter().collect::<BTreeSet<_>>().len() == ordinals.len() {
            pods.reverse();
            let middle = pods.len() / 2;
            pods.rotate_left(middle);
        }
    });
}

#[test]
fn the_order_of_claims_and_revisions_does_not_matter() {
    is_the_same(|json| {
        for list in ["claims", "revisions"] {
            json[list].as_array_mut().expect("a list").reverse();
        }
    });
}

#[test]
fn only_equality_of_uids_matters() {
    is_the_same(|json| {
        each(json, &mut |key, value| {
            if let ("uid", Some(uid)) = (key, value.as_str()) {
                *value = format!("{}-{}", uid.len(), uid.chars().rev().collect::<String>()).into();
            }
        });
    });
}

#[test]
fn only_differences_of_times_matter() {
    is_the_same(|json| {
        each(json, &mut |_, value| {
            let time =
                value.as_str().filter(|text| text.ends_with('Z')).and_then(|text| text.parse::<Timestamp>().ok());
            if let Some(time) = time {
                *value = (time + SignedDuration::from_hours(24 * 400)).to_string().into();
            }
        });
    });
}

#[test]
fn the_sets_name_does_not_matter() {
    is_the_same(|json| {
        let old = json["set"]["metadata"]["name"].as_str().expect("a name").to_owned();
        let templates: Vec<String> = array(&json["set"]["spec"]["volumeClaimTemplates"])
            .filter_map(|t| Some(t["metadata"]["name"].as_str()?.to_owned()))
            .collect();
        each(json, &mut |key, value| {
            let Some(text) = value.as_str() else { return };
            let is_a_name = key == "id" || text.contains(' ') && !key.is_empty();
            if is_a_name || ["app", "tier", "image"].contains(&key) {
                return;
            }
            let words: Vec<String> = text.split(' ').map(|word| renamed(word, &old, &templates)).collect();
            *value = words.join(" ").into();
        });
    });
}

const NEW: &str = "new-7-name";

/// A pod, claim, revision or the set itself, as its name is when the set has the new one.
fn renamed(word: &str, old: &str, templates: &[String]) -> String {
    let of_set = |word: &str| match word.strip_prefix(old)? {
        "" => Some(NEW.to_owned()),
        rest => rest.starts_with('-').then(|| format!("{NEW}{rest}")),
    };
    let of_claim = |template: &String| {
        Some(format!("{template}-{}", of_set(word.strip_prefix(template.as_str())?.strip_prefix('-')?)?))
    };
    templates.iter().find_map(of_claim).or_else(|| of_set(word)).unwrap_or_else(|| word.to_owned())
}

#[test]
fn unknown_fields_and_missing_tags_do_not_matter() {
    is_the_same(|json| {
        let class = json["class"].clone();
        json.as_object_mut().expect("an object").remove("tags");
        for field in ["class", "id"] {
            json[field] = json!(format!("{}-7", class.as_str().unwrap_or_default()));
        }
        json["fieldOfTomorrow"] = json!(1);
        for list in ["pods", "claims", "revisions"] {
            for object in json[list].as_array_mut().into_iter().flatten() {
                object["fieldOfTomorrow"] = json!([{}]);
                object["metadata"]["managedFields"] = json!([]);
            }
        }
        json["expect"]["fieldOfTomorrow"] = json!({});
    });
}

/// Calls `change` with every value and the key it stands under; not in what revisions record, which has a hash.
fn each(value: &mut Value, change: &mut impl FnMut(&str, &mut Value)) {
    fn under(key: &str, value: &mut Value, change: &mut impl FnMut(&str, &mut Value)) {
        match value {
            Value::Object(fields) => {
                let recorded = |key: &str| ["data", "template", "selector"].contains(&key);
                fields.iter_mut().filter(|(key, _)| !recorded(key)).for_each(|(key, field)| under(key, field, change));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| under("", item, change)),
            _ => change(key, value),
        }
    }
    under("", value, change);
}

#[test]
fn whatever_is_tampered_with_is_reported() {
    type Tamper = fn(&mut Vector);
    let tampers: [(&str, Tamper); 15] = [
        ("a write more", |v| v.expected.acts.push(Act::new("deletePod", "C", "web-77"))),
        ("a write less", |v| {
            v.expected.acts.retain(|act| act.op != "createPod");
        }),
        ("another order", |v| v.expected.acts.reverse()),
        ("another name", |v| v.expected.acts.iter_mut().for_each(|act| act.name.push('x'))),
        ("another detail", |v| {
            let acts = v.expected.acts.iter_mut().filter(|a| a.op != "createPod");
            acts.flat_map(|act| act.detail.values_mut()).for_each(|value| *value = json!("x"));
        }),
        ("replicas", |v| v.expected.status.replicas += 20),
        ("readyReplicas", |v| v.expected.status.ready_replicas += 20),
        ("availableReplicas", |v| v.expected.status.available_replicas += 20),
        ("currentReplicas", |v| v.expected.status.current_replicas += 20),
        ("updatedReplicas", |v| v.expected.status.updated_replicas += 20),
        ("currentRevision", |v| v.expected.status.current_revision.push('x')),
        ("updateRevision", |v| v.expected.status.update_revision.push('x')),
        ("collisionCount", |v| v.expected.status.collision_count = v.expected.status.collision_count.map(|n| n + 1)),
        ("errors", |v| v.expected.errors.push("x".into())),
        ("requeue", |v| v.expected.requeue = Some(0.5)),
    ];
    let mut reported = vec![0; tampers.len()];
    for vector in ours(97) {
        for (i, (what, tamper)) in tampers.iter().enumerate() {
            let mut tampered = vector.clone();
            tamper(&mut tampered);
            if tampered.expected == vector.expected {
                continue;
            }
            let verdict = judge(&tampered).expect("a situation");
            assert!(matches!(verdict, Verdict::Unexplained(_)), "{}: {what}", vector.id);
            reported[i] += 1;
        }
    }
    assert!(reported.iter().all(|n| *n > 0), "each is tried: {reported:?}");
}

#[test]
fn tampered_objects_and_events_are_reported() {
    let mut seen = 0;
    for vector in ours(1).take(60) {
        let Some(full) = &vector.expected.full else { continue };
        let lists = [full.pods.len(), full.claims.len(), full.revisions.len()];
        for (list, _) in lists.iter().enumerate().filter(|(_, len)| **len > 0) {
            let mut tampered = vector.clone();
            let full = tampered.expected.full.as_mut().expect("it has them");
            let objects = [&mut full.pods, &mut full.claims, &mut full.revisions].into_iter().nth(list).expect("three");
            objects[0]["metadata"]["namespace"] = "x".into();
            assert!(matches!(judge(&tampered).expect("a situation"), Verdict::Unexplained(_)), "{}", vector.id);
            seen += 1;
        }
        let mut tampered = vector.clone();
        tampered.expected.full.as_mut().expect("it has them").events.push("Normal Y z".into());
        assert!(matches!(judge(&tampered).expect("a situation"), Verdict::Unexplained(_)), "{}", vector.id);
    }
    assert!(seen > 20, "only {seen}");
}

/// The rules that explain a vector, which they must.
fn rules_of(vector: &Value) -> Vec<&'static str> {
    match judge(&Vector::of(vector.clone()).expect("a vector")).expect("a situation") {
        Verdict::Agrees => Vec::new(),
        Verdict::Explained(rules) => rules,
        Verdict::Unexplained(lines) => panic!("{}", lines.join("\n")),
    }
}

#[test]
fn o_7_explains_a_young_failed_pod_that_stays() {
    let mut seen = 0;
    for vector in ours(11).filter(|v| v.expected.acts.iter().any(|a| a.is("deletePod", "A"))) {
        let mut json = vector.json;
        let now: Timestamp = json["now"].as_str().and_then(|t| t.parse().ok()).expect("now");
        for pod in json["pods"].as_array_mut().expect("pods") {
            pod["metadata"]["creationTimestamp"] = (now - SignedDuration::from_secs(30)).to_string().into();
        }
        seen += usize::from(rules_of(&json).iter().any(|rule| rule.starts_with("O-7 ")));
    }
    assert!(seen > 20, "only {seen}");
}

#[test]
fn o_13_explains_a_revision_of_the_same_meaning() {
    let template = |image: &str| json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}});
    let mut written_out = template("i:1");
    written_out["spec"]["restartPolicy"] = "Always".into();
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "s", "controller": true});
    let recorded = |number: i64, template: &Value| {
        let data = revision::data(template);
        let name = name::revision("web", &revision::hash(&data, 0));
        let metadata =
            json!({"name": name, "uid": number.to_string(), "labels": {"app": "web"}, "ownerReferences": [owner]});
        json!({"metadata": metadata, "data": data, "revision": number})
    };
    let data = revision::data(&written_out);
    let hash = revision::hash(&data, 0);
    let digest = ring::digest::digest(&ring::digest::SHA256, revision::encode(&data).as_bytes());
    let sha256: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let name = name::revision("web", &hash);
    let mut vector = json!({
        "id": "by-hand-0", "now": "2026-01-01T00:00:00Z",
        "set": {
            "metadata": {"name": "web", "namespace": "ns", "uid": "s", "generation": 1},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": written_out},
        },
        "revisions": [recorded(1, &template("i:1")), recorded(2, &template("i:2"))],
        "expect": {
            "actions": [{"op": "createRevision", "name": name, "revision": 3, "hash": hash, "dataSha256": sha256}],
            "status": {"observedGeneration": 1, "currentRevision": name, "updateRevision": name, "collisionCount": 0},
            "statusWritten": true,
        },
    });
    assert_eq!(rules_of(&vector), [BY_MEANING]);
    vector["expect"]["actions"][0]["hash"] = "x".into();
    let verdict = judge(&Vector::of(vector).expect("a vector")).expect("a situation");
    assert!(matches!(verdict, Verdict::Unexplained(_)), "it hides nothing else");
}
