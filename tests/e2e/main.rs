//! `make e2e`: what users of the seeds' walkthroughs see, on real nodes with real containers, volumes and DNS. Each
//! story is a file in stories/. Without a kubeconfig it makes a cluster of its own and takes it down again; with one it
//! plays in that cluster whatever can be played there, and removes what it brought.

mod customer;
mod own;
mod place;
mod release;
mod scene;
mod stories;

use std::{
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Parser, Subcommand};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{place::Place, scene::Scene, stories::Story};

/// The longest story takes about three minutes.
const LIMIT: Duration = Duration::from_secs(900);

/// Plays stories on real nodes.
#[derive(Parser)]
#[command(name = "e2e")]
struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Play them.
    Run {
        /// In this cluster, not in one of its own.
        #[arg(long, env, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
        /// What the names of the images begin with in that cluster, when they are not ordinal.test/ordinal:1 and so on.
        #[arg(long, value_name = "PREFIX", requires = "kubeconfig")]
        images: Option<String>,
        /// Only stories with this in their name.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// List them.
    List,
    /// Say what this machine lacks for a cluster of its own, in a sentence each; nothing if it can be made.
    Missing,
    /// Print the packages that it lacks.
    Packages,
    /// Remove what an interrupted run has left, on this machine or in a cluster.
    Clean {
        /// In this cluster.
        #[arg(long, env, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match obey(Args::parse().order).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(order: Order) -> Result<()> {
    match order {
        Order::Run { kubeconfig, images, only } => {
            let stories: Vec<&Story> = stories::ALL.iter().filter(|story| story.name.contains(&only)).collect();
            ensure!(!stories.is_empty(), "no story has {only:?} in its name");
            let kubeconfig = named(kubeconfig)?;
            tokio::select! {
                played = run(kubeconfig, images, &stories) => played,
                asked = asked_to_stop() => {
                    asked?;
                    bail!("interrupted; in a given cluster, make e2e-clean removes what is left")
                }
            }
        }
        Order::List => {
            stories::ALL.iter().for_each(|Story { name, tells, .. }| println!("{name:<20}{tells}"));
            Ok(())
        }
        Order::Missing => {
            own::missing().iter().for_each(|what| println!("{what}"));
            Ok(())
        }
        Order::Packages => {
            println!("{}", own::packages().join(" "));
            Ok(())
        }
        Order::Clean { kubeconfig } => match named(kubeconfig)? {
            Some(kubeconfig) => place::clean(&kubeconfig).await,
            None => {
                let _turn = own::take_turn()?;
                own::clean()
            }
        },
    }
}

/// An empty variable is none.
fn named(kubeconfig: Option<PathBuf>) -> Result<Option<PathBuf>> {
    let named = kubeconfig.filter(|path| !path.as_os_str().is_empty());
    if let Some(path) = &named {
        ensure!(path.is_file(), "KUBECONFIG is to name one file, and there is no file {}", path.display());
        println!("in the cluster of {}", path.display());
    }
    Ok(named)
}

async fn run(kubeconfig: Option<PathBuf>, images: Option<String>, stories: &[&Story]) -> Result<()> {
    let begun = Instant::now();
    let place = Rc::new(match kubeconfig {
        None => Place::own().await?,
        Some(kubeconfig) => Place::given(kubeconfig, images).await?,
    });
    println!("{:<20}{:>8}", "the cluster is there", seconds(begun));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for story in stories {
        let begun = Instant::now();
        if let Some(why) = story.needs.iter().find_map(|need| place.lacks(*need)) {
            println!("{:<20}{:>8}  left out: {why}", story.name, "");
            skipped += 1;
            continue;
        }
        match play(&place, story).await {
            Ok(()) => {
                println!("{:<20}{:>8}  {}", story.name, seconds(begun), story.tells);
                passed += 1;
            }
            Err(error) => {
                println!("{:<20}{:>8}  FAILED: {error:#}", story.name, seconds(begun));
                failed += 1;
            }
        }
    }
    place.leave(failed > 0).await?;
    println!("{:<20}{:>8}", "all together", seconds(begun));
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    ensure!(failed == 0, "not all is as it should be{}", place.kept());
    ensure!(passed > 0, "nothing could be played here");
    Ok(())
}

/// Plays one story in a scene of its own. What it has done to nodes is undone, and its scene struck, whatever came of
/// it.
async fn play(place: &Rc<Place>, story: &Story) -> Result<()> {
    let scene = Scene::prepare(place.clone(), story.name).await?;
    let played = timeout(LIMIT, (story.play)(&scene)).await;
    let played = played.unwrap_or_else(|_| Err(anyhow!("it has not come to its end within {LIMIT:?}")));
    let mended = place.mend().await.context("the cluster is not as before");
    let allowed = place.release().was_refused_nothing().await;
    let struck = scene.strike().await.context("something is left of the scene");
    played.and(mended).and(allowed).and(struck)
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
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
