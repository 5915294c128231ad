//! What a person may do, asked of the API server before anything is begun.

use anyhow::Result;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, api::PostParams};

use crate::cluster::{Cluster, told};

/// A verb, an API group and a resource, which may be a subresource: `pods/status`.
pub type Right = (&'static str, &'static str, &'static str);

/// Those that are missing in the namespace, as `patch pods`.
pub async fn missing(cluster: &Cluster, asked: &[Right]) -> Result<Vec<String>> {
    let reviews = Api::<SelfSubjectAccessReview>::all(cluster.client.clone());
    let mut missing = Vec::new();
    for (verb, group, resource) in asked {
        let (name, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let attributes = ResourceAttributes {
            namespace: Some(cluster.namespace.clone()),
            verb: Some((*verb).into()),
            group: Some((*group).into()),
            resource: Some(name.into()),
            subresource: Some(sub.into()).filter(|sub: &String| !sub.is_empty()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let answer =
            reviews.create(&PostParams::default(), &review).await.map_err(|e| told(e, "cannot ask for rights"))?;
        if !answer.status.is_some_and(|status| status.allowed) {
            missing.push(format!("{verb} {resource}"));
        }
    }
    Ok(missing)
}
