//! `make parity`: the same manifests and the same changes, as StatefulSet and as OrdinalSet, with the built-in controller
//! and ours side by side in one control plane. Whatever differs must be a rule's doing (O-x), and is printed with it.

mod admission;
mod report;
mod sequences;

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use clap::{Parser, ValueEnum};
use ordinal_tests::{ControlPlane, Operator, OperatorOptions, Options};

/// Compares OrdinalSets with StatefulSets; fails on a difference that no rule explains.
#[derive(Parser)]
#[command(name = "parity")]
struct Args {
    /// One half alone.
    #[arg(long)]
    half: Option<Half>,
    /// Only what has this in its title.
    #[arg(long, default_value = "")]
    only: String,
    /// Also print what does not differ.
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    /// What is accepted, refused and stored.
    Manifests,
    /// What becomes of a set.
    Sequences,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match compare(&args).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(unexplained) => {
            eprintln!("error: {unexplained} differences that no rule explains");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How many differences no rule explains.
async fn compare(args: &Args) -> Result<usize> {
    let started = Instant::now();
    let control_plane = ControlPlane::start(Options { built_in: true, ..Options::default() }).await?;
    let _operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
    // Sequences wait most of the time, manifests never do.
    let wanted = |half| args.half.is_none_or(|only| only == half);
    let manifests = async {
        let wanted = wanted(Half::Manifests);
        if wanted { admission::compare(&control_plane, &args.only).await.map(Some) } else { Ok(None) }
    };
    let sequences = async {
        let wanted = wanted(Half::Sequences);
        if wanted { sequences::compare(&control_plane, &args.only).await.map(Some) } else { Ok(None) }
    };
    let (manifests, sequences) = tokio::try_join!(manifests, sequences)?;
    let mut unexplained = 0;
    for table in [manifests, sequences].into_iter().flatten() {
        table.print(args.all);
        unexplained += table.unexplained();
    }
    println!("in {:.0} s", started.elapsed().as_secs_f64());
    Ok(unexplained)
}
