//! `make faults`: the fault plans of `ordinal_sim::fault`, on a real API server, with the shipped operator behind a proxy that
//! loses, delays, refuses and invents. At every rest things must look as they do without faults, pods and claims must have lived
//! exactly as often, every call is judged by the rules of the simulation, and in the end nobody writes any more.
//!
//! | fault | in the simulation | here, and elsewhere on a real API server |
//! |---|---|---|
//! | F1, F2 crash after or before a call | at every call | at every call |
//! | F3 a lost reply | at every call | at every call, and one that never comes |
//! | F4, F5, F7, F21 an error, a conflict, a refusal, once and often | at every call | at every call |
//! | F6 429 with Retry-After | – | at every call; `live::process::load` |
//! | F8, F12 events that are lost, watches that end or are too old | swarms | `ends`, `gone`; `live::wiring::expired` |
//! | F12 a page that is too old | – | `pages` |
//! | F9, F11 late events, each kind by itself | swarms | `late-…` |
//! | F10 lists of a while ago | swarms | `stale`, behind a crash |
//! | F13 no bookmarks | – | `no-bookmarks` |
//! | F14 slow answers | – | `slow` |
//! | F15 API server or etcd killed, frozen, restarted | – | `live::faults::server` |
//! | F16 a list that is empty, and wrong; one that is cut off | swarms; – | `empty-…`; `cut-…` |
//! | F17, F18 two operators | swarms, `properties` | `live::faults::rivals`, `live::process::lease` |
//! | F19 clocks that differ | – | leases are judged by the own clock alone: `operator::leader` |
//! | F20 somebody else between any two calls | six edits at every call | the same |
//! | F22 a webhook that changes pods | – | `webhook` |

mod jury;
mod protocol;
mod saboteur;
mod stage;
mod trial;
mod weather;

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, anyhow, bail, ensure};
use clap::Parser;
use futures::{StreamExt, TryStreamExt, stream};
use ordinal_sim::workload::Workload;
use ordinal_tests::{ControlPlane, Identity, Options, audit::Policy, record::Record, scratch};

use stage::{Reference, Stage};
use trial::Trial;

/// Trials on one control plane: a new one keeps the next as fast as the first.
const ROUND: usize = 400;

/// After so many violations more of them tell nothing new.
const ENOUGH: usize = 10;

/// Plays fault plans on a real API server.
#[derive(Parser)]
#[command(name = "faults")]
struct Args {
    /// One trial, as a failure names it: "W3 7:crash-after in late-pods".
    #[arg(long)]
    plan: Option<String>,
    /// So many of all trials: those that once failed, and others, chosen by the seed.
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Chooses the sample, and what goes wrong by chance; by default the day, so that it is another one tomorrow.
    #[arg(long)]
    seed: Option<u64>,
    /// How long nobody may write after the end, in seconds.
    #[arg(long, default_value_t = 30)]
    quiet: u64,
    /// Trials at a time. Most of them wait most of the time.
    #[arg(long, default_value_t = 144)]
    at_a_time: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    let given =
        args.plan.as_deref().map(|text| text.parse::<Trial>().map_err(|e| anyhow!("--plan: {e}"))).transpose()?;
    let workloads = given.as_ref().map_or(Workload::ALL.to_vec(), |trial| vec![trial.plan.workload]);
    let references = on_a_control_plane(async |control_plane, record| {
        let all = stream::iter(&workloads).map(|workload| refer(control_plane, record, *workload));
        all.buffer_unordered(args.at_a_time).try_collect::<BTreeMap<_, _>>().await
    })
    .await?;
    let mut trials = match given {
        Some(trial) => vec![trial],
        None => chosen(args, &references),
    };
    let mut tally = Tally::default();
    for (number, trials) in trials.chunks_mut(ROUND).enumerate() {
        // The slow ones first, or all would wait for them in the end.
        trials.sort_by_key(|trial| Reverse(trial.hangs_for()));
        if number > 0 {
            println!("{tally}, {} s", begun.elapsed().as_secs());
        }
        let before = tally.violations;
        let round = on_a_control_plane(async |control_plane, record| {
            let all = stream::iter(&*trials).map(|trial| play(args, control_plane, record, trial, &references));
            tally.count(all.buffer_unordered(args.at_a_time).collect().await)
        })
        .await;
        // The others may tell more about it.
        if let Err(error) = round {
            ensure!(tally.violations > before, error);
            eprintln!("{error:#}");
            if tally.violations >= ENOUGH {
                break;
            }
        }
    }
    println!("{tally}, in {} s; {} of them met no fault", begun.elapsed().as_secs(), tally.spared);
    ensure!(tally.violations == 0, "that is not how it should be");
    Ok(())
}

