//! A set goes: with its pods, before them, or without them (S-4.15). What is deleted is the collector's work.

use anyhow::Result;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use ordinal_tests::{Look, Namespace, Outcome, Witness, world};
use serde_json::json;

use super::{at_rest, in_words};
use crate::sets::{SOON, Sets, claims, condition_of, image, set};

async fn set_gone(ns: &Namespace, name: &str) -> Result<()> {
    ns.eventually(SOON, &format!("the set {name} is gone"), async || {
        let left = ns.sets().get_opt(name).await?;
        Ok(Look::when(left.is_none(), || format!("{:?}", left.map(|s| s.metadata))))
    })
    .await
}

/// Deletes the set and waits until it is gone; the operator's calls meanwhile touched no pod, claim or revision.
async fn deleted_without_us(ns: &Namespace, how: DeleteParams) -> Result<()> {
    let before = at_rest(ns).await?.len();
    ns.sets().delete("db", &how).await?;
    set_gone(ns, "db").await?;
    let after = at_rest(ns).await?;
    let touched: Vec<_> = after[before..].iter().filter(|c| c.object.resource != "ordinalsets").collect();
    assert!(touched.is_empty(), "{touched:#?}");
    Ok(())
}

async fn make(ns: &Namespace) -> Result<()> {
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    for pod in ["db-0", "db-1"] {
        ns.annotate_pod(pod, json!({"test.ordinal.dev/stop-after": "500ms"})).await?;
    }
    Ok(())
}

// also: N-8, S-4.1
#[tokio::test]
async fn s_4_15_in_the_background_the_set_goes_first_and_the_collector_takes_the_pods() -> Outcome {
    let ns = world::namespace("background").await?;
    make(&ns).await?;
    deleted_without_us(&ns, DeleteParams::background()).await?;
    ns.members_are("db", &[]).await?;
    assert_eq!(ns.claims().list(&ListParams::default()).await?.items.len(), 2);
    Ok(())
}

// also: N-8, S-4.2
#[tokio::test]
async fn s_4_15_in_the_foreground_the_set_waits_for_its_pods_and_counts_them() -> Outcome {
    let ns = world::namespace("foreground").await?;
    make(&ns).await?;
    let before = at_rest(&ns).await?.len();
    let generation = ns.set("db").await?["metadata"]["generation"].as_i64();
    ns.sets().delete("db", &DeleteParams::foreground()).await?;
    let status = ns
        .eventually(SOON, "the status of the deleted set is written", async || {
            let set = ns.set("db").await?;
            let deleting = condition_of(&set, "Progressing").is_some_and(|c| c["reason"] == "Deleting");
            Ok(if deleting { Look::Done(set["status"].clone()) } else { Look::NotYet(set["status"].to_string()) })
        })
        .await?;
    assert!(status["observedGeneration"].as_i64() > generation, "the deletion is a generation: {status}");
    set_gone(&ns, "db").await?;
    assert!(ns.members("db").await?.is_empty(), "the set went before its pods");
    let after = at_rest(&ns).await?;
    // The collector takes the revisions as well, and the next pass makes one again (S-3.6).
    let ours = ["ordinalsets", "controllerrevisions"];
    let touched: Vec<_> = after[before..].iter().filter(|c| !ours.contains(&&*c.object.resource)).collect();
    assert!(touched.is_empty(), "{touched:#?}");
    Ok(())
}

#[tokio::test]
async fn s_4_15_with_orphan_propagation_the_pods_stay_and_lose_their_owner() -> Outcome {
    let ns = world::namespace("orphaning").await?;
    make(&ns).await?;
    let before = ns.uids("db").await?;
    deleted_without_us(&ns, DeleteParams::orphan()).await?;
    assert_eq!(ns.uids("db").await?, before);
    assert!(ns.members("db").await?.values().all(|pod| pod.owner_references().is_empty()));
    Ok(())
}

/// Name, number and owner of each revision.
async fn revisions(ns: &Namespace) -> Result<Vec<(String, i64, Option<String>)>> {
    let list = ns.api::<ControllerRevision>().list(&ListParams::default().labels("app=web")).await?;
    let owner = |r: &ControllerRevision| r.owner_references().first().map(|o| o.uid.clone());
    let mut all: Vec<_> = list.items.iter().map(|r| (r.name_any(), r.revision.unwrap_or_default(), owner(r))).collect();
    all.sort_by_key(|(_, number, _)| *number);
    Ok(all)
}

/// Appendix B, B-18, with a history.
// also: S-2.5, S-3.7, N-5
#[tokio::test]
async fn s_3_11_a_set_made_again_adopts_revisions_and_pods_and_restarts_none() -> Outcome {
    let ns = world::namespace("made-again").await?;
    let witness = Witness::of(&ns);
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    let old = ns.settled("web").await?["status"].clone();
    let (before, lives) = (revisions(&ns).await?, witness.lives());
    ns.sets().delete("web", &DeleteParams::orphan()).await?;
    set_gone(&ns, "web").await?;
    let orphans = revisions(&ns).await?;
    assert!(orphans.len() == 2 && orphans.iter().all(|(_, _, owner)| owner.is_none()), "{orphans:?}");
    let from = at_rest(&ns).await?.len();

    let mut again = set("web", 2, json!({}));
    again["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2".into();
    let created = ns.create_set(again).await?;
    let new = ns.settled("web").await?["status"].clone();
    let expected: Vec<_> = before.into_iter().map(|(name, number, _)| (name, number, created.uid())).collect();
    assert_eq!(revisions(&ns).await?, expected, "same names and numbers, the new owner");
    assert_eq!(new["updateRevision"], old["updateRevision"]);
    assert_eq!((&new["currentRevision"], &new["collisionCount"]), (&new["updateRevision"], &json!(0)));
    assert_eq!(witness.lives(), lives, "a pod was restarted");

    // One read of the set serves the adoptions of a pass, and the revisions come before the pods.
    let made = at_rest(&ns).await?.split_off(from);
    let calls = made.iter().filter(|c| matches!(&*c.verb, "get" | "patch") && c.object.subresource.is_empty());
    let calls: Vec<_> = calls.map(|c| (c.verb.as_str(), c.object.resource.as_str())).collect();
    let revision = ("patch", "controllerrevisions");
    let expected = [("get", "ordinalsets"), revision, revision, ("patch", "pods"), ("patch", "pods")];
    assert_eq!(calls, expected, "{:#?}", in_words(&made));
    Ok(())
}
