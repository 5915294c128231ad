//! `kubectl ordinal status`: what a person on call needs to know of a set, on one screen.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Result;
use k8s_openapi::{
    api::core::v1::{Pod, PodCondition},
    jiff::Timestamp,
};
use kube::{ResourceExt, api::ListParams};
use ordinal_api::{Condition, OrdinalSet, OrdinalSetStatus};
use serde_json::json;

use crate::{
    cli::{Output, Sets},
    cluster::{Cluster, told},
    family::{Family, revision_of},
    output::{self, Mood, Table, paint},
    rollout::judge,
    time,
};

pub async fn run(args: &Sets, cluster: &Cluster) -> Result<ExitCode> {
    let sets = match &args.set {
        Some(target) => vec![cluster.set(target).await?],
        None => {
            let chosen = ListParams { label_selector: args.selector.clone(), ..ListParams::default() };
            let listed = cluster.api::<OrdinalSet>().list(&chosen).await;
            listed.map_err(|error| told(error, "cannot list OrdinalSets"))?.items
        }
    };
    if sets.is_empty() && args.output.is_none_or(|format| format == Output::Wide) {
        eprintln!("No OrdinalSets found in namespace {}.", cluster.namespace);
    }
    match args.output {
        Some(Output::Name) => {
            sets.iter().for_each(|set| println!("ordinalset.apps.ordinal.dev/{}", set.name_any()));
        }
        Some(format @ (Output::Json | Output::Yaml)) => match (&args.set, sets.as_slice()) {
            (Some(_), [one]) => print!("{}", output::object(one, format)?),
            (_, all) => {
                print!("{}", output::object(&json!({"apiVersion": "v1", "kind": "List", "items": all}), format)?)
            }
        },
        wide => {
            let now = Timestamp::now();
            let mut texts = Vec::new();
            for set in sets {
                texts.push(screen(&Family::around(cluster, set).await?, now, wide == Some(Output::Wide)));
            }
            print!("{}", texts.join("\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A set as it is shown.
pub fn screen(family: &Family, now: Timestamp, wide: bool) -> String {
    let set = &family.set;
    let status = set.status.clone().unwrap_or_default();
    let mut text = format!("{}\n", headline(set, &status));
    for condition in status.conditions.iter().filter(|c| is_told(c)) {
        let words = condition.message.as_deref().filter(|m| !m.is_empty()).or(condition.reason.as_deref());
        text += &format!("{}: {}\n", condition.type_, words.unwrap_or(&condition.status));
    }
    text += "\n";
    text += &slots(family, &status, now, wide).to_string();
    text
}

fn headline(set: &OrdinalSet, status: &OrdinalSetStatus) -> String {
    let observed = status.observed_generation >= set.metadata.generation.unwrap_or(0);
    let wanted = set.spec.replicas;
    let is = |type_: &str| status.conditions.iter().any(|c| c.type_ == type_ && c.status == "True");
    let (word, mood) = match () {
        () if is("Stalled") => ("Stalled", Mood::Bad),
        () if judge(set).done => ("Complete", Mood::Good),
        () => ("Progressing", Mood::Busy),
    };
    let behind = if observed { "" } else { ", its last change is not observed yet" };
    format!(
        "OrdinalSet {}/{}: {}, {} of {wanted} available, {} updated{behind}",
        set.namespace().unwrap_or_default(),
        set.name_any(),
        paint(word, mood),
        status.available_replicas,
        status.updated_replicas,
    )
}

/// What is not as it should be, or under way.
fn is_told(condition: &Condition) -> bool {
    match condition.type_.as_str() {
        "Progressing" | "Stalled" => condition.status == "True",
        "ServiceReady" => condition.status == "False",
        _ => false,
    }
}

fn slots(family: &Family, status: &OrdinalSetStatus, now: Timestamp, wide: bool) -> Table {
    let mut titles = vec!["SLOT", "POD", "STATE", "REVISION", "NODE", "CLAIMS", "AGE", "PROBLEM"];
    if wide {
        titles.insert(4, "IP");
    }
    let mut table = Table::new(&titles);
    let problems: BTreeMap<&str, String> =
        status.blocked_pods.iter().map(|b| (b.name.as_str(), format!("{}: {}", b.reason, b.message))).collect();
    let range = family.range();
    // Billions may be asked for; those that are missing are counted.
    let shown = range.clone().take(family.pods.len() + 20);
    let mut ordinals: Vec<i32> = shown.chain(family.pods.keys().copied()).collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    for ordinal in &ordinals {
        let name = ordinal_plan::name::pod(&family.set.name_any(), *ordinal);
        let pod = family.pods.get(ordinal);
        let slot = if range.contains(ordinal) { ordinal.to_string() } else { format!("{ordinal} (condemned)") };
        let claims = family.claims_of(*ordinal).map(|claim| {
            let phase = claim.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default();
            format!("{} {phase}", claim.name_any())
        });
        let mut cells = vec![
            slot,
            pod.map_or_else(|| "-".to_owned(), |_| name.clone()),
            pod.map_or_else(|| "missing".to_owned(), |pod| state(&family.set, pod, now)),
            pod.map_or_else(String::new, |pod| revision(status, revision_of(pod))),
            pod.and_then(|pod| pod.spec.as_ref()?.node_name.clone()).unwrap_or_default(),
            claims.collect::<Vec<_>>().join(", "),
            pod.map_or_else(String::new, |pod| time::age(pod.metadata.creation_timestamp.as_ref(), now)),
            problems.get(name.as_str()).cloned().unwrap_or_default(),
        ];
        if wide {
            cells.insert(4, pod.and_then(|pod| pod.status.as_ref()?.pod_ip.clone()).unwrap_or_default());
        }
        table.row(cells);
    }
    let shown = ordinals.iter().filter(|ordinal| range.contains(ordinal)).count();
    let hidden = range.len().saturating_sub(shown);
    if hidden > 0 {
        table.row([format!("… {hidden} more, all missing")]);
    }
    table
}

fn revision(status: &OrdinalSetStatus, name: &str) -> String {
    match name {
        name if name == status.update_revision && name == status.current_revision => name.to_owned(),
        name if name == status.update_revision => format!("{name} (new)"),
        name if name == status.current_revision => format!("{name} (old)"),
        name => format!("{name} (other)"),
    }
}

/// Where a pod stands, in a word or two.
pub fn state(set: &OrdinalSet, pod: &Pod, now: Timestamp) -> String {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending");
    if pod.metadata.deletion_timestamp.is_some() {
        return "Terminating".into();
    }
    let Some(ready) = condition(pod, "Ready").filter(|c| c.status == "True" && phase == "Running") else {
        return phase.to_owned();
    };
    let since = ready.last_transition_time.as_ref();
    let left = since.map_or(0, |since| i64::from(set.spec.min_ready_seconds) - now.duration_since(since.0).as_secs());
    if set.spec.min_ready_seconds > 0 && left > 0 { format!("Ready, available in {left}s") } else { "Available".into() }
}

fn condition<'p>(pod: &'p Pod, type_: &str) -> Option<&'p PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == type_)
}
