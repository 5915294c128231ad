//! The API server, as the user's kubeconfig names it.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Config, Resource,
    config::{KubeConfigOptions, Kubeconfig},
};
use ordinal_api::OrdinalSet;

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
