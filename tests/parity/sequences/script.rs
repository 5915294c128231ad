//! The sequences: read from sequences.yaml, and one for each manifest in tests/databases; and how a step's changes are made.

use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PropagationPolicy},
};
use ordinal_tests::{
    Namespace,
    binaries::repository,
    edit::{put, put_all},
    twins::{Answer, Kind, Post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The name of the set.
pub const SET: &str = "web";

/// A set, and what is done to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What it shows.
    pub title: String,
    /// The base manifest, if it is another than base.yaml.
    #[serde(skip)]
    pub base: Option<Value>,
    /// Changes of the base manifest.
    #[serde(default)]
    pub set: Map<String, Value>,
    /// After the creation.
    pub steps: Vec<Step>,
}

/// Changes that are made at once; then it is waited until nothing moves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What they are.
    pub step: String,
    /// In this order.
    #[serde(rename = "do")]
    pub changes: Vec<Change>,
}

/// One change, the same for both kinds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Creates the set from the manifest as it is by now.
    Create,
    /// Changes the manifest, and replaces the set by it.
    Put(Map<String, Value>),
    /// Scales by the scale subresource.
    Scale(i32),
    /// Deletes the set.
    DeleteSet(Propagation),
    /// Deletes a pod.
    DeletePod(String),
    /// Merges into pods.
    Pod(Map<String, Value>),
    /// Merges into the status of pods, as a kubelet would.
    PodStatus(Map<String, Value>),
    /// Creates a pod.
    MakePod(Value),
    /// Deletes a claim.
    DeleteClaim(String),
    /// Creates a Service.
    MakeService(Value),
}

/// What becomes of a deleted set's pods.
#[derive(Clone, Copy, Debug, Deserialize)]
pub enum Propagation {
    /// They stay.
    Orphan,
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
}

/// All of them.
pub fn all() -> Result<Vec<Sequence>> {
    let mut all: Vec<Sequence> = serde_saphyr::from_str(include_str!("sequences.yaml")).context("sequences.yaml")?;
    let folder = repository().join("tests/databases");
    for file in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        all.push(database(&path).with_context(|| path.display().to_string())?);
    }
    Ok(all)
}

/// A database comes up, grows, gets a new template, shrinks.
fn database(path: &Path) -> Result<Sequence> {
    let mut manifest: Value = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
    manifest["metadata"]["name"] = SET.into();
    let replicas = manifest["spec"]["replicas"].as_i64().and_then(|n| i32::try_from(n).ok()).context("no replicas")?;
    let step = |step: &str, change| Step { step: step.to_owned(), changes: vec![change] };
    let restarted = json!({"template.metadata.annotations": {"restarted": "yes"}});
    let steps = vec![
        step("one more", Change::Scale(replicas + 1)),
        step("a new template", Change::Put(restarted.as_object().cloned().unwrap_or_default())),
        step("as many as before", Change::Scale(replicas)),
    ];
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Sequence { title: format!("database {name}"), base: Some(manifest), set: Map::new(), steps })
}

impl Sequence {
    /// The manifest at the beginning.
    pub fn manifest(&self) -> Result<Value> {
        let mut manifest = match &self.base {
            Some(base) => base.clone(),
            None => serde_saphyr::from_str(include_str!("base.yaml")).context("base.yaml")?,
        };
        put_all(&mut manifest, &self.set).with_context(|| self.title.clone())?;
        Ok(manifest)
    }
}

/// Makes a step's changes of the manifest itself.
pub fn edit(manifest: &mut Value, step: &Step) -> Result<()> {
    for change in &step.changes {
        match change {
            Change::Put(changes) => put_all(manifest, changes).with_context(|| step.step.clone())?,
            Change::Scale(replicas) => put(manifest, "replicas", &json!(replicas))?,
            _ => {}
        }
    }
    Ok(())
}

/// Makes a step's changes of the twin of one kind; `manifest` is what they make of it.
pub async fn perform(kind: Kind, ns: &Namespace, manifest: &Value, step: &Step) -> Result<()> {
    for change in &step.changes {
        make(kind, ns, manifest, change).await.with_context(|| format!("{kind}, {}: {change:?}", step.step))?;
    }
    Ok(())
}

async fn make(kind: Kind, ns: &Namespace, manifest: &Value, change: &Change) -> Result<()> {
    let sets = Api::<DynamicObject>::namespaced_with(ns.client(), ns.name(), &kind.resource());
    let post = Post { client: ns.client(), namespace: ns.name().to_owned() };
    let params = PatchParams::default();
    match change {
        Change::Create => accepted(post.create(kind, manifest, false).await?)?,
        Change::Put(_) => accepted(post.update(kind, SET, manifest, false).await?)?,
        Change::Scale(replicas) => {
            let patch = json!({"spec": {"replicas": replicas}});
            drop(sets.patch_scale(SET, &params, &Patch::Merge(patch)).await?);
        }
        Change::DeleteSet(propagation) => {
            let how = match propagation {
                Propagation::Orphan => {
                    DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() }
                }
                Propagation::Background => DeleteParams::background(),
                Propagation::Foreground => DeleteParams::foreground(),
            };
            drop(sets.delete(SET, &how).await?);
        }
        Change::DeletePod(name) => ns.delete_pod(name).await?,
        Change::Pod(patches) => {
            for (name, patch) in patches {
                ns.pods().patch(name, &params, &Patch::Merge(patch)).await?;
            }
        }
        Change::PodStatus(patches) => {
            for (name, patch) in patches {
                ns.pods().patch_status(name, &params, &Patch::Merge(json!({"status": patch}))).await?;
            }
        }
        Change::MakePod(pod) => drop(ns.create_object::<Pod>(pod.clone()).await?),
        Change::DeleteClaim(name) => {
            drop(ns.api::<PersistentVolumeClaim>().delete(name, &DeleteParams::default()).await?);
        }
        Change::MakeService(service) => drop(ns.create_object::<Service>(service.clone()).await?),
    }
    Ok(())
}

fn accepted(answer: Answer) -> Result<()> {
    match answer {
        Answer::Accepted(_) => Ok(()),
        Answer::Refused(refusal) => anyhow::bail!("refused: {}", refusal.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_enough() {
        let sequences = all().expect("sequences.yaml is well-formed");
        let titles: BTreeSet<&str> = sequences.iter().map(|s| s.title.as_str()).collect();
        assert!(titles.len() >= 25, "{}", titles.len());
        for sequence in &sequences {
            let mut manifest = sequence.manifest().expect("it has a manifest");
            sequence.steps.iter().for_each(|step| edit(&mut manifest, step).expect("its steps can be made"));
        }
    }
}
