//! `rollout restart`: an annotation of the template makes a new revision of the same pods.

use std::process::ExitCode;

use anyhow::Result;
use k8s_openapi::jiff::{Timestamp, Unit};
use kube::api::Patch;
use ordinal_api::OrdinalSet;
use serde_json::json;

use super::{params, told};
use crate::{
    cli::{Dry, Restart},
    cluster::{self, Cluster},
};

/// Where kubectl writes when somebody asked for it.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

pub async fn run(args: &Restart, cluster: &Cluster) -> Result<ExitCode> {
    let (target, dry) = (&args.set.set, args.dry_run.dry_run);
    cluster.set(target).await?;
    if dry != Dry::Client {
        let now = Timestamp::now().round(Unit::Second)?.to_string();
        let patch = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}});
        let done = cluster.api::<OrdinalSet>().patch(&target.0, &params(dry), &Patch::Merge(patch)).await;
        done.map_err(|error| cluster::told(error, &format!("cannot restart {target}")))?;
    }
    println!("{target} restarted{}", told(dry));
    Ok(ExitCode::SUCCESS)
}
