//! What `kubectl rollout` does for built-in kinds.

mod history;
mod progress;
mod restart;
mod status;
mod undo;

pub use progress::judge;
use std::process::ExitCode;

use anyhow::Result;
use kube::api::PatchParams;

use crate::{
    cli::{Dry, Rollout},
    cluster::{Cluster, patching},
};

pub async fn run(what: Rollout, cluster: &Cluster) -> Result<ExitCode> {
    match what {
        Rollout::Status(args) => status::run(&args, cluster).await,
        Rollout::History(args) => history::run(&args, cluster).await,
        Rollout::Undo(args) => undo::run(&args, cluster).await,
        Rollout::Restart(args) => restart::run(&args, cluster).await,
    }
}

/// Options of a patch that may be tried only.
fn params(dry: Dry) -> PatchParams {
    PatchParams { dry_run: dry == Dry::Server, ..patching() }
}

/// What kubectl says behind what it did.
fn told(dry: Dry) -> &'static str {
    match dry {
        Dry::None => "",
        Dry::Client => " (dry run)",
        Dry::Server => " (server dry run)",
    }
}
