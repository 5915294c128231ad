//! The API server, as the user's kubeconfig names it.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, PatchParams, PostParams, Preconditions},
    config::{KubeConfigOptions, Kubeconfig},
};
use ordinal_api::OrdinalSet;
use serde_json::Value;

use crate::{cli::Place, target::Target};

/// A cluster and the namespace that is meant.
pub struct Cluster {
    pub client: Client,
    pub namespace: String,
}

impl Cluster {
    /// Reads the kubeconfig. Nothing is asked of the API server yet.
    pub async fn connect(place: &Place) -> Result<Self> {
        let options = KubeConfigOptions { context: place.context.clone(), ..KubeConfigOptions::default() };
        let config = match &place.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).with_context(|| format!("kubeconfig {}", path.display()))?;
                Config::from_custom_kubeconfig(file, &options).await?
            }
            None if place.context.is_some() => Config::from_kubeconfig(&options).await?,
            None => Config::infer().await.context("no cluster: set KUBECONFIG, or give --kubeconfig")?,
        };
        let namespace = place.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: Client::try_from(config)?, namespace })
    }

    /// Objects of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The same as they are on the wire: fields that this plugin does not know are kept.
    pub fn raw<K>(&self) -> Api<DynamicObject>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<K>(&()))
    }

    /// An object as it is stored, if it is there.
    pub async fn stored<K>(&self, name: &str) -> Result<Option<Value>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let found = self.raw::<K>().get_opt(name).await;
        let found = found.map_err(|error| told(error, &format!("cannot read {} {name}", K::kind(&()))))?;
        let Some(found) = found else { return Ok(None) };
        let mut object = serde_json::to_value(found)?;
        (object["apiVersion"], object["kind"]) = (K::api_version(&()).into(), K::kind(&()).into());
        Ok(Some(object))
    }

    /// Has the API server judge a new object without keeping it, and returns what it would store. `strict` refuses fields that it
    /// does not know, and would drop.
    pub async fn try_create<K>(&self, object: &Value, strict: bool) -> Result<Value, kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let path = K::url_path(&(), Some(&self.namespace));
        let validation = if strict { "Strict" } else { "Ignore" };
        let request = http::Request::post(format!("{path}?dryRun=All&fieldValidation={validation}"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(object).map_err(kube::Error::SerdeError)?);
        self.client.request(request.map_err(kube::Error::HttpError)?).await
    }

    /// Deletes exactly this version of a set, and leaves its pods; false when there is a newer one.
    pub async fn orphan(&self, set: &OrdinalSet) -> kube::Result<bool> {
        let params = DeleteParams::orphan()
            .preconditions(Preconditions { uid: set.uid(), resource_version: set.resource_version() });
        match self.api::<OrdinalSet>().delete(&set.name_any(), &params).await {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A set that is there.
    pub async fn set(&self, target: &Target) -> Result<OrdinalSet> {
        self.api::<OrdinalSet>().get(&target.0).await.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 && status.reason == "NotFound" => {
                anyhow!("{target} not found in namespace {}", self.namespace)
            }
            error => told(error, &format!("cannot read {target}")),
        })
    }
}

/// Who writes, for the API server's books.
const MANAGER: &str = "kubectl-ordinal";

/// A change by this plugin.
pub fn patching() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}

/// A creation by this plugin.
pub fn creating() -> PostParams {
    PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }
}

/// What went wrong, in words that tell what to do.
pub fn told(error: kube::Error, doing: &str) -> anyhow::Error {
    match error {
        kube::Error::Api(status) if status.code == 404 && status.message.contains("page not found") => {
            anyhow!(
                "{doing}: the kind OrdinalSet is not installed in this cluster: kubectl apply -f crds/, or the chart"
            )
        }
        kube::Error::Api(status) => anyhow!("{doing}: {}", status.message),
        other => anyhow::Error::from(other).context(doing.to_owned()),
    }
}

/// The HTTP status of a refusal; 0 where there was no answer.
pub fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}
