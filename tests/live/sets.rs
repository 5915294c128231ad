//! Sets for tests, and what is looked at in them.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
pub use ordinal_tests::manifests::{claims, image, set};
use ordinal_tests::{Look, Namespace};
use serde_json::{Value, json};

/// Generous: a busy machine must not fail a test, and a passing test never waits that long.
pub const SOON: Duration = Duration::from_secs(60);

/// Makes a set `db` of one pod that no node takes, deletes the pod's claim, and waits for another one.
pub async fn claim_comes_back_under_pending_pod(ns: &Namespace) -> Result<()> {
    let mut object = set("db", 1, json!({"volumeClaimTemplates": claims()}));
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"nowhere": "yet"});
    ns.create_set(object).await?;
    ns.members_are("db", &["db-0"]).await?;
    let old = ns.claims().get("data-db-0").await?.uid();
    // The protection of a claim in use ends when no scheduled pod uses it.
    ns.claims().delete("data-db-0", &DeleteParams::default()).await?;
    ns.eventually(SOON, "a fresh claim is there", async || {
        let claim = ns.claims().get_opt("data-db-0").await?;
        Ok(Look::when(claim.as_ref().is_some_and(|c| c.uid() != old), || format!("{:?}", claim.map(|c| c.metadata))))
    })
    .await
}

/// What tests ask about a set's pods.
pub trait Sets {
    /// Waits until the set says that it is done: generation observed, all replicas available, none too many.
    async fn settled(&self, set: &str) -> Result<Value>;
    /// Waits for a condition of the set with this status and reason; its message.
    async fn condition(&self, set: &str, type_: &str, status: &str, reason: &str) -> Result<String>;
    /// Waits until this is so of the first blocked pod that the set shows.
    async fn blocked(&self, set: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()>;
    /// The pods that carry the label `app: <set>`, by name.
    async fn members(&self, set: &str) -> Result<BTreeMap<String, Pod>>;
    /// The UIDs of these pods, by name.
    async fn uids(&self, set: &str) -> Result<BTreeMap<String, String>>;
    /// The images of these pods, by name.
    async fn images(&self, set: &str) -> Result<BTreeMap<String, String>>;
    /// Waits until the pods are exactly these.
    async fn members_are(&self, set: &str, names: &[&str]) -> Result<()>;
    /// Waits until a pod of this name with another UID is there.
    async fn replaced(&self, pod: &str, before: Option<String>) -> Result<()>;
    /// The notes of events of this reason about the set.
    async fn notes(&self, set: &str, reason: &str) -> Result<Vec<String>>;
}

impl Sets for Namespace {
    async fn settled(&self, set: &str) -> Result<Value> {
        self.eventually(SOON, &format!("set {set} is settled"), async || {
            let object = self.set(set).await?;
            let (status, n) = (&object["status"], &object["spec"]["replicas"]);
            let observed = status["observedGeneration"] == object["metadata"]["generation"];
            let complete = condition_of(&object, "Progressing").is_some_and(|c| c["reason"] == "Complete");
            let done = observed && complete && status["availableReplicas"] == *n && status["replicas"] == *n;
            Ok(if done { Look::Done(object) } else { Look::NotYet(status.to_string()) })
        })
        .await
    }

    async fn condition(&self, set: &str, type_: &str, status: &str, reason: &str) -> Result<String> {
        self.eventually(SOON, &format!("condition {type_} of set {set} is {status} by {reason}"), async || {
            let object = self.set(set).await?;
            let condition = condition_of(&object, type_).context("there is no such condition")?;
            let done = condition["status"] == status && condition["reason"] == reason;
            let message = condition["message"].as_str().unwrap_or_default().to_owned();
            Ok(if done { Look::Done(message) } else { Look::NotYet(condition.to_string()) })
        })
        .await
    }

    async fn blocked(&self, set: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
        self.eventually(SOON, &format!("set {set} shows a pod as {what}"), async || {
            let blocked = self.set(set).await?["status"]["blockedPods"].clone();
            Ok(Look::when(is_so(&blocked[0]), || blocked.to_string()))
        })
        .await
    }

    async fn members(&self, set: &str) -> Result<BTreeMap<String, Pod>> {
        let list = self.pods().list(&ListParams::default().labels(&format!("app={set}"))).await?;
        Ok(list.items.into_iter().map(|pod| (pod.name_any(), pod)).collect())
    }

    async fn uids(&self, set: &str) -> Result<BTreeMap<String, String>> {
        Ok(self.members(set).await?.into_iter().map(|(name, pod)| (name, pod.uid().unwrap_or_default())).collect())
    }

    async fn images(&self, set: &str) -> Result<BTreeMap<String, String>> {
        let image = |pod: Pod| pod.spec.and_then(|s| s.containers.into_iter().next()?.image).unwrap_or_default();
        Ok(self.members(set).await?.into_iter().map(|(name, pod)| (name, image(pod))).collect())
    }

    async fn members_are(&self, set: &str, names: &[&str]) -> Result<()> {
        self.eventually(SOON, &format!("the pods of {set} are {names:?}"), async || {
            let members = self.members(set).await?;
            Ok(Look::when(members.keys().eq(names.iter()), || format!("{:?}", members.keys())))
        })
        .await
    }

    async fn replaced(&self, pod: &str, before: Option<String>) -> Result<()> {
        self.eventually(SOON, &format!("another {pod} is there"), async || {
            let now = self.pods().get_opt(pod).await?.map(|p| p.uid());
            Ok(Look::when(now.as_ref().is_some_and(|uid| *uid != before), || format!("{now:?}")))
        })
        .await
    }

    async fn notes(&self, set: &str, reason: &str) -> Result<Vec<String>> {
        let fields = format!("involvedObject.kind=OrdinalSet,involvedObject.name={set},reason={reason}");
        let events = self.api::<k8s_openapi::api::core::v1::Event>();
        let list = events.list(&ListParams::default().fields(&fields)).await?;
        Ok(list.items.into_iter().filter_map(|event| event.message).collect())
    }
}

/// A condition of a set as JSON.
pub fn condition_of<'a>(set: &'a Value, type_: &str) -> Option<&'a Value> {
    set["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == type_)
}
