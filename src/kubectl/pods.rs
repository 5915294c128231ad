//! Which pods there are, so that it can be shown that they are still the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};
use ordinal_plan::name;

use crate::{
    cluster::{Cluster, told},
    finding::{Finding, bad, good},
};

/// UIDs by name.
pub type Uids = BTreeMap<String, String>;

/// The pods that have a name of a set's slots, whoever owns them.
pub async fn of(cluster: &Cluster, set: &str) -> Result<Vec<Pod>> {
    let listed = cluster.api::<Pod>().list(&ListParams::default()).await;
    let mut pods = listed.map_err(|error| told(error, "cannot list pods"))?.items;
    pods.retain(|pod| name::parse(&pod.name_any()).parent(&pod.name_any()) == set);
    Ok(pods)
}

/// Who they are.
pub fn uids(pods: &[Pod]) -> Uids {
    pods.iter().map(|pod| (pod.name_any(), pod.uid().unwrap_or_default())).collect()
}

/// The claims that pods mount.
pub fn claims(pods: &[Pod]) -> BTreeSet<String> {
    let volumes = pods.iter().filter_map(|pod| pod.spec.as_ref()?.volumes.as_ref()).flatten();
    volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone())).collect()
}

/// Whether all pods of before are there still. More of them are no harm.
pub fn compare(before: &Uids, after: &Uids) -> Finding {
    let missing: Vec<String> = before
        .iter()
        .filter(|(name, uid)| after.get(*name) != Some(uid))
        .map(|(name, _)| match after.get(name) {
            Some(_) => format!("{name} is another pod than before"),
            None => format!("{name} is gone"),
        })
        .collect();
    match missing.as_slice() {
        [] => good(format!("{} pods, and all are the same as before: none was replaced", before.len())),
        [_, ..] => bad("not all pods are the same as before").with(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_was_replaced_is_told_by_its_uid() {
        let pods = |all: &[(&str, &str)]| all.iter().map(|(n, u)| ((*n).to_owned(), (*u).to_owned())).collect::<Uids>();
        let before = pods(&[("web-0", "a"), ("web-1", "b")]);
        assert!(!compare(&before, &pods(&[("web-0", "a"), ("web-1", "b"), ("web-2", "c")])).is_bad());
        let told = compare(&before, &pods(&[("web-0", "x")])).to_string();
        assert!(told.contains("web-0 is another pod than before") && told.contains("web-1 is gone"), "{told}");
    }
}
