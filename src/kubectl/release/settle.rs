//! Waiting until the StatefulSet calls the pods its own, and up to date.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet},
    core::v1::Pod,
};
use kube::{
    ResourceExt,
    api::{ListParams, Patch},
};
use ordinal_api::LABEL_REVISION;
use ordinal_plan::{meaning::Meaning, revision::restore};
use serde_json::{Value, json};

use super::{Job, arrive::is_ours, record::Record, uid};
use crate::{
    cluster::{code, patching, told},
    family::{is_controlled_by, revision_of},
    pods,
};

impl Job<'_> {
    /// Gives the pods the name that the StatefulSet has for their revision, and waits until it has seen that.
    pub(super) async fn settle(&self, record: &Record, native: &str) -> Result<Value> {
        let (cluster, name) = (self.cluster, &self.target.0);
        loop {
            let now = self.same(record, native).await?;
            let Some(update) = seen(&now) else {
                self.pause("the built-in controller has seen the StatefulSet").await?;
                continue;
            };
            let pods = pods::of(cluster, name).await?;
            let others = pods.iter().filter(|pod| is_known(pod, record) && !is_controlled_by(*pod, native)).count();
            if others > 0 {
                self.pause(&format!("the StatefulSet owns all pods ({others} are not its own yet)")).await?;
                continue;
            }
            let outdated = outdated(&pods, record, update);
            if !outdated.is_empty() {
                self.expect_same_template(record, update).await?;
                println!("the StatefulSet's name for revision {} is {update}", record.rest.update_revision);
                for pod in outdated {
                    self.relabel(pod, update).await?;
                }
                continue;
            }
            let current = &record.rest.current_revision;
            if record.is_partial() && now["status"]["currentRevision"] != current.as_str() {
                self.remember_current(native, current).await?;
                self.pause("the StatefulSet knows which revision was before").await?;
                continue;
            }
            let own = pods.iter().filter(|pod| is_controlled_by(*pod, native));
            let updated = own.filter(|pod| revision_of(pod) == update).count();
            if now["status"]["updatedReplicas"].as_u64().unwrap_or(0) == updated as u64 {
                return Ok(now);
            }
            self.pause(&format!("the StatefulSet has seen that {updated} pods are at revision {update}")).await?;
        }
    }

    /// Waits until it says of itself that all pods are ready.
    pub(super) async fn wait_until_complete(&self, record: &Record, native: &str) -> Result<()> {
        loop {
            let now = self.same(record, native).await?;
            let wanted = now["spec"]["replicas"].as_u64().unwrap_or(1);
            let count = |field: &str| now["status"][field].as_u64().unwrap_or(0);
            let updated =
                record.is_partial() || record.strategy()["type"] == "OnDelete" || count("updatedReplicas") == wanted;
            if seen(&now).is_some() && updated && count("replicas") == wanted && count("readyReplicas") == wanted {
                return Ok(());
            }
            self.pause(&format!("all {wanted} pods are ready in the StatefulSet's eyes")).await?;
        }
    }

    /// The StatefulSet that this release made, as it is now.
    async fn same(&self, record: &Record, native: &str) -> Result<Value> {
        let name = &self.target.0;
        match self.native().await? {
            Some(now) if uid(&now) == native && is_ours(&now, record) => Ok(now),
            Some(_) => bail!("statefulset.apps/{name} was made anew by somebody else: see what it does with the pods"),
            None => bail!("statefulset.apps/{name} was deleted by somebody else: run this again to make it anew"),
        }
    }

    /// What somebody has changed meanwhile is to be rolled out, and no pod is to be called new that is not.
    async fn expect_same_template(&self, record: &Record, update: &str) -> Result<()> {
        let name = &self.target.0;
        let revision = self.cluster.api::<ControllerRevision>().get(update).await;
        let revision = revision.map_err(|error| told(error, &format!("cannot read ControllerRevision {update}")))?;
        let template = restore(serde_json::to_value(&revision.data)?)
            .with_context(|| format!("ControllerRevision {update} holds no template"))?;
        if Meaning::of(&template) == Meaning::of(&record.manifest["spec"]["template"]) {
            return Ok(());
        }
        bail!(
            "somebody has changed the template of statefulset.apps/{name} meanwhile. It owns its pods and, with \
             updateStrategy OnDelete, replaces none. Set the template back and run this again; or delete ConfigMap \
             {name}.ordinal-release, and give it the strategy that rolls the change out: {}",
            record.strategy()
        )
    }

    async fn relabel(&self, pod: &Pod, revision: &str) -> Result<()> {
        let name = pod.name_any();
        let change = json!({"metadata": {"uid": pod.uid(), "labels": {LABEL_REVISION: revision}}});
        match self.cluster.api::<Pod>().patch(&name, &patching(), &Patch::Merge(change)).await {
            Ok(_) => Ok(()),
            // Gone, or another one by now: it is looked at again.
            Err(error) if matches!(code(&error), 404 | 409) => Ok(()),
            Err(error) => Err(told(error, &format!("cannot label pod {name}"))),
        }
    }

    /// The built-in controller takes a new StatefulSet's current revision for its update revision; pods below the partition are at
    /// another one, and one that is made anew shall be, too.
    async fn remember_current(&self, native: &str, current: &str) -> Result<()> {
        let revisions = self.cluster.api::<ControllerRevision>().list(&ListParams::default()).await;
        let revisions = revisions.map_err(|error| told(error, "cannot list ControllerRevisions"))?;
        if !revisions.iter().any(|revision| revision.name_any() == current) {
            bail!("ControllerRevision {current}, which pods below the partition are at, is gone");
        }
        let change = json!({"metadata": {"uid": native}, "status": {"currentRevision": current}});
        let done =
            self.cluster.api::<StatefulSet>().patch_status(&self.target.0, &patching(), &Patch::Merge(change)).await;
        done.map(|_| ()).map_err(|error| told(error, "cannot tell the StatefulSet which revision was before"))
    }
}

