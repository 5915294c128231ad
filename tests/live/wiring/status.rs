//! When and how the status is written (S-6).

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use ordinal_tests::{Look, Namespace, Outcome, world};
use serde_json::{Value, json};

use super::{at_rest, in_words, patch_pod};
use crate::sets::{SOON, Sets, condition_of, set};

async fn status_is(ns: &Namespace, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    ns.eventually(SOON, what, async || {
        let set = ns.set(name).await?;
        Ok(if is(&set["status"]) { Look::Done(set) } else { Look::NotYet(set["status"].to_string()) })
    })
    .await
}

// also: S-1.3
#[tokio::test]
async fn s_6_2_observed_generation_follows_the_spec_and_not_the_metadata() -> Outcome {
    let ns = world::namespace("generation").await?;
    ns.create_set(set("web", 2, json!({"updateStrategy": {"type": "OnDelete"}}))).await?;
    let observed = |set: &Value| set["status"]["observedGeneration"].clone();
    assert_eq!(observed(&ns.settled("web").await?), 1);
    for (generation, replicas) in [(2, 3), (3, 0), (4, 1)] {
        ns.scale("web", replicas).await?;
        assert_eq!(observed(&ns.settled("web").await?), generation);
    }
    let note = json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}});
    ns.patch_set("web", note).await?;
    assert_eq!(observed(&ns.settled("web").await?), 5);
    ns.patch_set("web", json!({"metadata": {"annotations": {"a": "b"}}})).await?;
    at_rest(&ns).await?;
    let set = ns.set("web").await?;
    assert_eq!((&set["metadata"]["generation"], observed(&set)), (&json!(5), json!(5)));
    Ok(())
}

// also: S-8.2
#[tokio::test]
async fn s_6_5_a_pass_that_changes_nothing_writes_nothing() -> Outcome {
    let ns = world::namespace("unchanged").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    let before = at_rest(&ns).await?.len();
    // Each of these wakes the set.
    ns.patch_set("web", json!({"metadata": {"annotations": {"a": "b"}}})).await?;
    patch_pod(&ns, "web-0", json!({"metadata": {"annotations": {"a": "b"}}})).await?;
    patch_pod(&ns, "web-1", json!({"metadata": {"labels": {"more": "x"}}})).await?;
    let after = at_rest(&ns).await?;
    assert_eq!(after.len(), before, "{:#?}", in_words(&after[before..]));
    Ok(())
}

#[tokio::test]
async fn s_6_6_a_foreign_writer_of_the_set_costs_no_status() -> Outcome {
    let ns = world::namespace("rival-writer").await?;
    ns.create_set(set("web", 1, json!({"podManagementPolicy": "Parallel"}))).await?;
    ns.settled("web").await?;
    let end = Instant::now() + Duration::from_secs(3);
    ns.scale("web", 12).await?;
    for n in 0_u32.. {
        ns.patch_set("web", json!({"metadata": {"annotations": {"n": n.to_string()}}})).await?;
        if Instant::now() > end {
            break;
        }
    }
    let set = ns.settled("web").await?;
    assert_eq!(set["status"]["updatedReplicas"], 12);
    let calls = at_rest(&ns).await?;
    let writes = calls.iter().filter(|c| c.is("patch", "ordinalsets", "web"));
    for write in writes {
        assert!(write.body["metadata"]["resourceVersion"].is_string(), "a blind status write: {}", write.body);
        assert_eq!(write.body["metadata"]["uid"], set["metadata"]["uid"]);
        assert!(matches!(write.answer.code, 200 | 409), "{}", write.in_words());
    }
    Ok(())
}

/// Appendix B, B-1.
#[tokio::test]
async fn s_6_7_what_a_pass_makes_is_counted_by_the_next() -> Outcome {
    let ns = world::namespace("lag").await?;
    ns.create_set(set("web", 2, json!({"podManagementPolicy": "Parallel"}))).await?;
    ns.settled("web").await?;
    let calls = at_rest(&ns).await?;
    let first = calls.iter().position(|c| c.is("patch", "ordinalsets", "web")).context("no status was written")?;
    let made = calls[..first].iter().filter(|c| c.verb == "create" && c.object.resource == "pods").count();
    assert_eq!(made, 2, "pods before the status: {:#?}", in_words(&calls));
    assert_eq!(calls[first].body["status"]["replicas"], 0, "{}", calls[first].body);
    Ok(())
}

