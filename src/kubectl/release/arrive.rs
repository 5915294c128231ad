//! The StatefulSet comes, and takes the pods.
//!
//! The built-in controller knows a pod's revision by its label, and names revisions by bytes of its own, so it may find all pods
//! outdated that it has just taken. It therefore comes with the strategy OnDelete, with which it replaces none. Then its status
//! says how it calls the revision, the pods get that name, and its status says when it has seen that. Only then it gets the strategy
//! that it is to have: at no time does it know of an outdated pod that it may replace.

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::Patch;
use serde_json::{Value, json};

use super::{
    Job, RELEASED_FROM, manifest,
    record::{self, Kept, Record},
    uid,
};
use crate::{
    cluster::{code, creating, patching, told},
    convert::{NATIVE, OURS},
    finding::{self, good},
    neighbours, pods,
};

impl Job<'_> {
    /// Makes the StatefulSet; the one that an earlier try made is as good.
    pub(super) async fn create(&self, record: &Record) -> Result<Value> {
        let name = &self.target.0;
        let object = serde_json::from_value(manifest::at_rest(&record.manifest))?;
        match self.cluster.raw::<StatefulSet>().create(&creating(), &object).await {
            Ok(made) => {
                print!("{}", good(format!("statefulset.apps/{name} is made")));
                return Ok(serde_json::to_value(made)?);
            }
            Err(error) if code(&error) == 409 => {}
            Err(error) => {
                let doing =
                    format!("cannot create statefulset.apps/{name}; its pods run on without an owner meanwhile");
                return Err(told(error, &doing));
            }
        }
        match self.native().await? {
            Some(native) if is_ours(&native, record) => Ok(native),
            other => bail!(
                "somebody else has made a StatefulSet {name} (UID {}): what becomes of the pods is up to its spec. The \
                 one that was to be is in ConfigMap {name}.ordinal-release: compare them, then delete the ConfigMap",
                other.as_ref().map(uid).unwrap_or_default()
            ),
        }
    }

    /// Sees it through, and tells how it went.
    pub(super) async fn arrive(&self, kept: &Kept, native: Value) -> Result<ExitCode> {
        let (name, record) = (&self.target.0, &kept.record);
        let settled = self.settle(record, uid(&native)).await?;
        let strategy = record.strategy();
        if settled["spec"]["updateStrategy"] == json!({"type": "OnDelete"}) && strategy["type"] != "OnDelete" {
            self.change(&native, &[json!({"op": "replace", "path": "/spec/updateStrategy", "value": strategy})])
                .await?;
            print!("{}", good(format!("statefulset.apps/{name} has its own update strategy: {strategy}")));
        }
        self.wait_until_complete(record, uid(&native)).await?;
        let after = pods::uids(&pods::of(self.cluster, name).await?);
        let bad = finding::print(&[pods::compare(&record.rest.pods, &after)]);
        record::drop(self.cluster, kept).await?;
        self.unmark(&native).await?;
        println!("statefulset.apps/{name} has taken over from {}", self.target);
        println!("next:");
        let around = neighbours::of(self.cluster, name, &Value::Null, OURS, NATIVE).await?;
        around.repoint.iter().for_each(|command| println!("  {command}"));
        println!(
            "  put the StatefulSet where the OrdinalSet's manifest is kept: kubectl ordinal convert --to statefulset --filename FILE"
        );
        Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Takes the mark away that says which set it was.
    pub(super) async fn unmark(&self, native: &Value) -> Result<()> {
        let path = format!("/metadata/annotations/{}", RELEASED_FROM.replace('/', "~1"));
        self.change(native, &[json!({"op": "remove", "path": path})]).await
    }

    /// Changes exactly this StatefulSet.
    async fn change(&self, native: &Value, operations: &[Value]) -> Result<()> {
        let name = &self.target.0;
        let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": uid(native)})];
        patch.extend_from_slice(operations);
        let patch = Patch::<StatefulSet>::Json(serde_json::from_value(Value::from(patch))?);
        match self.cluster.raw::<StatefulSet>().patch(name, &patching(), &patch).await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == 404 => bail!("statefulset.apps/{name} was deleted by somebody else"),
            Err(error) if code(&error) == 422 => {
                Err(anyhow!("statefulset.apps/{name} was changed by somebody else: run this again"))
            }
            Err(error) => Err(told(error, &format!("cannot change statefulset.apps/{name}"))),
        }
    }
}

/// Whether a StatefulSet is the one that this release made.
pub(super) fn is_ours(native: &Value, record: &Record) -> bool {
    native["metadata"]["annotations"][RELEASED_FROM] == record.rest.uid.as_str()
}
