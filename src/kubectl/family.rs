//! A set and what hangs on it.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{PersistentVolumeClaim, Pod, Service},
};
use kube::{ResourceExt, api::ListParams};
use ordinal_api::{LABEL_REVISION, OrdinalSet};
use ordinal_plan::name;

use crate::{
    cluster::{Cluster, told},
    target::Target,
};

/// All of it, as it was read.
pub struct Family {
    pub set: OrdinalSet,
    /// By ordinal; pods of the set alone.
    pub pods: BTreeMap<i32, Pod>,
    /// By name; claims of its templates, whoever owns them.
    pub claims: BTreeMap<String, PersistentVolumeClaim>,
    /// Oldest first.
    pub revisions: Vec<ControllerRevision>,
    /// The governing Service, if it is there.
    pub service: Option<Service>,
}

impl Family {
    /// Reads it.
    pub async fn of(cluster: &Cluster, target: &Target) -> Result<Self> {
        let set = cluster.set(target).await?;
        Self::around(cluster, set).await
    }

    /// Reads what hangs on a set.
    pub async fn around(cluster: &Cluster, set: OrdinalSet) -> Result<Self> {
        let uid = set.uid().unwrap_or_default();
        let all = ListParams::default();
        let (pods, claims) = (cluster.api::<Pod>(), cluster.api::<PersistentVolumeClaim>());
        let (pods, claims) = futures::try_join!(pods.list(&all), claims.list(&all))
            .map_err(|error| told(error, "cannot list pods and claims"))?;
        let revisions = revisions(cluster, &set).await?;
        let services = cluster.api::<Service>();
        let service = match set.spec.service_name.as_str() {
            "" => None,
            name => services.get_opt(name).await.map_err(|error| told(error, "cannot read the Service"))?,
        };
        let pods = pods.into_iter().filter(|pod| is_controlled_by(pod, &uid)).filter_map(|pod| {
            let ordinal = name::parse(&pod.name_any()).ordinal?;
            Some((ordinal, pod))
        });
        let claims = claims.into_iter().map(|claim| (claim.name_any(), claim));
        let claims = claims.filter(|(name, _)| is_claim_of(&set, name)).collect();
        Ok(Self { pods: pods.collect(), claims, revisions, service, set })
    }

    /// The claims of an ordinal.
    pub fn claims_of(&self, ordinal: i32) -> impl Iterator<Item = &PersistentVolumeClaim> {
        let set = self.set.name_any();
        self.claims
            .values()
            .filter(move |claim| name::parse_claim(&claim.name_any(), &set).is_some_and(|(_, of)| of == ordinal))
    }

    /// The ordinals that shall have a pod.
    pub fn range(&self) -> std::ops::Range<i32> {
        let start = self.set.spec.ordinals.map_or(0, |o| o.start);
        start..start.saturating_add(self.set.spec.replicas.max(0))
    }
}

/// Whether a claim has the name of one that a set's templates make.
pub fn is_claim_of(set: &OrdinalSet, claim: &str) -> bool {
    let templates = || set.spec.volume_claim_templates.iter().map(|template| &template["metadata"]["name"]);
    name::parse_claim(claim, &set.name_any()).is_some_and(|(template, _)| templates().any(|name| name == template))
}

/// Whether an object's controller is the one of this UID.
pub fn is_controlled_by(object: &impl ResourceExt, uid: &str) -> bool {
    object.owner_references().iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// A set's own revisions, oldest first.
pub async fn revisions(cluster: &Cluster, set: &OrdinalSet) -> Result<Vec<ControllerRevision>> {
    let uid = set.uid().unwrap_or_default();
    let listed = cluster.api::<ControllerRevision>().list(&ListParams::default()).await;
    let listed = listed.map_err(|error| told(error, "cannot list ControllerRevisions"))?;
    let mut ours: Vec<_> = listed.into_iter().filter(|revision| is_controlled_by(revision, &uid)).collect();
    ours.sort_by_key(|revision| (number(revision), revision.name_any()));
    Ok(ours)
}

/// A revision's number.
pub fn number(revision: &ControllerRevision) -> i64 {
    revision.revision.unwrap_or_default()
}

/// The name of the revision that a pod was made from.
pub fn revision_of(pod: &Pod) -> &str {
    pod.labels().get(LABEL_REVISION).map_or("", String::as_str)
}
