//! A watch that is too old to be continued: 410 Gone, with a store that was really compacted.

use std::time::Duration;

use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use ordinal_tests::{ControlPlane, Doorway, Identity, Look, Operator, Options, Outcome, Witness, eventually};
use serde_json::json;

use crate::sets::{SOON, Sets, set};

/// What happened meanwhile is not in any watch any more: only a full list tells that pods and sets are gone.
#[tokio::test]
async fn n_13_a_watch_that_expired_starts_over_with_a_list_and_misses_no_deletion() -> Outcome {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let mut doorway = Doorway::closed(&control_plane)?;
    doorway.open().await?;
    let kubeconfig = doorway.kubeconfig(&control_plane, Identity::Operator)?;
    let args = ["--leader-elect=false".to_owned()];
    let operator = Operator::launch(&kubeconfig, &args, control_plane.log("operator-expired")).await?;
    operator.ready(SOON).await?;
    let ns = control_plane.namespace("expired").await?;
    ns.create_set(set("db", 3, json!({}))).await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.create_set(set("gone", 1, json!({}))).await?;
    for name in ["db", "web", "gone"] {
        ns.settled(name).await?;
    }
    let witness = Witness::of(&ns);
    let (db, web) = (ns.uids("db").await?, ns.uids("web").await?);
    tokio::time::sleep(Duration::from_millis(800)).await; // events and held-back statuses
    doorway.close();
    operator.says(SOON, &["watch failed, trying again"]).await?;

    let forced = DeleteParams::default().grace_period(0);
    ns.pods().delete("db-1", &forced).await?;
    ns.sets().delete("gone", &DeleteParams::background()).await?;
    ns.sets().delete("web", &DeleteParams::orphan()).await?;
    eventually(SOON, "what was deleted is gone", async || {
        let sets = ns.sets().list(&Default::default()).await?.items.len();
        let orphans = ns.members("web").await?.values().all(|p| p.owner_references().is_empty());
        Ok(Look::when(sets == 1 && orphans, || format!("{sets} sets, orphans {orphans}")))
    })
    .await?;
    let namesake = ns.create_set(set("web", 2, json!({}))).await?;
    let patch = Patch::Merge(json!({"metadata": {"labels": {"app": "other"}}}));
    ns.pods().patch("web-1", &PatchParams::default(), &patch).await?;
    // The server must not remember what the operator would ask for.
    control_plane.kill_apiserver().await?;
    control_plane.compact_etcd().await?;
    control_plane.revive_apiserver().await?;

    let reads = |resource: &str| -> anyhow::Result<Vec<String>> {
        let calls = control_plane.calls(Identity::Operator)?.into_iter();
        let of_kind = calls.filter(|c| c.object.resource == resource && matches!(&*c.verb, "list" | "watch"));
        Ok(of_kind.map(|c| format!("{} {} {}", c.verb, c.answer.code, c.uri)).collect())
    };
    let kinds = ["pods", "ordinalsets"];
    let before = kinds.map(|kind| reads(kind).map(|reads| reads.len()));
    doorway.open().await?;
    ns.replaced("db-1", db.get("db-1").cloned()).await?;
    ns.settled("db").await?;
    for (kind, before) in kinds.iter().zip(before) {
        let before = before?;
        eventually(SOON, &format!("{kind} are listed again"), async || {
            let since = reads(kind)?.split_off(before);
            Ok(Look::when(since.iter().any(|read| read.starts_with("list")), || format!("{since:#?}")))
        })
        .await?;
    }
    let kept = |uids: &std::collections::BTreeMap<String, String>, name: &str| uids.get(name).cloned();
    for name in ["db-0", "db-2"] {
        assert_eq!(ns.pods().get(name).await?.uid(), kept(&db, name), "{name} was restarted");
    }
    // web-0 is the namesake's; web-1 does not match and has the name.
    eventually(SOON, "the namesake has adopted web-0", async || {
        let pod = ns.pods().get("web-0").await?;
        let owner = pod.owner_references().first().map(|o| o.uid.clone());
        Ok(Look::when(pod.uid() == kept(&web, "web-0") && owner == namesake.uid(), || format!("{owner:?}")))
    })
    .await?;
    // While pods were listed again and sets not yet, one may have been made for the set that is gone; it went with it.
    ns.members_are("gone", &[]).await?;
    let lives = witness.lives().into_iter().filter(|(name, _)| !name.starts_with("gone"));
    let expected =
        ["db-0", "db-1", "db-2", "web-0", "web-1"].map(|name| (name.to_owned(), 1 + usize::from(name == "db-1")));
    assert_eq!(lives.collect::<Vec<_>>(), expected);
    assert!(!operator.log().contains("panicked"), "{}", operator.log());
    Ok(())
}
