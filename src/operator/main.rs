//! `ordinal`, the operator of OrdinalSets: everything that touches the network.
//!
//! Data moves one way: watches (`watch`) fill caches (`cache`, `sets`) and wake sets; a pass (`reconcile`) takes a
//! snapshot (`collect`), plans (crate `ordinal-plan`), and carries the plan out (`executor`, the only file that writes to
//! the objects of sets). `book` and the planner's `freshness` see to it that a pass sees its own earlier writes.

mod answer;
mod book;
mod cache;
mod client;
mod collect;
mod config;
mod controller;
mod events;
mod executor;
mod explain;
mod gather;
mod installed;
mod kinds;
mod leader;
mod metrics;
mod outcome;
mod reconcile;
#[cfg(test)]
mod rules;
mod server;
mod sets;
mod watch;

use clap::Parser;
use config::{Cli, Command, Explain, LogFormat, Run};
use controller::Realm;
use futures::{FutureExt, future::join_all};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    process::ExitCode,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch as channel,
    time::timeout,
};
use tracing::{error, info};

/// Passes under way at the end have this long; a pod's own grace of 30 s by default ends the operator after that.
const DRAIN: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let run = match Cli::parse().command {
        Command::Run(run) => run,
        Command::Explain(what) => return explained(&what),
    };
    if let Err(wrong) = run.validate() {
        eprintln!("error: {wrong}");
        return ExitCode::from(2);
    }
    start_log(&run);
    match block_on(operate(run)) {
        Ok(End::Stopped) => ExitCode::SUCCESS,
        Ok(End::LeaseLost) => ExitCode::from(3),
        Err(why) => {
            error!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// On one thread: the work is waiting, not computing, and to wake another costs more than most of what it would do.
fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?.block_on(work)
}

fn explained(Explain { set: (namespace, name), cluster }: &Explain) -> ExitCode {
    let answer = async {
        let config = client::config(cluster).await?;
        let client = kube::Client::try_from(config).map_err(|e| outcome::describe(&e))?;
        explain::live(&client, namespace, name).await
    };
    match block_on(answer) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// How a run ended that could begin.
enum End {
    Stopped,
    LeaseLost,
}

async fn operate(run: Run) -> Result<End, String> {
    let config = client::config(&run.cluster).await?;
    info!(version = env!("CARGO_PKG_VERSION"), server = %config.cluster_url, "starting");
    let listener = server::bind(run.health_bind_address)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}", run.health_bind_address))?;
    let metrics = metrics::Metrics::new(run.metrics_per_set);
    let lease_client = client::for_lease(config.clone(), &metrics)?;
    let client = client::for_work(config, &run, &metrics)?;
    let identity = identity(&run);

    let (realms, writers): (Vec<_>, Vec<_>) =
        run.realms().into_iter().map(|realm| Realm::new(realm, run.adoption)).unzip();
    tokio::spawn(server::serve(listener, realms.clone().into(), metrics.clone()));
    let events = events::Events::spawn(client.clone(), &identity);
    let stop = stop_signal()?.shared();

    let (leading, is_leading) = channel::channel(!run.leader_elect);
    tokio::spawn({
        let (mut is_leading, metrics) = (is_leading.clone(), metrics.clone());
        async move { is_leading.wait_for(|leading| *leading).await.map(|_| metrics.leads()) }
    });
    let (drained, is_drained) = tokio::sync::oneshot::channel::<()>();
    let contender = leader::Contender::new(lease_client, &run, identity);
    let mut lease = if run.leader_elect {
        tokio::spawn(contender.run(leading, is_drained.map(drop)))
    } else {
        // Nothing to lose: done when drained, as the other is.
        tokio::spawn(is_drained.map(|_| true))
    };

    tokio::spawn(installed::check(client.clone()));
    let parts =
        controller::Parts { client, events: events.clone(), metrics, workers: run.workers, leading: is_leading };
    let controllers = realms.into_iter().zip(writers);
    let work = join_all(controllers.map(|(realm, writer)| controller::run(parts.clone(), realm, writer, stop.clone())));
    let bounded = async {
        tokio::select! {
            _ = work => {}
            () = stop.then(|()| tokio::time::sleep(DRAIN)) => error!("passes did not end in time"),
        }
    };
    tokio::select! {
        () = bounded => {}
        // Another operator may be writing already: no time to be graceful.
        _ = &mut lease => return Ok(End::LeaseLost),
    }
    // The lease is given back only now that nothing more is written for the sets.
    let _ = drained.send(());
    let _ = timeout(Duration::from_secs(5), lease).await;
    let _ = timeout(Duration::from_secs(2), events.flush()).await;
    info!("stopped");
    Ok(End::Stopped)
}

/// Done at the first SIGTERM or SIGINT.
fn stop_signal() -> Result<impl Future<Output = ()> + Send, String> {
    let fail = |e: io::Error| format!("signals cannot be handled: {e}");
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!("stopping on {name}");
    })
}

/// A name that no other contender has, not even an earlier one in the same pod.
fn identity(run: &Run) -> String {
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").map(|h| h.trim().to_owned()).ok();
    let name = run.identity.clone().or_else(host).unwrap_or_else(|| "ordinal".into());
    format!("{name}_{:016x}", RandomState::new().build_hasher().finish())
}

fn start_log(run: &Run) {
    use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*, registry};
    // The client logs every failed request as an error of its own; ours say what follows from it.
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(run.log_level)
        .with_target("kube_client", run.log_level.min(LevelFilter::WARN))
        .with_target("kube_client::client::builder", LevelFilter::OFF)
        // Its span around each pass repeats what ours says.
        .with_target("kube_runtime", run.log_level.min(LevelFilter::WARN))
        .with_target("hyper", run.log_level.min(LevelFilter::WARN))
        .with_target("tower", run.log_level.min(LevelFilter::WARN));
    let terminal = io::IsTerminal::is_terminal(&io::stderr());
    let log = fmt::layer().with_writer(io::stderr).with_ansi(terminal).with_target(false);
    match run.log_format {
        LogFormat::Text => registry().with(log.with_filter(filter)).init(),
        LogFormat::Json => registry().with(log.json().flatten_event(true).with_filter(filter)).init(),
    }
}
