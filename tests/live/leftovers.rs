//! Nothing stays behind, whatever way a test process ends.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use ordinal_tests::{ControlPlane, Look, Options, Outcome, eventually, scratch::Scratch};

/// The name of the test below that is run in a process of its own, to be killed.
const VICTIM: &str = "leftovers::victim";

#[tokio::test]
async fn a_killed_test_process_leaves_no_process_and_no_directory() -> Outcome {
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", VICTIM, "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = victim.stdout.take().context("stdout is a pipe")?;
    let told = tokio::task::spawn_blocking(move || {
        // libtest may write its "test … " before ours on the same line.
        BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("RUNNING ").map(|(_, told)| told.to_owned()))
    })
    .await?
    .context("the victim does not say that it runs")?;
    let (dir, pids) = told.split_once('|').context("a directory and pids")?;
    let (dir, pids) = (PathBuf::from(dir), pids.split(',').collect::<Vec<_>>());
    assert!(dir.is_dir() && pids.len() == 5 && pids.iter().all(|pid| lives(pid)), "{told}");

    victim.kill()?; // SIGKILL: no code of the victim runs after this
    victim.wait()?;
    eventually(Duration::from_secs(10), "all of it is gone", async || {
        let left: Vec<_> = pids.iter().filter(|pid| lives(pid)).collect();
        Ok(Look::when(left.is_empty() && !dir.exists(), || format!("pids {left:?}, {dir:?} exists: {}", dir.exists())))
    })
    .await?;
    Ok(())
}

#[test]
fn a_failed_test_keeps_its_logs_and_says_where() -> Outcome {
    for failing in ["leftovers::returns_an_error", "leftovers::panics"] {
        let output = Command::new(std::env::current_exe()?).args(["--exact", failing, "--ignored"]).output()?;
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stdout);
        let (_, dir) = said.split_once("logs are kept in ").with_context(|| format!("{failing} says {said}"))?;
        let dir = PathBuf::from(dir.lines().next().unwrap_or_default());
        assert!(dir.join("evidence").is_file(), "{}", dir.display());
        std::fs::remove_dir_all(dir)?;
    }
    Ok(())
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn returns_an_error() -> Outcome {
    let scratch = Scratch::new()?;
    std::fs::write(scratch.path().join("evidence"), "")?;
    Err(anyhow::anyhow!("this was to be expected"))?
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn panics() {
    let scratch = Scratch::new().expect("a directory can be made");
    std::fs::write(scratch.path().join("evidence"), "").expect("a file can be written");
    panic!("this was to be expected");
}

/// Holds a control plane until it is killed.
#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn victim() -> Outcome {
    let control_plane = ControlPlane::start(Options { nodes: 1, install: false, ..Options::default() }).await?;
    let pids: Vec<String> = control_plane.pids().iter().map(u32::to_string).collect();
    println!("RUNNING {}|{}", control_plane.dir().display(), pids.join(","));
    std::future::pending().await
}

fn lives(pid: &str) -> bool {
    Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