/// The update revision of a StatefulSet whose controller has seen its newest version.
fn seen(native: &Value) -> Option<&str> {
    let observed = native["status"]["observedGeneration"].as_i64().unwrap_or(0);
    let update = native["status"]["updateRevision"].as_str().filter(|update| !update.is_empty())?;
    (observed >= native["metadata"]["generation"].as_i64().unwrap_or(0)).then_some(update)
}

/// The pods of before that are at the update revision under the name that it had.
fn outdated<'p>(pods: &'p [Pod], record: &Record, update: &str) -> Vec<&'p Pod> {
    let old = &record.rest.update_revision;
    if old == update {
        return Vec::new();
    }
    pods.iter().filter(|pod| is_known(pod, record) && revision_of(pod) == old).collect()
}

/// Whether a pod is one of before.
fn is_known(pod: &Pod, record: &Record) -> bool {
    pod.uid().is_some_and(|uid| record.rest.pods.get(&pod.name_any()) == Some(&uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pods::Uids, release::record::Rest};

    fn pod(name: &str, uid: &str, revision: &str) -> Pod {
        let metadata = json!({"name": name, "uid": uid, "labels": {LABEL_REVISION: revision}});
        serde_json::from_value(json!({"metadata": metadata})).expect("a pod")
    }

    #[test]
    fn only_pods_of_before_at_the_update_revision_get_its_other_name() {
        let record = Record {
            manifest: Value::Null,
            rest: Rest {
                uid: "o".into(),
                update_revision: "web-2".into(),
                current_revision: "web-1".into(),
                pods: Uids::from([
                    ("web-0".into(), "a".into()),
                    ("web-1".into(), "b".into()),
                    ("web-2".into(), "c".into()),
                ]),
            },
        };
        let pods = [pod("web-0", "a", "web-1"), pod("web-1", "b", "web-2"), pod("web-2", "other", "web-2")];
        let names: Vec<String> = outdated(&pods, &record, "web-x").iter().map(|pod| pod.name_any()).collect();
        assert_eq!(names, ["web-1"], "the partition's stay, and so does a pod that came since");
        assert!(outdated(&pods, &record, "web-2").is_empty());
    }

    #[test]
    fn a_status_of_an_earlier_version_tells_nothing() {
        let native = |observed: i64, update: &str| json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "updateRevision": update}});
        assert_eq!(seen(&native(1, "web-1")), None);
        assert_eq!(seen(&native(2, "")), None);
        assert_eq!(seen(&native(2, "web-1")), Some("web-1"));
    }
}