/// What came of the trials.
#[derive(Default)]
struct Tally {
    played: usize,
    /// In which nothing went wrong: the call was never made, or the event never came.
    spared: usize,
    violations: usize,
}

impl Tally {
    /// # Errors
    /// The violations in words, if there are any.
    fn count(&mut self, results: Vec<Result<bool>>) -> Result<()> {
        let mut told = Vec::new();
        for result in results {
            self.played += 1;
            match result {
                Ok(struck) => self.spared += usize::from(!struck),
                Err(error) => told.push(format!("{error:#}")),
            }
        }
        self.violations += told.len();
        ensure!(told.is_empty(), "{}", told.join("\n"));
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} plans, {} violations", self.played, self.violations)
    }
}

async fn play(
    args: &Args,
    control_plane: &ControlPlane,
    record: &Record,
    trial: &Trial,
    references: &BTreeMap<Workload, Reference>,
) -> Result<bool> {
    let played = async {
        let stage = Stage::set(control_plane, record, trial).await?;
        stage.play(&references[&trial.plan.workload], Duration::from_secs(args.quiet)).await
    };
    played.await.map_err(|error| error.context(format!("{trial}; replay it: make faults PLAN=\"{trial}\"")))
}

async fn on_a_control_plane<T>(play: impl AsyncFnOnce(&ControlPlane, &Record) -> Result<T>) -> Result<T> {
    let options = Options { audit: Policy::Controllers, ..Options::default() };
    let control_plane = ControlPlane::start(options).await?;
    let record = Record::begin_history(&control_plane.client(Identity::Tests).await?);
    let played = play(&control_plane, &record).await;
    // As long as the control plane is there, its logs can be kept.
    played.map_err(|error| error.context(scratch::kept_note()))
}

async fn refer(control_plane: &ControlPlane, record: &Record, workload: Workload) -> Result<(Workload, Reference)> {
    let trial = Trial::calm(workload);
    let reference = Stage::set(control_plane, record, &trial).await?.refer().await;
    let reference = reference.map_err(|error| error.context(format!("{workload} without faults")))?;
    if reference.calls < 3 {
        bail!("{workload} is no work: {} calls", reference.calls);
    }
    Ok((workload, reference))
}

/// All trials, or a sample of them.
fn chosen(args: &Args, references: &BTreeMap<Workload, Reference>) -> Vec<Trial> {
    let today = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 86_400);
    let seed = args.seed.unwrap_or_else(today);
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut trials = Vec::new();
    for (workload, Reference { calls, .. }) in references {
        trials.extend(trial::all(*workload, *calls));
        trials.extend(trial::swarm(*workload, *calls, &mut dice));
    }
    dice.shuffle(&mut trials);
    // They come first, in every sample.
    let once_failed: Vec<Trial> = trial::once_failed().collect();
    trials.retain(|trial| !once_failed.contains(trial));
    trials.splice(..0, once_failed);
    let sample = args.sample.unwrap_or(trials.len());
    println!("{} of {} plans, seed {seed}", sample.min(trials.len()), trials.len());
    trials.truncate(sample);
    trials
}
