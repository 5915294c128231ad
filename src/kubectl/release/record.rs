//! What a release needs to know after its set is gone: a ConfigMap beside it, so that whoever comes next can go on.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    ResourceExt,
    api::{DeleteParams, Preconditions},
};
use ordinal_api::OrdinalSet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, code, creating, told},
    pods::Uids,
};

/// Behind the set's name.
const SUFFIX: &str = ".ordinal-release";

/// The label by which they are found.
pub const LABEL: &str = "apps.ordinal.dev/release";

/// All that must not be lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The StatefulSet to be, with the API server's defaults.
    pub manifest: Value,
    pub rest: Rest,
}

/// What is beside the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rest {
    /// UID of the OrdinalSet.
    pub uid: String,
    /// The revision that the last roll-out was to.
    pub update_revision: String,
    /// The one before, where a partition holds pods at it.
    pub current_revision: String,
    /// The pods, as they were.
    pub pods: Uids,
}

/// A record that is in the API.
pub struct Kept {
    pub name: String,
    uid: Option<String>,
    version: Option<String>,
    pub record: Record,
}

impl Kept {
    pub fn is_of(&self, set: &OrdinalSet) -> bool {
        set.uid().as_deref() == Some(&self.record.rest.uid)
    }

    /// What the set did with claims, before it was told to keep them.
    pub fn policy(&self) -> Option<&Value> {
        self.record.manifest.pointer("/spec/persistentVolumeClaimRetentionPolicy")
    }
}

impl Record {
    pub fn new(set: &OrdinalSet, manifest: Value, pods: Uids) -> Self {
        let status = set.status.clone().unwrap_or_default();
        let rest = Rest {
            uid: set.uid().unwrap_or_default(),
            update_revision: status.update_revision,
            current_revision: status.current_revision,
            pods,
        };
        Self { manifest, rest }
    }

    /// The strategy that the StatefulSet shall have in the end.
    pub fn strategy(&self) -> Value {
        self.manifest["spec"]["updateStrategy"].clone()
    }

    /// Whether pods of two revisions are to stay.
    pub fn is_partial(&self) -> bool {
        self.rest.current_revision != self.rest.update_revision
    }

    /// What would be done.
    pub fn foretell(&self) -> Vec<String> {
        let name = self.manifest["metadata"]["name"].as_str().unwrap_or_default();
        let policy = &self.manifest["spec"]["persistentVolumeClaimRetentionPolicy"];
        let collects = [&policy["whenDeleted"], &policy["whenScaled"]].into_iter().any(|when| when == "Delete");
        let mut lines = vec![format!("ConfigMap {name}{SUFFIX} would keep the StatefulSet's manifest")];
        if collects {
            lines.push("the OrdinalSet would be told to retain its claims, and let them go".into());
        }
        lines.push(format!("the OrdinalSet would be deleted, and leave its {} pods", self.rest.pods.len()));
        lines.push("the StatefulSet would be made, with updateStrategy OnDelete at first, and take the pods".into());
        let revision = &self.rest.update_revision;
        lines.push(format!(
            "pods at revision {revision} would get the name that the StatefulSet has for it, if it is another"
        ));
        lines.push(format!("the StatefulSet would get updateStrategy {}", self.strategy()));
        lines
    }
}

fn name(set: &str) -> String {
    format!("{set}{SUFFIX}")
}

/// The set whose release a ConfigMap tells of.
pub fn set_of(map: &str) -> &str {
    map.strip_suffix(SUFFIX).unwrap_or(map)
}

/// The record of a set's release, if there is one.
pub async fn read(cluster: &Cluster, set: &str) -> Result<Option<Kept>> {
    let name = name(set);
    let found = cluster.api::<ConfigMap>().get_opt(&name).await;
    let found = found.map_err(|error| told(error, &format!("cannot read ConfigMap {name}")))?;
    let Some(map) = found else { return Ok(None) };
    let record = parse(&map.data.clone().unwrap_or_default()).with_context(|| format!("ConfigMap {name}"))?;
    Ok(Some(Kept { name, uid: map.uid(), version: map.resource_version(), record }))
}

fn parse(data: &BTreeMap<String, String>) -> Result<Record> {
    let part = |key: &str| data.get(key).with_context(|| format!("{key} is missing"));
    Ok(Record {
        manifest: serde_json::from_str(part("manifest.json")?)?,
        rest: serde_json::from_str(part("release.json")?)?,
    })
}

fn map(record: &Record, before: Option<&Kept>) -> Result<ConfigMap> {
    let name = name(record.manifest["metadata"]["name"].as_str().unwrap_or_default());
    Ok(serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {LABEL: "true"},
            "uid": before.and_then(|kept| kept.uid.clone()),
            "resourceVersion": before.and_then(|kept| kept.version.clone()),
        },
        "data": {
            "manifest.json": serde_json::to_string_pretty(&record.manifest)?,
            "release.json": serde_json::to_string_pretty(&record.rest)?,
        },
    }))?)
}

/// Keeps a record, in place of the one before.
pub async fn keep(cluster: &Cluster, record: Record, before: Option<Kept>) -> Result<Kept> {
    let (maps, map) = (cluster.api::<ConfigMap>(), map(&record, before.as_ref())?);
    let name = map.name_any();
    let kept = match before {
        None => maps.create(&creating(), &map).await,
        Some(_) => maps.replace(&name, &creating(), &map).await,
    };
    let kept = kept.map_err(|error| match code(&error) {
        409 => anyhow!("somebody else is at releasing it, as ConfigMap {name} tells: run this again when that is done"),
        _ => told(error, &format!("cannot write ConfigMap {name}")),
    })?;
    println!("ConfigMap {name} keeps what it takes to go on, should this be interrupted");
    Ok(Kept { name, uid: kept.uid(), version: kept.resource_version(), record })
}

/// Deletes it: all is done.
pub async fn drop(cluster: &Cluster, kept: &Kept) -> Result<()> {
    let preconditions = Some(Preconditions { uid: kept.uid.clone(), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::default() };
    match cluster.api::<ConfigMap>().delete(&kept.name, &params).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(code(&error), 404 | 409) => Ok(()),
        Err(error) => Err(told(error, &format!("all is done, but ConfigMap {} cannot be deleted", kept.name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(when_deleted: &str) -> Record {
        let policy = json!({"whenDeleted": when_deleted, "whenScaled": "Retain"});
        let spec = json!({"persistentVolumeClaimRetentionPolicy": policy, "updateStrategy": {"type": "RollingUpdate"}});
        let pods = Uids::from([("web-0".into(), "p".into())]);
        let (uid, update_revision, current_revision) = ("o".into(), "web-1".into(), "web-1".into());
        Record {
            manifest: json!({"metadata": {"name": "web"}, "spec": spec}),
            rest: Rest { uid, update_revision, current_revision, pods },
        }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let map = map(&record("Retain"), None).expect("a map");
        assert_eq!((map.name_any().as_str(), set_of(&map.name_any())), ("web.ordinal-release", "web"));
        assert_eq!(parse(&map.data.expect("data")).expect("a record"), record("Retain"));
        assert!(parse(&BTreeMap::new()).expect_err("nothing").to_string().contains("manifest.json is missing"));
    }

    #[test]
    fn what_would_be_done_is_told() {
        assert!(!record("Retain").foretell().join("\n").contains("claims"));
        let told = record("Delete").foretell().join("\n");
        assert!(told.contains("retain its claims") && told.contains("leave its 1 pods"), "{told}");
    }
}
