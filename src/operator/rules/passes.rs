//! One pass: what it does by a cache that lags, and what follows from answers that come seldom (S-8.6, S-8.7).

use super::{Bench, Call, pod, revision, set, status};
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use std::time::Duration;

fn refused(words: &'static str, code: u16, reason: &'static str) -> impl Fn(&Call) -> Option<(u16, Value)> {
    move |call| (call.words == words).then(|| status(code, reason, "the server's words"))
}

/// A set of two, of which web-0 and web-1 are there; a third is condemned.
fn with_a_condemned_pod(answers: impl Fn(&Call) -> Option<(u16, Value)> + Send + Sync + 'static) -> (Bench, Value) {
    let mut bench = Bench::new(answers);
    let set = set(2, json!({}));
    bench.sees_set(&set);
    bench.sees_revision(&revision(&set));
    for (version, name) in [(20, "web-0"), (21, "web-1"), (22, "web-2")] {
        bench.sees_pod(&pod(&set, name, version));
    }
    (bench, set)
}

/// A set of one running pod, whose claim is to become the set's own.
fn with_a_claim_to_own(
    answers: impl Fn(&Call) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> (Bench, Value, Value) {
    let mut bench = Bench::new(answers);
    let template = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Retain"});
    let set = set(1, json!({"volumeClaimTemplates": template, "persistentVolumeClaimRetentionPolicy": policy}));
    bench.sees_set(&set);
    bench.sees_revision(&revision(&set));
    let mut pod = pod(&set, "web-0", 20);
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]);
    bench.sees_pod(&pod);
    let claim = json!({"metadata": {"namespace": "ns", "name": "data-web-0", "uid": "c", "resourceVersion": "30"}});
    bench.sees_claim(&claim);
    (bench, set, claim)
}

fn status_written(bench: &Bench) -> Option<Value> {
    let calls = bench.server.calls();
    calls.iter().rev().find(|c| c.words == "PATCH ordinalsets/web/status").map(|c| c.body["status"].clone())
}

// also: S-4.1
#[tokio::test]
async fn s_6_5_when_revisions_cannot_be_had_no_counter_is_written() {
    let revision_fails = |call: &Call| {
        call.words.starts_with("POST controllerrevisions").then(|| status(500, "InternalError", "etcd is away"))
    };
    let mut bench = Bench::new(revision_fails);
    let mut set = set(2, json!({}));
    set["status"] = json!({"replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "currentReplicas": 2,
        "updatedReplicas": 2, "observedGeneration": 1, "currentRevision": "web-old", "updateRevision": "web-old"});
    bench.sees_set(&set);
    assert!(bench.pass(&set).await.is_err());
    assert!(bench.server.words().iter().all(|w| !w.contains("pods/")), "{:#?}", bench.server.words());
    if let Some(status) = status_written(&bench) {
        for field in ["replicas", "readyReplicas", "observedGeneration", "currentRevision", "updateRevision"] {
            assert_eq!(status[field], set["status"][field], "{field}");
        }
    }
}

// also: S-12.28
#[tokio::test]
async fn s_8_6_a_pass_whose_writes_are_not_seen_yet_is_put_off_without_a_failure() {
    let mut bench = Bench::well();
    let set = set(2, json!({"podManagementPolicy": "Parallel"}));
    bench.sees_set(&set);
    bench.sees_revision(&revision(&set));
    bench.pass(&set).await.expect("a pass");
    assert_eq!(bench.server.words(), ["POST pods/web-0", "POST pods/web-1", "PATCH ordinalsets/web/status"]);
    bench.server.forget();
    let mut made = pod(&set, "web-0", 1_000);
    for version in [1_000, 1_001] {
        bench.pass(&set).await.expect("put off is not failed: no back-off");
        assert_eq!(bench.server.words(), [""; 0], "it acted on a cache without its own pods");
        made["metadata"]["name"] = format!("web-{}", version - 1_000).into();
        made["metadata"]["resourceVersion"] = version.to_string().into();
        bench.sees_pod(&made);
    }
    bench.pass(&set).await.expect("put off: the set's own status is not seen yet");
    assert_eq!(bench.server.words(), [""; 0]);
    let mut seen = set.clone();
    seen["metadata"]["resourceVersion"] = "1002".into();
    bench.sees_set(&seen);
    bench.pass(&seen).await.expect("a pass");
    assert!(!bench.server.words().is_empty(), "it is to go on by now");
}

// also: O-5
#[tokio::test]
async fn s_8_6_a_pod_deleted_by_the_last_pass_is_not_deleted_again() {
    let (mut bench, set) = with_a_condemned_pod(|_| None);
    bench.pass(&set).await.expect("a pass");
    assert_eq!(bench.server.words()[0], "DELETE pods/web-2");
    let mut written = set.clone();
    written["metadata"]["resourceVersion"] = "2000".into();
    bench.sees_set(&written); // its own status is there; the pod's end is not
    bench.server.forget();
    bench.pass(&written).await.expect("put off");
    assert_eq!(bench.server.words(), [""; 0]);
}

// also: S-12.30, S-8.7
#[tokio::test]
async fn o_5_a_deletion_that_comes_too_late_is_no_failure_and_hits_no_namesake() {
    for (code, reason) in [(409, "Conflict"), (404, "NotFound")] {
        let (bench, set) = with_a_condemned_pod(refused("DELETE pods/web-2", code, reason));
        bench.pass(&set).await.unwrap_or_else(|e| panic!("{code} is a failure: {e}"));
        let deletions: Vec<_> = bench.server.calls().into_iter().filter(|c| c.words.starts_with("DELETE")).collect();
        assert_eq!(deletions.len(), 1, "{deletions:#?}");
        assert_eq!(deletions[0].body["preconditions"], json!({"uid": "web-2-uid"}));
        assert_eq!(bench.server.notes(), [""; 0], "nothing was deleted, so nothing is told");
    }
}

