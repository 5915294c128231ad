//! Sets are made, left alone, updated, scaled to nothing.

use std::time::Duration;

use anyhow::Result;

use crate::{
    arena::Turn,
    contestant::Running,
    meter::Meter,
    results::Row,
    scenario::{Phase, Sets},
};

/// Long enough for whatever somebody does every few seconds.
const IDLE: Duration = Duration::from_secs(30);

/// The phases that are wanted, and what they need before them.
pub async fn run(turn: Turn<'_>, running: Running, shape: Sets) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut troop = turn.troop("web", shape);
    let mut meter = Meter::new(turn, &running)?;
    for phase in [Phase::Create, Phase::Idle, Phase::Update, Phase::ScaleDown] {
        if phase != Phase::Create && !turn.task.wants(phase) {
            continue;
        }
        meter.begin().await?;
        let pods = match phase {
            Phase::Idle => {
                tokio::time::sleep(IDLE).await;
                0
            }
            change => {
                match change {
                    Phase::Create => troop.create().await?,
                    Phase::Update => troop.update().await?,
                    _ => troop.scale(0).await?,
                }
                troop.done(&running).await?;
                meter.done();
                // Otherwise the slower of the two would be charged with more of it.
                troop.bound().await?;
                shape.pods()
            }
        };
        let row = if pods == 0 {
            meter.read(turn.task.row(phase), 0)?
        } else {
            meter.finish(turn.task.row(phase), pods).await?
        };
        troop.check().await?;
        if turn.task.wants(phase) {
            rows.push(row);
        }
    }
    troop.delete().await?;
    running.stop().await?;
    Ok(rows)
}
