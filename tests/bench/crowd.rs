//! So many pods that memory and cold start tell.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::jiff::Timestamp;
use ordinal_tests::{Look, audit::Call, eventually};

use crate::{
    arena::Turn,
    contestant::Running,
    meter::{CONTESTANT, Meter},
    results::{Cost, Row},
    scenario::{Phase, Sets},
};

/// What a collector of garbage or an allocator gives back, it has given back by then.
const SETTLE: Duration = Duration::from_secs(10);

/// From its start to its first write.
const START: Duration = Duration::from_secs(60);

/// The rows that are wanted; all of the work is done in any case.
pub async fn run(turn: Turn<'_>, running: Running, shape: Sets) -> Result<Vec<Row>> {
    let settled = async |meter: &mut Meter<'_>, phase| -> Result<Row> {
        meter.begin().await?;
        tokio::time::sleep(SETTLE).await;
        meter.read(turn.task.row(phase), 0)
    };
    let mut meter = Meter::new(turn, &running)?;
    let mut rows = vec![settled(&mut meter, Phase::Nothing).await?];
    let mut troop = turn.troop("crowd", shape);
    meter.begin().await?;
    troop.create().await?;
    troop.done(&running).await?;
    meter.done();
    let made = meter.finish(turn.task.row(Phase::Made), shape.pods()).await?;
    tokio::time::sleep(SETTLE).await;
    let usage = running.usage()?;
    rows.push(Row { resident_kib: usage.resident_kib, peak_kib: usage.peak_kib, ..made });
    troop.check().await?;

    // While it is away, something happens that it has to mend.
    running.stop().await?;
    let victim = "crowd-0-0";
    turn.namespace.delete_pod(victim).await?;
    eventually(START, "the pod is gone", async || {
        let left = turn.namespace.pods().get_opt(victim).await?;
        Ok(Look::when(left.is_none(), || "it is there".to_owned()))
    })
    .await?;
    let mut audit = turn.control_plane().tail(turn.contestant.identity());
    audit.skip()?;
    let started = Timestamp::now();
    let running = turn.contestant.start(turn.control_plane()).await?;
    let mut calls = Vec::new();
    let written = eventually(START, "the missing pod is created", async || {
        calls.extend(audit.read()?);
        let created = calls.iter().find(|call: &&Call| call.verb == "create" && call.object.resource == "pods");
        Ok(created
            .map_or_else(|| Look::NotYet(format!("{} calls", calls.len())), |call| Look::Done(call.received.clone())))
    })
    .await?;
    let took = written.parse::<Timestamp>()?.duration_since(started).as_secs_f64();
    troop.done(&running).await?;
    let restarted = settled(&mut Meter::new(turn, &running)?, Phase::Restarted).await?;
    calls.extend(audit.read()?);
    // From the start of its process on.
    let cpu = [(CONTESTANT.to_owned(), running.usage()?.cpu.as_secs_f64())].into();
    let (name, cost) = (turn.task.row(Phase::ColdStart), Cost::of(&calls));
    rows.push(Row { name, seconds: Some(took), cost, cpu, ..restarted.clone() });
    rows.push(restarted);
    troop.delete().await?;
    running.stop().await?;
    let wanted = turn.task.rows();
    rows.retain(|row| wanted.contains(&row.name));
    Ok(rows)
}
