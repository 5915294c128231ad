//! `rollout undo`: the template of an earlier revision is made the set's again.

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use ordinal_api::OrdinalSet;
use ordinal_plan::meaning::Meaning;
use serde_json::json;

use super::{
    history::{find, template},
    params, told,
};
use crate::{
    cli::{Dry, Undo},
    cluster::{self, Cluster},
    family::{number, revisions},
    output,
};

pub async fn run(args: &Undo, cluster: &Cluster) -> Result<ExitCode> {
    let (target, dry) = (&args.set.set, args.dry_run.dry_run);
    let set = cluster.set(target).await?;
    let revisions = revisions(cluster, &set).await?;
    let back = chosen(&revisions, args.to_revision)?;
    let template = template(back)?;
    if Meaning::of(&template) == Meaning::of(&set.spec.template) {
        println!("{target} skipped rollback (current template already matches revision {})", number(back));
        return Ok(ExitCode::SUCCESS);
    }
    if dry == Dry::Client {
        print!("{}", output::yaml(&template)?);
        println!("{target} would get this template{}", told(dry));
        return Ok(ExitCode::SUCCESS);
    }
    // The template as a whole, and only of the spec that was read: somebody may have changed it meanwhile.
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": set.uid()},
        {"op": "test", "path": "/metadata/generation", "value": set.metadata.generation},
        {"op": "replace", "path": "/spec/template", "value": template},
    ]);
    let patch = Patch::<OrdinalSet>::Json(serde_json::from_value(patch)?);
    let done = cluster.api::<OrdinalSet>().patch(&target.0, &PatchParams { force: false, ..params(dry) }, &patch).await;
    done.map_err(|error| match error {
        kube::Error::Api(status)
            if status.code == 422 && status.message.contains("the server rejected our request") =>
        {
            anyhow!("{target} was changed meanwhile: look at it, and try again")
        }
        error => cluster::told(error, &format!("cannot roll {target} back")),
    })?;
    println!("{target} rolled back{}", told(dry));
    Ok(ExitCode::SUCCESS)
}

/// The revision of this number; the one before the newest for 0.
fn chosen(revisions: &[ControllerRevision], number: i64) -> Result<&ControllerRevision> {
    if number < 0 {
        bail!("revision must be a positive integer: {number}");
    }
    if number > 0 {
        return find(revisions, number);
    }
    match revisions {
        [.., before, _] => Ok(before),
        _ => bail!("no rollout history found: there is no revision to go back to"),
    }
}
