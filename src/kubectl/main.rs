//! `kubectl ordinal`: what `kubectl rollout` does for built-in kinds, one screen for a person on call, and the way from a
//! StatefulSet to an OrdinalSet and back.

mod adopt;
mod cli;
mod cluster;
mod complete;
mod convert;
mod doctor;
mod events;
mod explain;
mod family;
mod finding;
mod markers;
mod neighbours;
mod output;
mod pods;
mod release;
mod rights;
mod rollout;
mod status;
mod target;
mod time;
mod tree;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use cluster::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut args = std::env::args();
    if args.next().is_some_and(|program| program.ends_with(complete::PROGRAM)) {
        complete::run(&args.collect::<Vec<_>>()).await;
        return ExitCode::SUCCESS;
    }
    let cli = Cli::parse();
    match run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode> {
    let connect = || Cluster::connect(&cli.place);
    match cli.command {
        Command::Rollout(what) => rollout::run(what, &connect().await?).await,
        Command::Status(args) => status::run(&args, &connect().await?).await,
        Command::Tree(args) => tree::run(&args, &connect().await?).await,
        Command::Explain(args) => explain::run(&args, &connect().await?).await,
        Command::Events(args) => events::run(&args, &connect().await?).await,
        Command::Convert(args) => convert::run(&args, &cli.place).await,
        Command::Adopt(args) => adopt::run(&args, &connect().await?).await,
        Command::Release(args) => release::run(&args, &connect().await?).await,
        Command::Doctor(args) => doctor::run(&args, &connect().await?).await,
        Command::Completion { shell } => {
            // kubectl calls plugins by their file's name.
            clap_complete::generate(shell, &mut Cli::command(), "kubectl-ordinal", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}
