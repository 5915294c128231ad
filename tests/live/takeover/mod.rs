//! A running StatefulSet becomes an OrdinalSet and one again, beside the real built-in controller: no pod is restarted, no
//! revision made, nothing lost.

mod crashes;
mod databases;
mod disturbed;
mod guarded;
mod refused;
mod there_and_back;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use kube::{Api, ResourceExt};
use ordinal_tests::{ControlPlane, Look, Namespace, Operator, OperatorOptions, Options, install};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::sets::{SOON, Sets};

/// The control plane of these tests, which has the built-in controller, and the rights of deploy/adoption.yaml.
async fn control_plane() -> Result<&'static ControlPlane> {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED
        .get_or_try_init(async || {
            let started = ControlPlane::start(Options { built_in: true, ..Options::default() }).await?;
            install::adoption_permissions(&started.kubectl()).await?;
            Ok(started)
        })
        .await
}

/// A namespace with an operator of its own, which works there alone and may take over what is there.
async fn place(prefix: &str) -> Result<(Namespace, Operator)> {
    let control_plane = control_plane().await?;
    let ns = control_plane.namespace(prefix).await?;
    let operator = Operator::start(control_plane, options(&ns)).await?;
    Ok((ns, operator))
}

fn options(ns: &Namespace) -> OperatorOptions {
    let args = ["--adoption".into(), "--leader-elect=false".into(), format!("--namespaces={}", ns.name())];
    OperatorOptions { args: args.into(), ..OperatorOptions::default() }
}

/// What must not change: pods with what runs in them, claims, revisions.
#[derive(Debug, PartialEq)]
struct Photo {
    /// UID, start, and each container's ID and restarts.
    pods: BTreeMap<String, Value>,
    claims: BTreeMap<String, Option<String>>,
    /// UID and number.
    revisions: BTreeMap<String, (Option<String>, Option<i64>)>,
}

/// What tests ask of StatefulSets.
trait Natives {
    fn natives(&self) -> Api<StatefulSet>;
    /// Makes a StatefulSet and waits until it is settled.
    async fn native(&self, manifest: Value) -> Result<StatefulSet>;
    /// Waits until a StatefulSet says that it is done.
    async fn native_settled(&self, name: &str) -> Result<StatefulSet>;
    /// Changes a StatefulSet.
    async fn patch_native(&self, name: &str, patch: Value) -> Result<StatefulSet>;
    /// Makes the OrdinalSet that takes a StatefulSet over; `more` goes over its spec.
    async fn adopt(&self, native: &StatefulSet, more: Value) -> Result<()>;
    /// Waits until a set has taken over what it was to.
    async fn adopted(&self, name: &str) -> Result<Value>;
    async fn photo(&self) -> Result<Photo>;
}

impl Natives for Namespace {
    fn natives(&self) -> Api<StatefulSet> {
        self.api()
    }

    async fn native(&self, manifest: Value) -> Result<StatefulSet> {
        let made: StatefulSet = self.create_object(manifest).await?;
        self.native_settled(&made.name_any()).await
    }

    async fn native_settled(&self, name: &str) -> Result<StatefulSet> {
        self.eventually(SOON, &format!("StatefulSet {name} is settled"), async || {
            let native = self.natives().get(name).await?;
            let (spec, status) = (native.spec.clone(), native.status.clone().unwrap_or_default());
            let partition = spec.update_strategy.and_then(|s| s.rolling_update?.partition).unwrap_or(0);
            let wanted = spec.replicas.unwrap_or(1);
            let done = status.observed_generation == native.metadata.generation
                && status.replicas == wanted
                && status.available_replicas == Some(wanted)
                && status.updated_replicas.unwrap_or(0) >= wanted - partition
                && (partition > 0 || status.current_revision == status.update_revision);
            Ok(if done { Look::Done(native) } else { Look::NotYet(format!("{status:?}")) })
        })
        .await
    }

    async fn patch_native(&self, name: &str, patch: Value) -> Result<StatefulSet> {
        Ok(self.natives().patch(name, &Default::default(), &kube::api::Patch::Merge(patch)).await?)
    }

    async fn adopt(&self, native: &StatefulSet, more: Value) -> Result<()> {
        let mut spec = json!(native.spec);
        spec["adoptFrom"] = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": native.uid()});
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        self.create_set(json!({"metadata": {"name": native.name_any()}, "spec": spec})).await?;
        Ok(())
    }

    async fn adopted(&self, name: &str) -> Result<Value> {
        self.condition(name, "Adopted", "True", "Adopted").await?;
        let set = self.settled(name).await?;
        assert_eq!(set["spec"]["adoptFrom"], Value::Null, "the field is gone");
        assert_eq!(set["status"]["adoption"]["phase"], "Adopted");
        assert!(self.natives().get_opt(name).await?.is_none(), "the StatefulSet is gone");
        Ok(set)
    }

    async fn photo(&self) -> Result<Photo> {
        let all = Default::default();
        let pods = self.pods().list(&all).await?.into_iter().map(|pod| {
            let status = pod.status.clone().unwrap_or_default();
            let containers = status.container_statuses.into_iter().flatten().map(|c| (c.container_id, c.restart_count));
            let containers = containers.collect::<Vec<_>>();
            (pod.name_any(), json!({"uid": pod.uid(), "start": status.start_time, "containers": containers}))
        });
        let revisions = self.api::<ControllerRevision>().list(&all).await?.into_iter();
        Ok(Photo {
            pods: pods.collect(),
            claims: self.claims().list(&all).await?.into_iter().map(|c| (c.name_any(), c.uid())).collect(),
            revisions: revisions.map(|r| (r.name_any(), (r.uid(), r.revision))).collect(),
        })
    }
}

/// Waits until the condition Adopted is False for this reason; its message.
async fn held(ns: &Namespace, name: &str, reason: &str) -> Result<String> {
    ns.condition(name, "Adopted", "False", reason).await
}

/// Each pod and revision has exactly one owner, of this kind and UID.
async fn owned_by(ns: &Namespace, kind: &str, uid: Option<String>) -> Result<()> {
    let uid = uid.context("an owner has a UID")?;
    ns.eventually(SOON, &format!("everything is owned by the {kind}"), async || {
        let pods = ns.pods().list(&Default::default()).await?.into_iter().map(|p| (p.name_any(), p.metadata));
        let revisions = ns.api::<ControllerRevision>().list(&Default::default()).await?;
        let revisions = revisions.into_iter().map(|r| (r.name_any(), r.metadata));
        let others = pods.chain(revisions).filter(|(_, meta)| {
            let owners = meta.owner_references.as_deref().unwrap_or_default();
            !matches!(owners, [one] if one.kind == kind && one.uid == uid && one.controller == Some(true))
        });
        let others: Vec<_> = others.map(|(name, meta)| (name, meta.owner_references)).collect();
        Ok(Look::when(others.is_empty(), || format!("{others:?}")))
    })
    .await
}
