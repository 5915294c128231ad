//! Adoption and release where a real server cannot be made to answer so (S-2.5, S-3.11).

use super::{Bench, Call, Server, orphan, pod, revision, set, status};
use serde_json::{Value, json};
use std::time::Duration;

/// Two orphan pods and an orphan revision of a set of three.
fn orphaned(answers: impl Fn(&Call) -> Option<(u16, Value)> + Send + Sync + 'static) -> (Bench, Value) {
    orphans_of(Bench::new(answers))
}

fn orphans_of(mut bench: Bench) -> (Bench, Value) {
    let set = set(3, json!({}));
    bench.sees_set(&set);
    for (version, name) in [(20, "web-0"), (21, "web-1")] {
        bench.sees_pod(&orphan(pod(&set, name, version)));
    }
    bench.sees_revision(&orphan(revision(&set)));
    bench.server.holds("ordinalsets", set.clone());
    (bench, set)
}

/// The calls that change something, but for the set's own status.
fn changes(bench: &Bench) -> Vec<String> {
    let words = bench.server.words().into_iter();
    words.filter(|w| !w.starts_with("GET") && !w.starts_with("PATCH ordinalsets/web/status")).collect()
}

/// TestStatefulSetControllerDeletionTimestampRace: the cache says alive, the server knows better.
// also: S-3.11, N-3
#[tokio::test]
async fn s_2_5_a_set_that_is_not_the_one_any_more_adopts_neither_pods_nor_revisions() {
    let deleted = json!({"metadata": {"name": "web", "uid": "set-uid", "deletionTimestamp": "2020-01-01T00:00:00Z"}});
    let namesake = json!({"metadata": {"name": "web", "uid": "another"}});
    let answers = [
        (200, deleted),
        (200, namesake),
        status(404, "NotFound", "not found"),
        status(500, "InternalError", "etcd is away"),
    ];
    for answer in answers {
        let told = answer.clone();
        let (bench, set) = orphaned(move |call| call.words.starts_with("GET ordinalsets").then(|| answer.clone()));
        assert!(bench.pass(&set).await.is_err(), "{told:?} is no failure");
        assert_eq!(changes(&bench), [""; 0], "after {told:?}");
    }
}

/// Each write takes three seconds, and a read holds for five.
// also: N-3
#[tokio::test(start_paused = true)]
async fn s_2_5_no_adoption_is_sent_long_after_the_read_that_allows_it() {
    let (bench, set) = orphans_of(Bench::of(Server::new(|_| None, Duration::from_secs(3))));
    let error = bench.pass(&set).await.expect_err("an adoption that was given up").to_string();
    assert!(error.contains("too long ago"), "{error}");
    let words = bench.server.words();
    let claiming: Vec<&str> = words.iter().map(|w| w.split(' ').next().unwrap_or_default()).take(5).collect();
    assert_eq!(claiming, ["GET", "PATCH", "PATCH", "GET", "PATCH"], "{words:#?}");
}

// also: S-4.1
#[tokio::test]
async fn s_2_5_a_failed_adoption_lets_the_others_be_tried_and_ends_the_pass_before_any_reconciliation() {
    let fails = |call: &Call| (call.words == "PATCH pods/web-0").then(|| status(500, "InternalError", "no"));
    let (bench, set) = orphaned(fails);
    let error = bench.pass(&set).await.expect_err("a failure").to_string();
    assert!(error.contains("adopt pod web-0: no"), "{error}");
    let changes = changes(&bench);
    assert!(changes.contains(&"PATCH pods/web-1".to_owned()), "{changes:#?}");
    assert!(changes.iter().all(|w| w.starts_with("PATCH")), "something was made: {changes:#?}");
    let written = bench.server.calls().into_iter().filter(|c| c.words.starts_with("PATCH ordinalsets"));
    for status in written.map(|c| c.body["status"].clone()) {
        assert_eq!(status["observedGeneration"], 0, "counters of an unknown state were written: {status}");
    }
}

#[tokio::test]
async fn s_2_5_a_pod_that_is_gone_when_it_is_adopted_or_released_is_no_failure() {
    let gone = |call: &Call| call.words.starts_with("PATCH pods").then(|| status(404, "NotFound", "gone"));
    let (bench, set) = orphaned(gone);
    bench.pass(&set).await.expect("an adoption that came too late");
    assert!(changes(&bench).contains(&"PATCH pods/web-1".to_owned()));

    let mut other = status(422, "Invalid", "metadata.uid: Invalid value");
    other.1["details"] = json!({"causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]});
    for answer in [status(404, "NotFound", "gone"), other] {
        let mut bench = Bench::new(move |call| call.words.starts_with("PATCH pods").then(|| answer.clone()));
        let set = super::set(1, json!({}));
        bench.sees_set(&set);
        bench.sees_revision(&revision(&set));
        let mut relabelled = pod(&set, "web-0", 20);
        relabelled["metadata"]["labels"]["app"] = "other".into();
        bench.sees_pod(&relabelled);
        bench.pass(&set).await.expect("a release that came too late");
        let release = &bench.server.calls()[0];
        assert_eq!(release.words, "PATCH pods/web-0");
        assert_eq!(release.body["metadata"]["uid"], "web-0-uid", "a release names the pod that was judged");
        assert_eq!(release.body["metadata"]["ownerReferences"], json!([{"$patch": "delete", "uid": "set-uid"}]));
    }
}