// also: O-5, N-13
#[tokio::test]
async fn s_8_7_what_is_not_as_it_was_seen_is_looked_at_again_though_no_event_may_come() {
    let soon = Action::requeue(Duration::from_secs(2));
    for words in ["DELETE pods/web-2", "PATCH ordinalsets/web/status"] {
        for (code, reason) in [(409, "Conflict"), (404, "NotFound")] {
            let (bench, set) = with_a_condemned_pod(refused(words, code, reason));
            assert_eq!(bench.pass(&set).await.expect("no failure"), soon, "{words} {code}");
        }
    }
}

#[tokio::test]
async fn s_8_7_a_name_that_is_taken_when_a_pod_is_made_is_tried_again_without_an_event() {
    let mut bench = Bench::new(refused("POST pods/web-0", 409, "AlreadyExists"));
    let set = set(2, json!({}));
    bench.sees_set(&set);
    bench.sees_revision(&revision(&set));
    assert!(bench.pass(&set).await.is_err(), "natively an error, too");
    assert_eq!(bench.server.notes(), [""; 0]);
    assert!(!bench.server.words().contains(&"POST pods/web-1".to_owned()));
}

#[tokio::test]
async fn s_6_6_a_status_that_meets_a_foreign_write_is_made_anew_from_the_newer_set() {
    let conflicts = |call: &Call| {
        let old = call.body["metadata"]["resourceVersion"] == "10";
        (call.words == "PATCH ordinalsets/web/status" && old).then(|| status(409, "Conflict", "modified"))
    };
    let (mut bench, set) = with_a_condemned_pod(conflicts);
    bench.pass(&set).await.expect("a conflict is no failure: the newer set is on its way");
    let mut newer = set.clone();
    newer["metadata"]["resourceVersion"] = "12".into();
    newer["metadata"]["generation"] = 2.into();
    bench.sees_set(&newer);
    let mut terminating = pod(&set, "web-2", 30);
    terminating["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z".into();
    bench.sees_pod(&terminating);
    bench.server.forget();
    bench.pass(&newer).await.expect("a pass");
    let written = bench.server.calls().into_iter().next_back().expect("a status");
    assert_eq!(written.body["metadata"], json!({"uid": "set-uid", "resourceVersion": "12"}));
    assert_eq!(written.body["status"]["observedGeneration"], 2, "not the same computed status once more");
}

/// The native controller tries four times within a pass, by its cache; we do when the cache has what was overlooked.
// also: S-5.6
#[tokio::test]
async fn s_2_9_a_claim_that_was_changed_meanwhile_is_judged_again() {
    let conflicts = |call: &Call| {
        let old = call.body["metadata"]["resourceVersion"] == "30";
        (call.words == "PATCH persistentvolumeclaims/data-web-0" && old).then(|| status(409, "Conflict", "modified"))
    };
    let (mut bench, set, mut claim) = with_a_claim_to_own(conflicts);
    assert!(bench.pass(&set).await.is_err(), "to be tried again");
    assert_eq!(bench.server.notes(), [""; 0], "a conflict is no event");
    claim["metadata"]["resourceVersion"] = "31".into();
    bench.sees_claim(&claim);
    let mut written = set.clone();
    written["metadata"]["resourceVersion"] = "2000".into();
    bench.sees_set(&written);
    bench.server.forget();
    bench.pass(&written).await.expect("a pass");
    let change = &bench.server.calls()[0];
    assert_eq!(change.words, "PATCH persistentvolumeclaims/data-web-0");
    assert_eq!(change.body["metadata"]["resourceVersion"], "31");
    assert_eq!(change.body["metadata"]["ownerReferences"], super::owner());
}

#[tokio::test]
async fn s_7_6_an_event_that_is_lost_fails_no_pass() {
    let lost = |call: &Call| call.words.starts_with("POST events/").then(|| status(500, "InternalError", "no"));
    let (bench, set) = with_a_condemned_pod(lost);
    bench.pass(&set).await.expect("a pass");
    assert_eq!(bench.server.notes().len(), 1, "it was tried once");
    assert_eq!(bench.server.words(), ["DELETE pods/web-2", "PATCH ordinalsets/web/status"]);
}

#[tokio::test]
async fn s_7_2_a_deletion_that_failed_is_told() {
    let (bench, set) = with_a_condemned_pod(refused("DELETE pods/web-2", 500, "InternalError"));
    assert!(bench.pass(&set).await.is_err());
    assert_eq!(bench.server.notes(), ["Delete Pod web-2 in OrdinalSet web failed error: the server's words"]);
}

#[tokio::test]
async fn s_7_3_owners_of_a_claim_that_cannot_be_changed_are_told_of_the_pod() {
    let (bench, set, _) = with_a_claim_to_own(refused("PATCH persistentvolumeclaims/data-web-0", 403, "Forbidden"));
    assert!(bench.pass(&set).await.is_err());
    let told = "Update Pod web-0 in OrdinalSet web failed error: \
                could not update claim data-web-0 for delete policy ownerRefs: the server's words";
    assert_eq!(bench.server.notes(), [told]);
}
