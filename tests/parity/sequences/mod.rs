//! What becomes of a set, step by step: the same changes are made of a StatefulSet in one namespace and of an OrdinalSet in
//! another, and once nothing moves any more, both namespaces are compared field by field.

mod judge;
mod script;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::{StreamExt, future::try_join_all, stream};
use ordinal_plan::meaning::Meaning;
use ordinal_tests::{
    ControlPlane, Identity, picture,
    record::{Record, Room},
    rest,
    twins::Kind,
};
use serde_json::Value;

use crate::report::{Difference, Line, Table};
use judge::{Situation, judge};
use script::{Change, Sequence, Step};

/// Sequences at a time: most of them wait most of the time.
const AT_A_TIME: usize = 24;

/// Nothing has changed for that long: longer than a status is held back (500 ms), a pod that failed at once (1 s, O-7), and
/// what a busy machine adds.
const QUIET: Duration = Duration::from_millis(1500);

/// Nothing has changed for that long, and the two still differ: then they do.
const STILL: Duration = Duration::from_secs(8);

/// A step that moves longer than that moves for ever.
const STEP: Duration = Duration::from_secs(60);

const LOOK: Duration = Duration::from_millis(100);

/// Goes through every sequence whose title has `only` in it.
pub async fn compare(control_plane: &ControlPlane, only: &str) -> Result<Table> {
    let client = control_plane.client(Identity::Tests).await?;
    let record = Record::begin(&client);
    let sequences = script::all()?.into_iter().filter(|sequence| sequence.title.contains(only));
    let record = &record;
    let runs = stream::iter(sequences)
        .map(|sequence| async move {
            let mut lines = Vec::new();
            if let Err(error) = run(control_plane, record, &sequence, &mut lines).await {
                let difference = Difference { what: format!("{error:#}"), why: None };
                let (of, title) = (sequence.title.clone(), format!("step {}", lines.len() + 1));
                lines.push(Line { of, title, verdict: "DIFFERENT".to_owned(), differences: vec![difference] });
            }
            lines
        })
        .buffered(AT_A_TIME);
    let lines: Vec<Vec<Line>> = runs.collect().await;
    Ok(Table { title: "steps", lines: lines.concat() })
}

async fn run(control_plane: &ControlPlane, record: &Record, sequence: &Sequence, lines: &mut Vec<Line>) -> Result<()> {
    let twins = [
        (Kind::Native, control_plane.namespace("native").await?),
        (Kind::Ours, control_plane.namespace("ours").await?),
    ];
    let mut manifest = sequence.manifest()?;
    let creation = Step { step: "created".to_owned(), changes: vec![Change::Create] };
    let mut rewritten = 0;
    for step in std::iter::once(&creation).chain(&sequence.steps) {
        let before = manifest.clone();
        script::edit(&mut manifest, step)?;
        rewritten += i64::from(is_rewritten(&before["spec"]["template"], &manifest["spec"]["template"]));
        let names = twins.each_ref().map(|(_, ns)| ns.name().to_owned());
        let since = names.each_ref().map(|name| record.room(name).log.len());
        names.iter().for_each(|name| record.stir(name));
        try_join_all(twins.iter().map(|(kind, ns)| script::perform(*kind, ns, &manifest, step))).await?;
        // A pod becomes available long after the last that was heard of it.
        let min_ready = manifest["spec"]["minReadySeconds"].as_u64().filter(|seconds| *seconds < 60).unwrap_or(0);
        let min_ready = Duration::from_secs(min_ready);
        let differences = settled(
            record,
            &names,
            |[native, ours]| {
                judge(&Situation {
                    manifest: &manifest,
                    step,
                    rewritten,
                    native: &picture::of(native, since[0]),
                    ours: &picture::of(ours, since[1]),
                })
            },
            min_ready,
        )
        .await?;
        let different = differences.iter().any(|d| d.why.is_none());
        let verdict = match (differences.is_empty(), different) {
            (true, _) => "same",
            (false, false) => "explained",
            (false, true) => "DIFFERENT",
        };
        lines.push(Line {
            of: sequence.title.clone(),
            title: step.step.clone(),
            verdict: verdict.to_owned(),
            differences,
        });
    }
    Ok(())
}

/// Whether a template was written in another way, and means the same.
fn is_rewritten(before: &Value, after: &Value) -> bool {
    before != after && Meaning::of(before) == Meaning::of(after)
}

/// Waits until nothing moves any more in either namespace, and compares.
async fn settled(
    record: &Record,
    names: &[String; 2],
    compare: impl Fn([&Room; 2]) -> Vec<Difference>,
    min_ready: Duration,
) -> Result<Vec<Difference>> {
    let started = Instant::now();
    let quiet = QUIET + min_ready;
    loop {
        tokio::time::sleep(LOOK).await;
        let still = names.iter().map(|name| record.still(name)).min().unwrap_or_default();
        let late = started.elapsed() > STEP;
        if still < quiet && !late {
            continue;
        }
        let rooms = names.each_ref().map(|name| record.room(name));
        let moving = rooms.iter().find_map(rest::moving);
        if moving.is_some() && !late {
            continue;
        }
        let differences = compare(rooms.each_ref());
        if late {
            bail!("it does not come to rest: {moving:?}; by now {differences:#?}");
        }
        if differences.iter().all(|d| d.why.is_some()) || still > STILL + min_ready {
            return Ok(differences);
        }
    }
}
