//! The OrdinalSet goes, and leaves its pods.

use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::{
    ResourceExt,
    api::{ListParams, Patch},
};
use ordinal_api::OrdinalSet;
use serde_json::json;

use super::{Job, check, is_owned_by, record::Record};
use crate::{
    cluster::{code, patching, told},
    pods,
};

impl Job<'_> {
    /// Tells the set to keep its claims, and waits until it has let those of its pods go: whatever deletes it wrongly shall take
    /// none along. None if it was changed meanwhile, or is not settled any more: what was kept of it may be out of date.
    pub(super) async fn retain(&self, set: &OrdinalSet) -> Result<Option<OrdinalSet>> {
        let (cluster, target) = (self.cluster, self.target);
        let policy = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
        let metadata = json!({"uid": set.uid(), "resourceVersion": set.resource_version()});
        let change = json!({"metadata": metadata, "spec": {"persistentVolumeClaimRetentionPolicy": policy}});
        let done = cluster.api::<OrdinalSet>().patch(&target.0, &patching(), &Patch::Merge(change)).await;
        let mut set = done.map_err(|error| match code(&error) {
            409 => anyhow!("{target} was changed meanwhile: run this again"),
            _ => told(error, &format!("cannot tell {target} to retain its claims")),
        })?;
        println!("{target} is told to retain its claims; the StatefulSet gets the policy back");
        let (uid, told_to) = (set.uid().unwrap_or_default(), set.metadata.generation);
        loop {
            if set.metadata.generation != told_to {
                return Ok(None);
            }
            let claims = cluster.api::<PersistentVolumeClaim>().list(&ListParams::default()).await;
            let claims = claims.map_err(|error| told(error, "cannot list claims"))?;
            // No operator looks at those that are left of pods that are gone; the garbage collector lets them go as well.
            let mounted = pods::claims(&pods::of(cluster, &target.0).await?);
            let owned = claims.iter().filter(|claim| mounted.contains(&claim.name_any()) && is_owned_by(*claim, &uid));
            let owned = owned.count();
            let observed = set.status.as_ref().map_or(0, |status| status.observed_generation);
            if owned == 0 && observed >= set.metadata.generation.unwrap_or(0) {
                return Ok(Some(set).filter(|set| check::unsettled(set, self.partial).is_empty()));
            }
            self.pause(&format!("{target} has let its claims go ({owned} are its own)")).await?;
            set = match self.set().await? {
                Some(now) if now.uid().as_ref() == Some(&uid) => now,
                _ => bail!("{target} was deleted by somebody else meanwhile"),
            };
        }
    }

    /// Waits until the set is gone, and nothing calls it its owner.
    pub(super) async fn wait_until_gone(&self, record: &Record) -> Result<()> {
        let (cluster, target, uid) = (self.cluster, self.target, &record.rest.uid);
        loop {
            match self.set().await? {
                None => break,
                Some(set) if set.uid().as_ref() != Some(uid) => bail!(
                    "somebody has made {target} anew (UID {}): stop them, delete it (kubectl delete ordinalset {} \
                     --cascade=orphan), and run this again; nothing was taken from it",
                    set.uid().unwrap_or_default(),
                    target.0
                ),
                Some(_) => self.pause(&format!("the garbage collector has let {target} go")).await?,
            }
        }
        loop {
            let all = ListParams::default();
            let (pods, revisions) = (cluster.api::<Pod>(), cluster.api::<ControllerRevision>());
            let (pods, revisions) = futures::try_join!(pods.list(&all), async { revisions.list(&all).await })
                .map_err(|error: kube::Error| told(error, "cannot list pods and ControllerRevisions"))?;
            let held = pods.iter().filter(|pod| is_owned_by(*pod, uid)).count()
                + revisions.iter().filter(|revision| is_owned_by(*revision, uid)).count();
            if held == 0 {
                return Ok(());
            }
            self.pause(&format!("{held} objects that {target} owned have been let go")).await?;
        }
    }
}
