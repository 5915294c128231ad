//! A namespace of its own for each test, and what tests do in it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{self as core, PersistentVolumeClaim, Pod, ServiceAccount},
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    diagnose,
    kubectl::Kubectl,
    wait::{self, Look},
};

/// kube-controller-manager makes the service account within milliseconds, unless a hundred namespaces are made at once on a
/// busy machine, each with an operator of its own.
const SERVICE_ACCOUNT: Duration = Duration::from_secs(120);

/// A namespace with clients bound to it. It stays until its cluster goes, or somebody deletes it.
#[derive(Clone)]
pub struct Namespace {
    name: String,
    client: Client,
    kubectl: Kubectl,
}

impl Namespace {
    /// Creates one whose name begins like this, with these labels, and waits until it takes pods.
    pub async fn create(client: Client, kubectl: Kubectl, prefix: &str, labels: Value) -> Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let object: core::Namespace = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
        Api::all(client.clone())
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("cannot create namespace {name}"))?;
        // Admission refuses pods until it is there.
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
        wait::eventually(SERVICE_ACCOUNT, "the namespace has its default service account", async || {
            let account = accounts.get_opt("default").await?;
            Ok(Look::when(account.is_some(), || "it has none".to_owned()))
        })
        .await?;
        Ok(Self { kubectl: kubectl.in_namespace(&name), name, client })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client that the helpers use: the tests' identity.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// kubectl as the administrator, in this namespace.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// Objects of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client(), &self.name)
    }

    /// Its pods.
    pub fn pods(&self) -> Api<Pod> {
        self.api()
    }

    /// Its claims.
    pub fn claims(&self) -> Api<PersistentVolumeClaim> {
        self.api()
    }

    /// Its OrdinalSets, as the API server stores them: a test must not see them through the operator's own types.
    pub fn sets(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), &self.name, &set_resource())
    }

    /// Creates an object of a kind that Rust knows, from JSON.
    pub async fn create_object<K>(&self, object: Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + serde::Serialize + DeserializeOwned,
        K::DynamicType: Default,
    {
        let told = || format!("cannot create {object}");
        let typed: K = serde_json::from_value(object.clone()).with_context(told)?;
        self.api().create(&PostParams::default(), &typed).await.with_context(told)
    }

    /// Creates an OrdinalSet from JSON; apiVersion and kind may be left out.
    pub async fn create_set(&self, mut set: Value) -> Result<DynamicObject> {
        let resource = set_resource();
        set["apiVersion"] = resource.api_version.into();
        set["kind"] = resource.kind.into();
        let told = || format!("cannot create {set}");
        let typed: DynamicObject = serde_json::from_value(set.clone()).with_context(told)?;
        self.sets().create(&PostParams::default(), &typed).await.with_context(told)
    }

    /// The set as JSON.
    pub async fn set(&self, name: &str) -> Result<Value> {
        let set = self.sets().get(name).await.with_context(|| format!("cannot get set {}/{name}", self.name))?;
        Ok(serde_json::to_value(set)?)
    }

    /// Merges `patch` into a set.
    pub async fn patch_set(&self, name: &str, patch: Value) -> Result<DynamicObject> {
        let told = || format!("cannot patch set {}/{name} with {patch}", self.name);
        self.sets().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.with_context(told)
    }

    /// Sets `spec.replicas` through the scale subresource, as `kubectl scale` and autoscalers do.
    pub async fn scale(&self, name: &str, replicas: i32) -> Result<()> {
        let told = || format!("cannot scale set {}/{name} to {replicas}", self.name);
        let patch = json!({"spec": {"replicas": replicas}});
        self.sets().patch_scale(name, &PatchParams::default(), &Patch::Merge(&patch)).await.with_context(told)?;
        Ok(())
    }

    /// Deletes a set; its pods follow by the garbage collector.
    pub async fn delete_set(&self, name: &str) -> Result<()> {
        let told = || format!("cannot delete set {}/{name}", self.name);
        self.sets().delete(name, &DeleteParams::background()).await.with_context(told)?;
        Ok(())
    }

    /// Deletes a pod gracefully.
    pub async fn delete_pod(&self, name: &str) -> Result<()> {
        let told = || format!("cannot delete pod {}/{name}", self.name);
        self.pods().delete(name, &DeleteParams::default()).await.with_context(told)?;
        Ok(())
    }

    /// Sets annotations of a pod, or removes them (`null`): see control-plane/kwok.yaml for what they do.
    pub async fn annotate_pod(&self, name: &str, annotations: Value) -> Result<()> {
        let told = || format!("cannot annotate pod {}/{name}", self.name);
        let patch = json!({"metadata": {"annotations": annotations}});
        self.pods().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.with_context(told)?;
        Ok(())
    }

    /// As [`wait::eventually`]; a failure also shows the namespace's sets, pods, claims and events.
    pub async fn eventually<T>(
        &self,
        within: Duration,
        what: &str,
        look: impl AsyncFnMut() -> Result<Look<T>>,
    ) -> Result<T> {
        match wait::eventually(within, what, look).await {
            Ok(value) => Ok(value),
            Err(error) => bail!("{error:#}\n{}", diagnose::namespace(&self.kubectl).await),
        }
    }

    /// Waits until a pod is ready.
    pub async fn pod_ready(&self, name: &str, within: Duration) -> Result<Pod> {
        self.eventually(within, &format!("pod {name} is ready"), async || {
            Ok(match self.pods().get_opt(name).await? {
                Some(pod) if is_ready(&pod) => Look::Done(pod),
                Some(pod) => Look::NotYet(describe(&pod)),
                None => Look::NotYet("there is no such pod".to_owned()),
            })
        })
        .await
    }
}

/// The kind OrdinalSet for kube's dynamic API.
pub fn set_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("apps.ordinal.dev", "v1", "OrdinalSet"), "ordinalsets")
}

/// Whether a pod says that it is ready.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A pod's phase and readiness in a few words.
pub fn describe(pod: &Pod) -> String {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("without a phase");
    let ready = if is_ready(pod) { "ready" } else { "not ready" };
    let leaving = if pod.metadata.deletion_timestamp.is_some() { ", being deleted" } else { "" };
    format!("{phase}, {ready}{leaving}")
}
