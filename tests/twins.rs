//! The two kinds that are compared, and calls that send any JSON as either of them.

use std::fmt;

use anyhow::{Context, Result};
use http::{Method, Request};
use kube::{
    Client,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use crate::namespace::set_resource;

/// One of the two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// apps/v1 StatefulSet, by the built-in controller.
    Native,
    /// OrdinalSet, by ours.
    Ours,
}

impl Kind {
    /// The kind for kube's dynamic API.
    pub fn resource(self) -> ApiResource {
        match self {
            Kind::Native => {
                ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("apps", "v1", "StatefulSet"), "statefulsets")
            }
            Kind::Ours => set_resource(),
        }
    }

    /// A manifest as one of this kind.
    pub fn dress(self, manifest: &Value) -> Value {
        let resource = self.resource();
        let mut manifest = manifest.clone();
        manifest["apiVersion"] = resource.api_version.into();
        manifest["kind"] = resource.kind.into();
        manifest
    }

    fn path(self, namespace: &str, name: &str, query: &str) -> String {
        let ApiResource { api_version, plural, .. } = self.resource();
        let name = if name.is_empty() { String::new() } else { format!("/{name}") };
        format!("/apis/{api_version}/namespaces/{namespace}/{plural}{name}{query}")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Native => "StatefulSet",
            Kind::Ours => "OrdinalSet",
        })
    }
}

/// What the API server says to a manifest.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The object as it is, or would be, stored.
    Accepted(Value),
    /// Why not.
    Refused(Refusal),
}

/// Why the API server would not have it.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// In words.
    pub message: String,
    /// The fields that the causes name.
    pub fields: Vec<String>,
}

/// Sends manifests to one namespace.
#[derive(Clone)]
pub struct Post {
    /// Any identity that may write there.
    pub client: Client,
    /// Where to.
    pub namespace: String,
}

impl Post {
    /// Creates a set, or would with `dry`. Fields that nobody knows are refused, as kubectl asks for.
    pub async fn create(&self, kind: Kind, manifest: &Value, dry: bool) -> Result<Answer> {
        self.send(Method::POST, &kind.path(&self.namespace, "", query(dry)), Some(&kind.dress(manifest))).await
    }

    /// Replaces a set that is there by `manifest`, or would with `dry`.
    pub async fn update(&self, kind: Kind, name: &str, manifest: &Value, dry: bool) -> Result<Answer> {
        let path = kind.path(&self.namespace, name, "");
        loop {
            let Answer::Accepted(stored) = self.send(Method::GET, &path, None).await? else {
                anyhow::bail!("{kind} {name} is not there");
            };
            let mut manifest = kind.dress(manifest);
            manifest["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
            let answer = self.send(Method::PUT, &format!("{path}{}", query(dry)), Some(&manifest)).await?;
            // Its controller has written the status meanwhile.
            if !matches!(&answer, Answer::Refused(refusal) if refusal.code == 409) {
                return Ok(answer);
            }
        }
    }

    /// Would create a pod.
    pub async fn try_pod(&self, pod: &Value) -> Result<Answer> {
        self.send(Method::POST, &format!("/api/v1/namespaces/{}/pods?dryRun=All", self.namespace), Some(pod)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
        match self.client.request(request.body(body)?).await {
            Ok(stored) => Ok(Answer::Accepted(stored)),
            Err(kube::Error::Api(status)) => {
                let causes = status.details.into_iter().flat_map(|details| details.causes);
                let fields = causes.map(|cause| cause.field).filter(|field| !field.is_empty()).collect();
                Ok(Answer::Refused(Refusal { code: status.code, message: status.message, fields }))
            }
            Err(error) => Err(error).with_context(|| format!("cannot send a manifest to {path}")),
        }
    }
}

fn query(dry: bool) -> &'static str {
    if dry { "?fieldValidation=Strict&dryRun=All" } else { "?fieldValidation=Strict" }
}
