//! `kubectl ordinal explain`: the plan of the operator's own planner, made from what there is now.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Result, anyhow};
use k8s_openapi::{NamespaceResourceScope, jiff::Timestamp};
use kube::{Resource, ResourceExt, api::ListParams};
use ordinal_api::lite;
use ordinal_plan::{
    adoption::is_disabled,
    explain::tell,
    gather::{Everything, snapshot},
    native::StatefulSet,
    snapshot::{Memory, Set},
};
use serde::de::DeserializeOwned;

use crate::{
    cli::One,
    cluster::{Cluster, told},
};

pub async fn run(args: &One, cluster: &Cluster) -> Result<ExitCode> {
    let set = cluster.set(&args.set).await?;
    let name = set.name_any();
    let set = Set::new(set).map_err(|why| anyhow!("OrdinalSet {name} is skipped by the operator: {why}"))?;
    let mut everything = everything(cluster).await?;
    // What counts is what the operator may see, and who asks may be somebody else.
    if is_disabled(&set.status) {
        everything.natives = None;
    }
    print!("{}", tell(&snapshot(Arc::new(set), everything, Timestamp::now(), Memory::default())));
    Ok(ExitCode::SUCCESS)
}

/// What a namespace holds, as far as plans look at it.
pub async fn everything(cluster: &Cluster) -> Result<Everything> {
    Ok(Everything {
        pods: all::<lite::Pod, _>(cluster).await?,
        claims: all::<lite::Claim, _>(cluster).await?,
        revisions: all::<lite::Revision, _>(cluster).await?,
        services: all::<lite::Service, _>(cluster).await?,
        // The operator may see them or not; whoever asks may not have to.
        natives: all::<StatefulSet, StatefulSet>(cluster).await.ok(),
    })
}

async fn all<W, T>(cluster: &Cluster) -> Result<Vec<Arc<T>>>
where
    W: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
    T: From<W>,
{
    let listed = cluster.api::<W>().list(&ListParams::default()).await;
    let listed = listed.map_err(|error| told(error, &format!("cannot list {}", W::plural(&()))))?;
    Ok(listed.into_iter().map(|wire| Arc::new(T::from(wire))).collect())
}
