//! The sets that a contestant works on: making them, changing them, and waiting until they say that they are done.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::PartialObjectMeta,
};
use ordinal_api::lite::Claim;
use ordinal_tests::{Look, Namespace, eventually, twins::Kind};
use serde_json::{Value, json};

use crate::{contestant::Running, observer::Observer, scenario::Sets};

/// Changes of sets at a time.
const AT_A_TIME: usize = 16;

/// Nothing takes that long, unless it hangs: the built-in pauses for up to 1000 s when its caches have lagged often.
const LONGEST: Duration = Duration::from_secs(1800);

/// A list of a thousand objects must not become part of what is measured.
const BETWEEN_LISTS: Duration = Duration::from_secs(1);

/// Some sets of one kind in a namespace.
pub struct Troop {
    kind: Kind,
    shape: Sets,
    name: &'static str,
    placement: Value,
    namespace: Namespace,
    api: Api<DynamicObject>,
    observer: Observer,
    /// How often each spec has been written.
    generation: i64,
    replicas: u32,
}

impl Troop {
    /// Sets that are not made yet. `placement`: fields of the pods' specs.
    pub fn new(kind: Kind, namespace: &Namespace, name: &'static str, shape: Sets, placement: Value) -> Self {
        let api = Api::namespaced_with(namespace.client(), namespace.name(), &kind.resource());
        let observer = Observer::of(kind, namespace, name);
        let replicas = shape.replicas;
        Self { kind, shape, name, placement, namespace: namespace.clone(), api, observer, generation: 0, replicas }
    }

    /// Makes them.
    pub async fn create(&mut self) -> Result<()> {
        self.generation += 1;
        let this = &*self;
        self.each(async |name| {
            let set: DynamicObject = serde_json::from_value(this.manifest(&name))?;
            this.api.create(&PostParams::default(), &set).await.with_context(|| format!("cannot create set {name}"))?;
            Ok(())
        })
        .await
    }

    /// Gives them a new template.
    pub async fn update(&mut self) -> Result<()> {
        let annotations = json!({"restarted": self.generation.to_string()});
        self.patch(json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})).await
    }

    /// Gives each of them so many replicas.
    pub async fn scale(&mut self, replicas: u32) -> Result<()> {
        self.replicas = replicas;
        self.patch(json!({"spec": {"replicas": replicas}})).await
    }

    async fn patch(&mut self, patch: Value) -> Result<()> {
        self.generation += 1;
        let (this, patch) = (&*self, Patch::Merge(patch));
        self.each(async |name| {
            let done = this.api.patch(&name, &PatchParams::default(), &patch).await;
            done.with_context(|| format!("cannot patch set {name}")).map(drop)
        })
        .await
    }

    /// Waits until all of them say that they are done, as they now are wanted.
    pub async fn done(&self, running: &Running) -> Result<()> {
        let (count, generation, replicas) = (self.shape.count as usize, self.generation, i64::from(self.replicas));
        tokio::select! {
            done = self.observer.wait(count, |set| set.is_done(generation, replicas)) => done,
            () = running.ended() => bail!("a contestant has ended in the midst of its work"),
            () = tokio::time::sleep(LONGEST) => bail!("sets {} are not done within {LONGEST:?}", self.name),
        }
    }

    /// What they say must be true: so many pods are there, and no more.
    pub async fn check(&self) -> Result<()> {
        let pods = self.pods().await?;
        let wanted = self.shape.count * self.replicas;
        ensure!(
            pods == wanted as usize,
            "sets {} say that they are done with {wanted} pods, but there are {pods}",
            self.name
        );
        Ok(())
    }

    /// Waits until nobody else has work that they brought: whoever binds their claims.
    pub async fn bound(&self) -> Result<()> {
        if !self.shape.claim {
            return Ok(());
        }
        let claims: Api<Claim> = self.namespace.api();
        eventually(LONGEST, "all claims are bound", async || {
            let list = claims.list(&ListParams::default()).await?;
            let open = list.items.iter().filter(|claim| claim.status.phase != "Bound").count();
            tokio::time::sleep(BETWEEN_LISTS).await;
            Ok(Look::when(open == 0, || format!("{open} are not")))
        })
        .await
    }

    /// Removes them with all that is theirs.
    pub async fn delete(&self) -> Result<()> {
        self.each(async |name| {
            self.api
                .delete(&name, &DeleteParams::background())
                .await
                .with_context(|| format!("cannot delete {name}"))?;
            Ok(())
        })
        .await?;
        eventually(LONGEST, "all pods are gone", async || {
            let left = self.pods().await?;
            Ok(Look::when(left == 0, || format!("{left} are left")))
        })
        .await?;
        if self.shape.claim {
            let claims: Api<PersistentVolumeClaim> = self.namespace.claims();
            claims.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
            // Who comes next must not work beside those who remove a thousand volumes.
            let volumes: Api<PartialObjectMeta<PersistentVolume>> = Api::all(self.namespace.client());
            eventually(LONGEST, "all volumes are gone", async || {
                let left = volumes.list(&ListParams::default()).await?.items.len();
                tokio::time::sleep(BETWEEN_LISTS).await;
                Ok(Look::when(left == 0, || format!("{left} are left")))
            })
            .await?;
        }
        Ok(())
    }

    async fn pods(&self) -> Result<usize> {
        let pods: Api<PartialObjectMeta<Pod>> = self.namespace.api();
        let list = ListParams::default().labels(&format!("app={}", self.name));
        Ok(pods.list(&list).await?.items.len())
    }

    async fn each(&self, act: impl AsyncFn(String) -> Result<()>) -> Result<()> {
        let names = (0..self.shape.count).map(|n| format!("{}-{n}", self.name));
        stream::iter(names).map(|name| act(name)).buffer_unordered(AT_A_TIME).try_collect().await
    }

    fn manifest(&self, name: &str) -> Value {
        let labels = json!({"app": self.name, "set": name});
        let mut pod = self.placement.clone();
        pod["containers"] = json!([{"name": "main", "image": "nginx:1"}]);
        let mut spec = json!({
            "replicas": self.replicas,
            "podManagementPolicy": if self.shape.parallel { "Parallel" } else { "OrderedReady" },
            "selector": {"matchLabels": {"set": name}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        });
        if self.shape.claim {
            let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}});
            spec["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": claim}]);
        }
        self.kind.dress(&json!({"metadata": {"name": name}, "spec": spec}))
    }
}
