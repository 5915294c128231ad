//! The machine that it all runs on, and what else it has to do.

use std::time::Instant;

use anyhow::{Context, Result};

/// In words, for the head of a table.
pub fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    format!("{cpus} cores, {}", model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()))
}

/// How long the machine's CPUs have worked, for whomever.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    busy_seconds: f64,
    at: Instant,
}

impl Load {
    /// Now.
    pub fn now() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        let line = stat.lines().next().context("/proc/stat is empty")?;
        let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|ticks| ticks.parse().ok()).collect();
        // user nice system idle iowait irq softirq; what guests took is in user and nice already.
        let busy: f64 = ticks.iter().take(7).enumerate().filter(|(i, _)| !matches!(i, 3 | 4)).map(|(_, t)| t).sum();
        Ok(Self { busy_seconds: busy / 100.0, at: Instant::now() })
    }

    /// How many CPUs were taken by others than those that worked so many seconds.
    pub fn others_since(&self, before: &Load, ours: f64) -> f64 {
        let passed = self.at.duration_since(before.at).as_secs_f64().max(0.01);
        ((self.busy_seconds - before.busy_seconds - ours) / passed).max(0.0)
    }
}
