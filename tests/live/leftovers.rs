//! Nothing stays behind, whatever way a test process ends; and what explains a failure does. The process that ends is
//! `bin/victim.rs`.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use ordinal_tests::{Look, Outcome, eventually};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");

#[tokio::test]
async fn a_killed_test_process_leaves_no_process_and_no_directory() -> Outcome {
    let mut victim = Command::new(VICTIM).arg("hold").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = victim.stdout.take().context("stdout is a pipe")?;
    let told = tokio::task::spawn_blocking(move || BufReader::new(stdout).lines().next().transpose())
        .await??
        .context("the victim does not say that it holds a control plane")?;
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
fn a_test_that_returns_an_error_keeps_its_logs_and_says_where() -> Outcome {
    keeps_its_logs("fail")
}

#[test]
fn a_test_that_panics_keeps_its_logs_and_says_where() -> Outcome {
    keeps_its_logs("panic")
}

fn keeps_its_logs(way: &str) -> Outcome {
    let output = Command::new(VICTIM).arg(way).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("this was to be expected"), "{said}");
    let (_, dir) = said.split_once("logs are kept in ").with_context(|| format!("it says only {said}"))?;
    let dir = PathBuf::from(dir.lines().next().unwrap_or_default());
    assert!(dir.join("evidence").is_file(), "{}", dir.display());
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn lives(pid: &str) -> bool {
    Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
