//! Whether a StatefulSet can be adopted: what the operator would ask, and what it has no right to see.

use std::sync::Arc;

use anyhow::{Result, bail};
use k8s_openapi::jiff::Timestamp;
use ordinal_api::AdoptFrom;
use ordinal_plan::{
    adoption::{Check, verify},
    gather::snapshot,
    native::Native,
    snapshot::{Memory, Set},
};
use serde_json::Value;

use crate::{
    cluster::{Cluster, code},
    convert::{NATIVE, OURS},
    explain::everything,
    finding::{Finding, bad, check, good},
    markers, neighbours,
};

/// All findings. `refused` is what the API server says of the OrdinalSet.
pub async fn make(
    cluster: &Cluster,
    manifest: &Value,
    native: &Value,
    refused: Option<kube::Error>,
) -> Result<Vec<Finding>> {
    let mut findings = match Set::read(manifest.clone()) {
        Ok(set) => checks(cluster, set, manifest, native).await?,
        Err(why) => vec![bad(format!("the manifest is no OrdinalSet: {why}"))],
    };
    findings.push(match refused {
        None => good("the API server takes the OrdinalSet"),
        Some(error) => refusal(&error),
    });
    let name = native["metadata"]["name"].as_str().unwrap_or_default();
    findings.extend(neighbours::of(cluster, name, &native["spec"]["template"], NATIVE, OURS).await?.findings);
    findings.extend(markers::of(native, NATIVE.1, OURS.1));
    Ok(findings)
}

async fn checks(cluster: &Cluster, set: Set, manifest: &Value, native: &Value) -> Result<Vec<Finding>> {
    let from: AdoptFrom = serde_json::from_value(manifest["spec"]["adoptFrom"].clone())?;
    let everything = everything(cluster).await?;
    if everything.natives.is_none() {
        bail!("cannot list StatefulSets in namespace {}: you have no right to", cluster.namespace);
    }
    let snapshot = snapshot(Arc::new(set), everything, Timestamp::now(), Memory::default());
    let Native::There(live) = &snapshot.native else { bail!("the StatefulSet was deleted while it was looked at") };
    if native["metadata"]["uid"] != live.uid() {
        bail!("the StatefulSet was made anew while it was looked at: run this again");
    }
    Ok(verify(&snapshot, live, &from).iter().map(told).collect())
}

fn told(Check { what, problems, next }: &Check) -> Finding {
    check(what, problems, next)
}

fn refusal(error: &kube::Error) -> Finding {
    let (words, next) = match error {
        kube::Error::Api(status) if status.message.contains("page not found") => (
            "the kind OrdinalSet is not installed in this cluster".to_owned(),
            "install the chart, or kubectl apply -f crds/",
        ),
        kube::Error::Api(status) => {
            let next = if code(error) == 403 {
                "ask for the right"
            } else {
                "change what it names, and give it with --filename"
            };
            (status.message.clone(), next)
        }
        other => (other.to_string(), "run this again"),
    };
    check("the API server takes the OrdinalSet", &[words], next)
}
