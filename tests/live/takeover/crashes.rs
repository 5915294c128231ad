//! The operator dies after each write of an adoption, and `kubectl ordinal release` after each of its own, one after the other:
//! the next one goes on from what is in the API.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Result, ensure};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use ordinal_tests::{
    Identity, Operator, Outcome,
    proxy::{Asked, Fate, Proxy, Script},
};
use serde_json::json;
use tokio::sync::Notify;

use super::{Natives, control_plane, options, owned_by, place};
use crate::sets::{Sets, claims, image, set};

/// How many adoptions are under way at a time.
const TOGETHER: usize = 3;

/// Lets so many writes through, and nothing after the last one.
#[derive(Debug)]
struct Guillotine {
    left: AtomicUsize,
    fallen: Notify,
}

impl Script for Guillotine {
    fn request<'s>(&'s self, asked: &'s mut Asked) -> BoxFuture<'s, Fate> {
        if self.left.load(Ordering::SeqCst) == 0 {
            return async { Fate::Swallow }.boxed();
        }
        let tells_only = asked.kind() == "events" || asked.kind() == "selfsubjectaccessreviews";
        if asked.method == Method::GET || tells_only || asked.parameter("dryRun").is_some() {
            return async { Fate::Forward }.boxed();
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            return async { Fate::Forward }.boxed();
        }
        self.fallen.notify_one();
        async { Fate::SwallowReply }.boxed()
    }
}

/// Whether the operator died: there are as many writes as that.
async fn operator_dies_after(writes: usize) -> Result<bool> {
    let control_plane = control_plane().await?;
    let ns = control_plane.namespace("crash").await?;
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Retain"});
    let more = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    let mut native = ns.native(set("web", 2, more)).await?;
    if writes.is_multiple_of(2) {
        ns.patch_native("web", image("nginx:2")).await?;
        native = ns.native_settled("web").await?;
    }
    let before = ns.photo().await?;
    let guillotine = Arc::new(Guillotine { left: writes.into(), fallen: Notify::new() });
    let proxy = Proxy::start(control_plane, Identity::Operator, guillotine.clone()).await?;
    let kubeconfig = proxy.kubeconfig(control_plane, Identity::Operator)?;
    let options = options(&ns);
    let log = control_plane.log(&format!("crash-{writes}"));
    let first = Operator::launch(&kubeconfig, &options.args, log).await?;
    ns.adopt(&native, json!({})).await?;
    let died = tokio::select! {
        () = guillotine.fallen.notified() => true,
        done = ns.adopted("web") => { done?; false },
    };
    // What was on its way has arrived: it was let through before.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    first.kill();
    let _second = Operator::start(control_plane, options).await?;
    let taken = ns.adopted("web").await?;
    let after = ns.photo().await?;
    ensure!(after == before, "after a crash at write {writes}: {after:?}, not {before:?}");
    owned_by(&ns, "OrdinalSet", taken["metadata"]["uid"].as_str().map(str::to_owned)).await?;
    Ok(died)
}

/// Whether the plugin died amid a release.
async fn release_dies_after(writes: usize) -> Result<bool> {
    let (ns, _operator) = place("release").await?;
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Retain"});
    // Its revision is not what the built-in controller would write, so pods get another label as well.
    let more = json!({"volumeClaimTemplates": claims(), "persistentVolumeClaimRetentionPolicy": policy});
    ns.create_set(set("web", 2, more)).await?;
    ns.settled("web").await?;
    let before = ns.photo().await?;
    let control_plane = control_plane().await?;
    let guillotine = Arc::new(Guillotine { left: writes.into(), fallen: Notify::new() });
    let proxy = Proxy::start(control_plane, Identity::Tests, guillotine.clone()).await?;
    let spoilt = ns.kubectl().through(proxy.kubeconfig(control_plane, Identity::Tests)?);
    let died = tokio::select! {
        () = guillotine.fallen.notified() => true,
        done = spoilt.ordinal(["release", "web"]) => {
            let done = done?;
            ensure!(done.code == 0, "{done:?}");
            false
        }
    };
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    if died {
        let again = ns.kubectl().ordinal(["release", "web"]).await?;
        // The last write may have been the last of all.
        let done = again.code == 0 || again.stderr.contains("nothing to release");
        ensure!(done, "after a crash at write {writes}: {again:?}");
    }
    let back = ns.native_settled("web").await?;
    let after = ns.photo().await?;
    ensure!(
        after.pods == before.pods && after.claims == before.claims,
        "after write {writes}: {after:?}, not {before:?}"
    );
    owned_by(&ns, "StatefulSet", back.uid()).await?;
    let strategy = back.spec.update_strategy.and_then(|s| s.type_);
    ensure!(strategy.as_deref() == Some("RollingUpdate"), "after write {writes}: {strategy:?}");
    let maps = ns.api::<ConfigMap>().list(&Default::default()).await?;
    let left: Vec<String> = maps.into_iter().map(|m| m.name_any()).filter(|name| name.contains("release")).collect();
    ensure!(left.is_empty(), "after write {writes}: {left:?}");
    Ok(died)
}

/// Lets one more write through each time, until nobody dies any more; how often somebody has.
async fn each_write<F: Future<Output = Result<bool>>>(dies_after: impl Fn(usize) -> F) -> Result<usize> {
    let mut died = 0;
    for first in (1..).step_by(TOGETHER) {
        let batch = stream::iter(first..first + TOGETHER).map(&dies_after).buffer_unordered(TOGETHER);
        let batch: Vec<bool> = batch.try_collect().await?;
        died += batch.iter().filter(|died| **died).count();
        if batch.contains(&false) {
            break;
        }
    }
    Ok(died)
}

#[tokio::test]
async fn n_13_the_operator_dies_after_each_write_of_an_adoption_and_nothing_is_lost() -> Outcome {
    let died = each_write(operator_dies_after).await?;
    println!("the operator died after each of {died} writes");
    assert!(died > 10, "an adoption has more writes than {died}");
    Ok(())
}

#[tokio::test]
async fn n_13_a_release_that_is_killed_after_each_write_goes_on_and_nothing_is_lost() -> Outcome {
    let died = each_write(release_dies_after).await?;
    println!("the plugin died after each of {died} writes");
    assert!(died > 6, "a release has more writes than {died}");
    Ok(())
}
