//! `kubectl ordinal adopt`: a running StatefulSet becomes an OrdinalSet. The operator does it; here it is looked at whether it can
//! be done, asked for, and watched.

mod choose;
mod end;
mod follow;
mod manifest;
mod report;

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use ordinal_api::{Accept, AdoptFrom, OrdinalSet};
use serde_json::{Value, json};

use crate::{
    cli::Adopt,
    cluster::{Cluster, code, creating, patching, told},
    convert::NATIVE,
    finding::{self, Finding, unsure},
    pods,
    target::Target,
};
use choose::{Way, choose};

pub async fn run(args: &Adopt, cluster: &Cluster) -> Result<ExitCode> {
    let (native, target) = (&args.native, Target(args.native.0.clone()));
    let stored = cluster.stored::<StatefulSet>(&native.0).await?;
    let ours = cluster.api::<OrdinalSet>().get_opt(&native.0).await;
    let ours = ours.map_err(|error| told(error, &format!("cannot read {target}")))?;
    let accept: Vec<Accept> = args.accept.iter().map(|accepted| (*accepted).into()).collect();
    let way = choose(native, stored.as_ref(), ours.as_ref(), &accept)?;
    if args.filename.is_some() && way != Way::Make {
        bail!("{target} is there already, and its spec counts: leave out --filename, or delete it first");
    }
    let before = pods::uids(&pods::of(cluster, &native.0).await?);
    let asked = ours.as_ref().and_then(|ours| ours.spec.adopt_from.as_ref()).map(|from| &from.accept);
    let replaces = asked.into_iter().chain([&accept]).any(|accepted| accepted.contains(&Accept::TemplateChange));
    let task = Task { cluster, target: &target, before: &before, replaces, timeout: args.timeout };
    let (made, set) = match (way, stored, ours) {
        (Way::Make, Some(stored), _) => {
            let from = adopt_from(&stored, accept);
            let (mut manifest, notes) = manifest::make(args.filename.as_deref(), &stored, cluster)?;
            manifest["spec"]["adoptFrom"] = json!(from);
            let refused = cluster.try_create::<OrdinalSet>(&manifest, true).await.err();
            judge(args, cluster, &manifest, &stored, notes, refused).await?;
            if args.rehearsal.is_on() {
                return Ok(ExitCode::SUCCESS);
            }
            (Some(stored), make(cluster, manifest, &target).await?)
        }
        (Way::Ask, Some(stored), Some(ours)) => {
            let from = adopt_from(&stored, accept);
            let mut manifest = serde_json::to_value(&ours)?;
            manifest["spec"]["adoptFrom"] = json!(from);
            let refused = patch(cluster, &ours, &json!(from), true).await.err();
            let notes = vec![unsure(format!("{target} is there already: its own spec counts"))];
            judge(args, cluster, &manifest, &stored, notes, refused).await?;
            if args.rehearsal.is_on() {
                return Ok(ExitCode::SUCCESS);
            }
            let done = patch(cluster, &ours, &json!(from), false).await;
            (None, done.map_err(|error| changed(error, &target))?)
        }
        (Way::Accept(from), _, Some(ours)) if !args.rehearsal.is_on() => {
            let done = patch(cluster, &ours, &json!(from), false).await;
            let set = done.map_err(|error| changed(error, &target))?;
            println!("{target} accepts {}", words(&from.accept));
            (None, set)
        }
        (Way::Accept(_) | Way::Watch, stored, Some(ours)) => {
            println!("{target} is amid taking over the StatefulSet already");
            if args.rehearsal.is_on() {
                return rehearse_amid(args, cluster, &ours, stored.as_ref()).await;
            }
            (None, ours)
        }
        _ => unreachable!("what is to be done was chosen by what there is"),
    };
    task.follow(set, made).await
}

fn adopt_from(native: &Value, accept: Vec<Accept>) -> AdoptFrom {
    let uid = native["metadata"]["uid"].as_str().unwrap_or_default().into();
    AdoptFrom { api_version: NATIVE.0.into(), kind: NATIVE.1.into(), uid, accept }
}

fn words(accept: &[Accept]) -> String {
    accept.iter().map(|accept| format!("{accept:?}")).collect::<Vec<_>>().join(", ")
}

/// Prints the report; an error when the StatefulSet cannot be adopted.
async fn judge(
    args: &Adopt,
    cluster: &Cluster,
    manifest: &Value,
    native: &Value,
    notes: Vec<Finding>,
    refused: Option<kube::Error>,
) -> Result<()> {
    let mut findings = report::make(cluster, manifest, native, refused).await?;
    findings.extend(notes);
    if finding::print(&findings) > 0 {
        bail!("{} cannot be adopted as it stands: nothing was changed", args.native);
    }
    if args.rehearsal.is_on() {
        let accepts = manifest["spec"]["adoptFrom"]["accept"].as_array().into_iter().flatten();
        let replaced = accepts.into_iter().any(|accept| accept == "TemplateChange");
        let how =
            if replaced { "; pods of a changed template are replaced after that" } else { ", with no pod restarted" };
        println!("{} can be adopted{how} (dry run: nothing was changed)", args.native);
    }
    Ok(())
}

/// What there is to be said of one that is being taken over.
async fn rehearse_amid(args: &Adopt, cluster: &Cluster, ours: &OrdinalSet, native: Option<&Value>) -> Result<ExitCode> {
    let status = ours.status.clone().unwrap_or_default();
    if let Some(condition) = status.conditions.iter().find(|c| c.type_ == ordinal_plan::adoption::CONDITION) {
        let [reason, message] = [&condition.reason, &condition.message].map(|text| text.clone().unwrap_or_default());
        println!("{reason}: {message}");
    }
    if let Some(native) = native.filter(|native| native["metadata"]["deletionTimestamp"].is_null()) {
        judge(args, cluster, &serde_json::to_value(ours)?, native, Vec::new(), None).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn make(cluster: &Cluster, manifest: Value, target: &Target) -> Result<OrdinalSet> {
    let made = cluster.raw::<OrdinalSet>().create(&creating(), &serde_json::from_value(manifest)?).await;
    let made = made.map_err(|error| match code(&error) {
        409 => anyhow!("somebody else has made {target} meanwhile: look at it, and run this again"),
        _ => told(error, &format!("cannot create {target}")),
    })?;
    println!("{target} created");
    Ok(serde_json::from_value(serde_json::to_value(made)?)?)
}

/// Writes `spec.adoptFrom` into exactly the version that was judged.
async fn patch(cluster: &Cluster, set: &OrdinalSet, from: &Value, dry_run: bool) -> Result<OrdinalSet, kube::Error> {
    let params = PatchParams { dry_run, ..patching() };
    let metadata = json!({"uid": set.uid(), "resourceVersion": set.resource_version()});
    let change = json!({"metadata": metadata, "spec": {"adoptFrom": from}});
    cluster.api::<OrdinalSet>().patch(&set.name_any(), &params, &Patch::Merge(change)).await
}

fn changed(error: kube::Error, target: &Target) -> anyhow::Error {
    match code(&error) {
        409 => anyhow!("{target} was changed meanwhile: run this again; nothing was changed"),
        _ => told(error, &format!("cannot change {target}")),
    }
}

/// What is being watched.
struct Task<'a> {
    cluster: &'a Cluster,
    target: &'a Target,
    before: &'a pods::Uids,
    /// Whether pods may be replaced by then, as was accepted.
    replaces: bool,
    timeout: std::time::Duration,
}
