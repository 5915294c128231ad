//! `make bench`: the built-in StatefulSet controller and Ordinal do the same work in one control plane, in turns and never on
//! the same objects. What each needs is measured from outside: by the clock, by the API server's audit log, by /proc.

mod arena;
mod contestant;
mod crowd;
mod fairness;
mod lifecycle;
mod machine;
mod meter;
mod nodes;
mod observer;
mod plot;
mod readme;
mod results;
mod scenario;
mod sets;
mod statistics;
mod table;

use std::{
    num::NonZeroU32,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Parser;
use ordinal_tests::{scratch::kept_note, twins::Kind};

use arena::Arena;
use contestant::Contestant;
use results::Results;
use scenario::Task;

/// Measures Ordinal beside the built-in StatefulSet controller.
#[derive(Parser)]
#[command(name = "bench")]
struct Args {
    /// Only rows with this in their name, such as create-10x100; may be given more than once.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// How often each of the two does each scenario.
    #[arg(long, value_name = "N", default_value = "3")]
    repetitions: NonZeroU32,
    /// Let kwok and kube-scheduler play the nodes, instead of nodes that cost next to nothing.
    #[arg(long)]
    kwok: bool,
    /// Go on with a run that was interrupted: what its results file has is not measured again.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Name the rows, and measure nothing.
    #[arg(long)]
    list: bool,
    /// Print the table of a results file, and measure nothing.
    #[arg(long, value_name = "FILE")]
    show: Option<PathBuf>,
    /// Make README's table from a results file, or from the newest, and measure nothing.
    #[arg(long, value_name = "FILE")]
    #[allow(clippy::option_option, reason = "absent, without a file, with one")]
    readme: Option<Option<PathBuf>>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    if let Some(file) = args.readme {
        let file = file.map_or_else(results::newest, Ok)?;
        return readme::write(&Results::read(&file)?);
    }
    if let Some(file) = args.show {
        table::print(&Results::read(&file)?);
        return Ok(());
    }
    let tasks = scenario::tasks(&args.only);
    ensure!(!tasks.is_empty(), "no row has {:?} in its name; --list names them", args.only.join(" or "));
    if args.list {
        tasks.iter().flat_map(Task::rows).for_each(|row| println!("{row}"));
        return Ok(());
    }
    let mut results = Results::new(args.repetitions.get(), args.kwok)?;
    if let Some(file) = args.resume {
        results = results.instead(Results::read(&file)?)?;
    }
    let left = estimate(&tasks, &results);
    println!("{}; about {} in all", machine::describe(), minutes(left));
    let arena = Arena::open(args.kwok).await?;
    let measured = measure(&arena, &tasks, &mut results).await;
    // As long as the control plane is there, its logs can be kept.
    measured.map_err(|error| error.context(kept_note()))?;
    drop(arena);
    println!();
    table::print(&results);
    let folder = results.save()?;
    plot::draw(&results, &folder.join("results.svg"))?;
    println!("\nin {}: results.json, results.svg", folder.display());
    Ok(())
}

async fn measure(arena: &Arena, tasks: &[Task], results: &mut Results) -> Result<()> {
    let runs: Vec<_> = tasks.iter().flat_map(|task| turns(task, results.repetitions)).collect();
    for (number, (task, repetition, kind)) in runs.iter().enumerate() {
        let started = Instant::now();
        if is_measured(results, task, *repetition, *kind) {
            continue;
        }
        let contestant = contestant(task, *kind);
        let rows = arena.run(task, contestant).await?;
        let took = started.elapsed().as_secs();
        println!("[{}/{}] {}, {contestant}: {took} s", number + 1, runs.len(), task.scenario.name);
        results.add(*repetition, rows);
        // After every run: one that fails after hours must not take the others with it.
        results.save()?;
    }
    Ok(())
}

/// A B B A A B …: what drifts while it runs is shared by both.
fn turns(task: &Task, repetitions: u32) -> impl Iterator<Item = (&Task, u32, Kind)> {
    (1..=repetitions).flat_map(move |repetition| {
        let mut pair = [Kind::Native, Kind::Ours];
        if repetition % 2 == 0 {
            pair.reverse();
        }
        pair.map(|kind| (task, repetition, kind))
    })
}

/// How long it takes to measure what is not measured yet.
fn estimate(tasks: &[Task], results: &Results) -> Duration {
    let all = tasks.iter().flat_map(|task| turns(task, results.repetitions));
    let left = all.filter(|(task, repetition, kind)| !is_measured(results, task, *repetition, *kind));
    left.map(|(task, ..)| task.estimate()).sum()
}

fn contestant(task: &Task, kind: Kind) -> Contestant {
    Contestant { kind, limits: task.scenario.limits }
}

fn is_measured(results: &Results, task: &Task, repetition: u32, kind: Kind) -> bool {
    results.has(&task.rows(), &contestant(task, kind).to_string(), repetition)
}

fn minutes(duration: Duration) -> String {
    format!("{} min", duration.as_secs().div_ceil(60))
}