#[tokio::test]
async fn s_6_8_conditions_of_others_are_kept_as_they_are() -> Outcome {
    let ns = world::namespace("conditions").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    let mut conditions = ns.settled("web").await?["status"]["conditions"].clone();
    let foreign = json!({"type": "example.org/Backup", "status": "Unknown", "reason": "NeverRun", "message": "none yet",
        "lastTransitionTime": "2020-02-02T02:02:02Z"});
    conditions.as_array_mut().into_iter().for_each(|all| all.push(foreign.clone()));
    let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
    ns.sets().patch_status("web", &PatchParams::default(), &patch).await?;
    ns.scale("web", 2).await?;
    let set = ns.settled("web").await?;
    assert_eq!(condition_of(&set, "example.org/Backup"), Some(&foreign), "{}", set["status"]);
    // Our own keep the time of their last change of status.
    let ours = |set: &Value| condition_of(set, "Stalled").map(|c| c["lastTransitionTime"].clone());
    ns.scale("web", 3).await?;
    assert_eq!(ours(&ns.settled("web").await?), ours(&set));
    Ok(())
}

/// TestStatefulSetStatusWithPodFail: two of four are let in.
// also: S-4.1, S-4.11
#[tokio::test]
async fn s_6_3_pods_that_could_be_made_are_counted_although_others_were_refused() -> Outcome {
    let ns = world::namespace("half").await?;
    ns.create_object::<ResourceQuota>(json!({"metadata": {"name": "two"}, "spec": {"hard": {"pods": "2"}}})).await?;
    ns.eventually(SOON, "the quota counts", async || {
        let quota = ns.api::<ResourceQuota>().get("two").await?;
        Ok(Look::when(quota.status.is_some_and(|s| s.used.is_some()), || "not yet".to_owned()))
    })
    .await?;
    ns.create_set(set("web", 4, json!({"podManagementPolicy": "Parallel"}))).await?;
    let counted = |s: &Value| s["replicas"] == 2 && s["readyReplicas"] == 2 && s["observedGeneration"] == 1;
    status_is(&ns, "web", "two pods are counted", counted).await?;
    let message = ns.condition("web", "Stalled", "True", "PodRejected").await?;
    assert!(message.contains("exceeded quota: two"), "{message}");
    Ok(())
}

/// Sets the Ready condition's time of a running pod, as if it had been ready for so long.
async fn ready_for(ns: &Namespace, pod: &str, seconds: i64) -> Result<()> {
    let since = Timestamp::from_second(Timestamp::now().as_second() - seconds)?.to_string();
    let patch = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}]}});
    ns.pods().patch_status(pod, &PatchParams::default(), &Patch::Strategic(patch)).await?;
    Ok(())
}

/// TestStatefulSetAvailable: of four, three ready, two of them long enough.
// also: S-12.20
#[tokio::test]
async fn s_6_3_ready_is_not_yet_available() -> Outcome {
    let ns = world::namespace("available").await?;
    let spec = json!({"podManagementPolicy": "Parallel", "minReadySeconds": 3600});
    ns.create_set(set("web", 4, spec)).await?;
    for pod in ["web-0", "web-1", "web-2", "web-3"] {
        ns.pod_ready(pod, SOON).await?;
    }
    ready_for(&ns, "web-0", 4000).await?;
    ready_for(&ns, "web-2", 4000).await?;
    ns.annotate_pod("web-3", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    let counted = |s: &Value| s["replicas"] == 4 && s["readyReplicas"] == 3 && s["availableReplicas"] == 2;
    status_is(&ns, "web", "4 there, 3 ready, 2 available", counted).await?;
    Ok(())
}

/// Two pods become available at two moments; nothing but time passes.
#[tokio::test]
async fn s_8_5_the_set_looks_again_when_a_pod_becomes_available() -> Outcome {
    let ns = world::namespace("timers").await?;
    let spec = json!({"podManagementPolicy": "Parallel", "minReadySeconds": 3});
    ns.create_set(set("web", 1, spec)).await?;
    let ready = ns.pod_ready("web-0", SOON).await?;
    let since = |pod: &Pod| {
        let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
        conditions.filter(|c| c.type_ == "Ready").find_map(|c| c.last_transition_time.as_ref().map(|t| t.0))
    };
    let early = |s: &Value| s["readyReplicas"] == 1 && s["availableReplicas"] == 0;
    status_is(&ns, "web", "it is ready and not available", early).await?;
    status_is(&ns, "web", "it is available", |s| s["availableReplicas"] == 1).await?;
    let seconds = since(&ready).map(|at| Timestamp::now().duration_since(at).as_secs_f64());
    // Times of conditions are whole seconds, so it may look up to one longer.
    assert!(seconds.is_some_and(|s| (3.0..5.0).contains(&s)), "available after {seconds:?} s instead of 3");
    let before = at_rest(&ns).await?.len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(at_rest(&ns).await?.len(), before, "it goes on looking");
    Ok(())
}
