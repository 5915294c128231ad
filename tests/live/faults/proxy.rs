//! The proxy of the fault plans: whoever speaks to an API server speaks to it, by either version of HTTP.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use http::Version;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{WatchEvent, WatchParams},
    config::Kubeconfig,
};
use ordinal_tests::{
    Identity,
    proxy::{Asked, Fate, Proxy, Script},
    world,
};
use serde_json::json;

/// Lets everything pass, and hears how it comes: the version, and whether it is a watch.
#[derive(Debug, Default)]
struct Ears(Mutex<BTreeSet<(String, bool)>>);

impl Ears {
    fn heard(&self, version: Version, watch: bool) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(format!("{version:?}"), watch))
    }
}

impl Script for Ears {
    fn request<'s>(&'s self, asked: &'s mut Asked) -> BoxFuture<'s, Fate> {
        let heard = (format!("{:?}", asked.version), asked.is_watch());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(heard);
        async { Fate::Forward }.boxed()
    }
}

#[tokio::test]
async fn n_13_the_proxy_speaks_both_versions_of_http() -> Result<()> {
    let control_plane = &world::world().await?.control_plane;
    let (ns, ears) = (world::namespace("proxy").await?, Arc::new(Ears::default()));
    let proxy = Proxy::start(control_plane, Identity::Tests, ears.clone()).await?;
    let through = proxy.kubeconfig(control_plane, Identity::Tests)?;

    // As the operator does.
    let config = Config::from_custom_kubeconfig(Kubeconfig::read_from(&through)?, &Default::default()).await?;
    let maps = Api::<ConfigMap>::namespaced(Client::try_from(config)?, ns.name());
    maps.create(&Default::default(), &serde_json::from_value(json!({"metadata": {"name": "heard"}}))?).await?;
    // Others put maps into a new namespace too: that of the authority's certificate, for one.
    let only = WatchParams::default().fields("metadata.name=heard");
    let mut events = pin!(maps.watch(&only, "0").await?);
    assert!(matches!(events.try_next().await?, Some(WatchEvent::Added(map)) if map.name_any() == "heard"));
    assert!(ears.heard(Version::HTTP_11, false) && ears.heard(Version::HTTP_11, true), "{ears:?}");

    // As people do. A watch ends with its time.
    let kubectl = control_plane.kubectl().through(through).in_namespace(ns.name());
    let seen = kubectl.run(["get", "configmaps", "--watch", "--request-timeout=8s", "--output=name"]).await?;
    assert!(seen.stdout.contains("configmap/heard"), "{seen:?}");
    assert!(ears.heard(Version::HTTP_2, false) && ears.heard(Version::HTTP_2, true), "{ears:?}");
    Ok(())
}
