//! Stands in for a test process that ends badly. Live tests run it, because a test that fails on purpose cannot stand
//! among those that must pass.

use anyhow::anyhow;
use ordinal_tests::{ControlPlane, Options, Outcome, scratch::Scratch};

/// `hold`: has a control plane, tells its directory and pids, and waits to be killed. `fail` and `panic`: ends so, with
/// evidence in a directory.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    match std::env::args().nth(1).as_deref() {
        Some("hold") => {
            let options = Options { nodes: 1, install: false, ..Options::default() };
            let control_plane = ControlPlane::start(options).await?;
            let pids: Vec<String> = control_plane.pids().iter().map(|(_, pid)| pid.to_string()).collect();
            println!("{}|{}", control_plane.dir().display(), pids.join(","));
            std::future::pending().await
        }
        Some(way @ ("fail" | "panic")) => {
            let scratch = Scratch::new()?;
            std::fs::write(scratch.path().join("evidence"), "")?;
            if way == "panic" {
                panic!("this was to be expected");
            }
            Err(anyhow!("this was to be expected"))?
        }
        _ => Err(anyhow!("usage: victim hold|fail|panic"))?,
    }
}
