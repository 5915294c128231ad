//! `make campaign` and `make fuzz`: sets that are changed at random, well and badly, on a real API server with the real
//! operator. It fails when the operator crashes or calls without end, when a set is not what its spec says, when good after
//! bad is not as before, when a set that was changed often is not as one made afresh or as a StatefulSet, when the API server
//! accepts of OrdinalSets what it refuses of StatefulSets or the reverse and no rule says why, or when a set that nobody
//! touches notices any of it.

mod bystander;
mod declared;
mod input;
mod limits;
mod observer;
mod past;
mod place;
mod sight;
mod tally;
mod walk;

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, anyhow, bail};
use clap::Parser;
use futures::{StreamExt, stream};
use ordinal_tests::{ControlPlane, Identity, Operator, OperatorOptions, Options, scratch, twins::Post};

use bystander::Bystander;
use observer::Observer;
use place::Round;
use tally::Tally;
use walk::{STEPS, Walk};

/// Walks on one control plane: a new one keeps the next walks as fast as the first.
const ROUND: usize = 40;

/// For so long at least the last set that was left behind is looked at.
const AFTER: Duration = Duration::from_secs(10);

/// Changes sets at random and looks whether all is well.
#[derive(Parser)]
#[command(name = "campaign")]
struct Args {
    /// Where chance comes from; by default the time.
    #[arg(long)]
    seed: Option<u64>,
    /// Changes, rounded up to whole walks of 30.
    #[arg(long, default_value_t = 1_000)]
    steps: usize,
    /// This walk alone.
    #[arg(long)]
    walk: Option<usize>,
    /// Walks at a time.
    #[arg(long, default_value_t = 17)]
    at_a_time: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = args.seed.unwrap_or_else(now);
    println!("seed {seed}");
    match campaign(&args, seed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}\nwalk n again: make fuzz SEED={seed} WALK=n");
            ExitCode::FAILURE
        }
    }
}

async fn campaign(args: &Args, seed: u64) -> Result<()> {
    let begun = Instant::now();
    let tally = Tally::default();
    let walks: Vec<usize> = match args.walk {
        Some(walk) => vec![walk],
        None => (0..args.steps.div_ceil(STEPS)).collect(),
    };
    for walks in walks.chunks(ROUND) {
        // What the control plane keeps of a failure is kept before it goes.
        let round = round(walks, seed, args.at_a_time, &tally);
        round.await.map_err(|error| anyhow!("{error:#}\n{}", scratch::kept_note()))?;
    }
    print!("{tally}");
    println!("in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Some walks on a control plane of their own.
async fn round(walks: &[usize], seed: u64, at_a_time: usize, tally: &Tally) -> Result<()> {
    let control_plane = &ControlPlane::start(Options { built_in: true, ..Options::default() }).await?;
    let operator = Operator::start(control_plane, OperatorOptions::default()).await?;
    let observer = &Observer::begin(control_plane, &operator).await?;
    let bystander = Bystander::make(control_plane, observer).await?;
    let trials = control_plane.namespace("trials").await?;
    let trials = Post { client: control_plane.client(Identity::Tests).await?, namespace: trials.name().to_owned() };
    let round = &Round { control_plane, observer, tally, trials };
    let walk = async |number| Walk::new(round, seed, number).await?.run().await;
    let walked: Vec<_> = stream::iter(walks.iter().copied()).map(walk).buffer_unordered(at_a_time).collect().await;
    let failed: Vec<String> =
        walked.iter().filter_map(|walked| Some(format!("{:#}", walked.as_ref().err()?))).collect();
    if !failed.is_empty() {
        bail!("{} of {} walks failed:\n{}", failed.len(), walks.len(), failed.join("\n\n"));
    }
    tokio::time::sleep(AFTER).await;
    let left = walked.iter().flatten().map(|set| set.calls(observer)).collect::<Result<Vec<_>>>()?;
    let (in_vain, within) = left.into_iter().max().unwrap_or_default();
    let served = bystander.undisturbed(observer).await?;
    observer.no_crash()?;
    let (calls, events) = observer.calls();
    println!(
        "{} walks, {} steps so far: {calls} calls of the operator and {events} events; most calls for a set left in error: \
         {in_vain} within {:.0} s; the bystander's change was served within {:.1} s; the operator has {} MiB",
        walks.len(),
        tally.steps(),
        within.as_secs_f64(),
        served.as_secs_f64(),
        operator.resident_kib()? / 1024,
    );
    Ok(())
}
