//! `kubectl ordinal events`: what was said of a set, its pods and its claims, in order.

use std::process::ExitCode;

use anyhow::Result;
use k8s_openapi::{api::core::v1::Event, apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{ResourceExt, api::ListParams};
use ordinal_plan::name;

use crate::{
    cli::One,
    cluster::{Cluster, told},
    family::is_claim_of,
    output::Table,
    time,
};

pub async fn run(args: &One, cluster: &Cluster) -> Result<ExitCode> {
    let set = cluster.set(&args.set).await?;
    let set_name = set.name_any();
    let listed = cluster.api::<Event>().list(&ListParams::default()).await;
    let mut events = listed.map_err(|error| told(error, "cannot list events"))?.items;
    // Pods and claims that are gone had something to say too: they are known by their names.
    events.retain(|event| {
        let about = event.involved_object.name.as_deref().unwrap_or_default();
        match event.involved_object.kind.as_deref() {
            Some("OrdinalSet") => about == set_name,
            Some("Pod") => name::parse(about).parent(about) == set_name,
            Some("PersistentVolumeClaim") => is_claim_of(&set, about),
            _ => false,
        }
    });
    events.sort_by_key(|event| last(event).map(|time| time.0));
    if events.is_empty() {
        eprintln!("No events found of {} in namespace {}.", args.set, cluster.namespace);
        return Ok(ExitCode::SUCCESS);
    }
    let (now, mut table) = (Timestamp::now(), Table::new(&["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]));
    for event in events {
        let count = event.count.filter(|n| *n > 1).map(|n| format!(" (x{n})")).unwrap_or_default();
        let about = &event.involved_object;
        let object = format!(
            "{}/{}",
            about.kind.clone().unwrap_or_default().to_lowercase(),
            about.name.clone().unwrap_or_default()
        );
        table.row([
            time::age(last(&event).as_ref(), now) + &count,
            event.type_.clone().unwrap_or_default(),
            event.reason.clone().unwrap_or_default(),
            object,
            event.message.clone().unwrap_or_default().trim().replace('\n', " "),
        ]);
    }
    print!("{table}");
    Ok(ExitCode::SUCCESS)
}

/// When it was seen last, in whichever field that stands.
fn last(event: &Event) -> Option<Time> {
    let series = event.series.as_ref().and_then(|s| s.last_observed_time.clone()).map(|t| Time(t.0));
    let single = event.event_time.clone().map(|t| Time(t.0));
    series.or_else(|| event.last_timestamp.clone()).or(single).or_else(|| event.metadata.creation_timestamp.clone())
}
