//! `make demo`: the kubia set on a real API server, live on the terminal.
//!
//! Without arguments it brings a control plane of its own. With `--kubeconfig` it does the same tour on the cluster given, in
//! a namespace of its own, and removes what it brought. It never takes a cluster from the environment: a forgotten
//! KUBECONFIG must not turn a demo into a change of production.

mod pods;
mod screen;
mod stage;
mod tour;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::{screen::Screen, stage::Stage};

/// Shows what an OrdinalSet does, and the kubectl commands that make it do so.
#[derive(Parser)]
#[command(name = "demo")]
struct Args {
    /// Tour this cluster instead of a control plane of its own.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let screen = Screen::new();
    match show(&screen, args.kubeconfig).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn show(screen: &Screen, kubeconfig: Option<PathBuf>) -> Result<()> {
    let started = Instant::now();
    let mut stage = match kubeconfig {
        None => Stage::own(screen).await?,
        Some(path) => Stage::given(screen, path).await?,
    };
    let toured = tokio::select! {
        toured = perform(screen, &mut stage, started) => match toured {
            Ok(()) => Ok(()),
            Err(error) => Err(stage.explain(error).await),
        },
        asked = asked_to_stop() => asked.and_then(|()| bail!("interrupted")),
    };
    // What the tour brought to a given cluster goes whether or not it turned out.
    let cleaned = stage.leave(screen).await;
    toured.and(cleaned)
}

async fn perform(screen: &Screen, stage: &mut Stage, started: Instant) -> Result<()> {
    stage.furnish(screen).await?;
    tour(screen, stage, started).await
}

async fn tour(screen: &Screen, stage: &Stage, started: Instant) -> Result<()> {
    let pods = pods::follow(stage, screen).await?;
    tour::walk(stage, screen, &pods).await?;
    screen.line("");
    screen.good(&format!("Everything turned out as it should, in {}.", screen::seconds(started.elapsed())));
    if screen.is_terminal() && stage.is_own() {
        stage.invite(screen);
        asked_to_stop().await?;
        screen.line("");
    }
    Ok(())
}

/// Ctrl-C or SIGTERM.
async fn asked_to_stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// How long a step may take: pods of our own control plane are ready within a second, a real cluster pulls images.
fn patience(own: bool) -> Duration {
    if own { Duration::from_secs(20) } else { Duration::from_secs(240) }
}
