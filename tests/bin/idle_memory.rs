//! `make idle-memory`: how much memory the operator, as it is released, needs when there is nothing to do.
//!
//! Brings a control plane of its own. Prints the resident memory, and fails when it is more than was promised.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use ordinal_tests::{ControlPlane, Operator, OperatorOptions, Options};

/// What was promised.
const LIMIT_KIB: u64 = 15 * 1000 * 1000 / 1024;

/// By then it has listed everything, holds its lease, and has renewed it a few times.
const SETTLE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure().await {
        Ok(kib) => {
            let megabytes = |kib: u64| kib as f64 * 1024.0 / 1e6;
            println!("resident memory of an idle operator: {:.1} MB", megabytes(kib));
            if kib < LIMIT_KIB {
                return ExitCode::SUCCESS;
            }
            eprintln!("error: that is more than {:.0} MB", megabytes(LIMIT_KIB));
        }
        Err(error) => eprintln!("error: {error:#}"),
    }
    ExitCode::FAILURE
}

async fn measure() -> Result<u64> {
    let control_plane = ControlPlane::start(Options { nodes: 1, ..Options::default() }).await?;
    let options = OperatorOptions { shipped: true, ..OperatorOptions::default() };
    let operator = Operator::start(&control_plane, options).await?;
    operator.says(SETTLE, &["leading"]).await?;
    tokio::time::sleep(SETTLE).await;
    operator.resident_kib()
}
