//! Which sets a change wakes (S-8.3, S-8.4, S-8.11).

use super::{Bench, orphan, pod, set, typed};
use crate::{
    cache::{Change, Key},
    watch::Woken,
};
use kube::runtime::watcher::Event;
use ordinal_plan::snapshot::{Claim, Pod, Revision, Service};
use serde_json::{Value, json};

/// Sets `web` and `db` in the namespace; both selectors match `app: web`.
fn bench() -> (Bench, Value) {
    let mut bench = Bench::well();
    let template = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    let web = set(2, json!({"volumeClaimTemplates": template, "serviceName": "front"}));
    let mut db = set(2, json!({}));
    db["metadata"]["name"] = "db".into();
    db["metadata"]["uid"] = "db-uid".into();
    bench.sees_set(&web);
    bench.sees_set(&db);
    (bench, web)
}

fn woken<V: Woken>(bench: &Bench, changes: Vec<Change<V>>) -> Vec<String> {
    let all = changes.iter().flat_map(|change| V::concerned(change, &bench.caches.sets));
    let mut names: Vec<String> = all.map(|key: Key| key.name).collect();
    names.sort();
    names.dedup();
    names
}

fn owned_by(mut object: Value, kind: &str, name: &str, uid: &str) -> Value {
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": true}]);
    object
}

/// The rows of the table. Of the sets whose selector matches an orphan we wake the one that may adopt it: the one with
/// its parent name; and it is woken by an orphan's end as well, for it may wait for the name (S-12.8).
#[tokio::test]
async fn s_8_3_a_pod_wakes_its_owner_before_and_after_and_the_set_of_its_name() {
    let (mut bench, web) = bench();
    let ours = |name| pod(&web, name, 20);
    let mut apply = |event| {
        let changes = bench.pods.apply(event);
        woken(&bench, changes)
    };
    let added = |pod: &Value| Event::Apply(typed(pod));
    assert_eq!(apply(added(&ours("web-0"))), ["web"], "added, with an owner");
    assert_eq!(apply(added(&orphan(ours("web-1")))), ["web"], "added, an orphan: not db, which cannot adopt it");
    assert_eq!(apply(added(&orphan(ours("other-0")))), [""; 0], "an orphan that no set can adopt");
    assert_eq!(apply(added(&ours("web-1"))), ["web"], "adopted");
    let moved = owned_by(ours("web-0"), "OrdinalSet", "db", "db-uid");
    assert_eq!(apply(added(&moved)), ["db", "web"], "another owner: both");
    assert_eq!(apply(added(&orphan(ours("web-0")))), ["db", "web"], "released: the old owner, and who may adopt it");
    let mut terminating = ours("web-1");
    terminating["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z".into();
    assert_eq!(apply(added(&terminating)), ["web"], "deleted");
    assert_eq!(apply(Event::Delete(typed(&terminating))), ["web"], "gone, with an owner");
    assert_eq!(apply(Event::Delete(typed(&orphan(ours("web-0"))))), ["web"], "gone, an orphan that had a slot's name");
}

/// TestStatefulSetControllerDeletePodTombstone: what a watch missed is told by the list that follows.
#[tokio::test]
async fn s_8_3_a_pod_whose_end_was_missed_wakes_its_owner() {
    let (mut bench, web) = bench();
    bench.sees_pod(&pod(&web, "web-0", 20));
    bench.pods.apply(Event::Init);
    let changes = bench.pods.apply(Event::InitDone);
    assert_eq!(woken(&bench, changes), ["web"]);
}

#[tokio::test]
async fn s_8_4_an_owner_is_resolved_by_kind_name_and_uid() {
    let (mut bench, web) = bench();
    let stray = |kind, name, uid| owned_by(pod(&web, "x-0", 20), kind, name, uid);
    for (owner, expected) in [
        (stray("OrdinalSet", "web", "set-uid"), vec!["web"]),
        (stray("StatefulSet", "web", "set-uid"), vec![]),
        (stray("OrdinalSet", "web", "uid-of-a-predecessor"), vec![]),
        (stray("OrdinalSet", "gone", "set-uid"), vec![]),
    ] {
        let changes = bench.pods.apply(Event::Apply(typed(&owner)));
        assert_eq!(woken(&bench, changes), expected, "{}", owner["metadata"]["ownerReferences"]);
        bench.pods.apply(Event::Delete(typed(&owner)));
    }
    // Another namespace's set of the same name is another set.
    let mut elsewhere = pod(&web, "web-0", 20);
    elsewhere["metadata"]["namespace"] = "elsewhere".into();
    let changes = bench.pods.apply(Event::Apply(typed(&elsewhere)));
    assert_eq!(woken(&bench, changes), [""; 0]);
}

/// Where the built-in has no wake-up, its sets wait for a back-off (S-4.18); ours are woken by what they wait for.
// also: S-4.18, O-6
#[tokio::test]
async fn s_8_11_a_claim_wakes_the_set_that_would_use_it_and_others_wake_none() {
    let (mut bench, _) = bench();
    let claim = |name: &str| typed(&json!({"metadata": {"namespace": "ns", "name": name, "uid": name}}));
    for (name, expected) in
        [("data-web-0", vec!["web"]), ("data-db-0", vec![]), ("logs-web-0", vec![]), ("data", vec![])]
    {
        let changes = bench.claims.apply(Event::Apply(claim(name)));
        assert_eq!(woken::<Claim>(&bench, changes), expected, "{name}");
    }
    let mut services = super::filled(&bench.caches.services);
    for (name, expected) in [("front", vec!["web"]), ("other", vec![])] {
        let service = typed(&json!({"metadata": {"namespace": "ns", "name": name, "uid": name}, "spec": {}}));
        let changes = services.apply(Event::Apply(service));
        assert_eq!(woken::<Service>(&bench, changes), expected, "{name}");
    }
    let foreign =
        owned_by(json!({"metadata": {"namespace": "ns", "name": "web-x"}, "revision": 1}), "DaemonSet", "web", "d");
    let changes = bench.revisions.apply(Event::Apply(typed(&foreign)));
    assert_eq!(woken::<Revision>(&bench, changes), [""; 0]);
    let nobody = bench.pods.apply(Event::Delete(typed(&json!({"metadata": {"namespace": "ns", "name": "x-0"}}))));
    assert_eq!(woken::<Pod>(&bench, nobody), [""; 0]);
}

/// In the foreground the garbage collector takes a set's revisions first: they are not to be recorded again and again.
#[tokio::test]
async fn s_4_15_a_revision_that_goes_with_its_set_wakes_nobody() {
    let (mut bench, web) = bench();
    let revision = json!({"metadata": {"namespace": "ns", "name": "web-x", "uid": "x"}, "data": {}, "revision": 1});
    let revision = owned_by(revision, "OrdinalSet", "web", "set-uid");
    let lost = |bench: &mut Bench| {
        bench.revisions.apply(Event::Apply(typed(&revision)));
        let changes = bench.revisions.apply(Event::Delete(typed(&revision)));
        woken::<Revision>(bench, changes)
    };
    assert_eq!(lost(&mut bench), ["web"], "one that somebody deleted is recorded again at once");
    let mut deleting = web.clone();
    deleting["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z".into();
    bench.sees_set(&deleting);
    assert_eq!(lost(&mut bench), [""; 0]);
}
