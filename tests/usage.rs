//! What a process has used so far, from /proc (Linux).

use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of times in `/proc/<pid>/stat`, for programs the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// In user and kernel mode, all threads together.
    pub cpu: Duration,
    /// Resident memory now.
    pub resident_kib: u64,
    /// Resident memory at its most.
    pub peak_kib: u64,
}

impl Usage {
    /// Of a running process.
    pub fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        // The second field is the program's name in brackets, whatever that is.
        let fields = stat.rsplit_once(')').context("/proc/…/stat without a name")?.1;
        let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        let kib = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{name} is {line:?}"))
        };
        Ok(Self {
            cpu: Duration::from_secs_f64(ticks / TICKS_PER_SECOND),
            resident_kib: kib("VmRSS:")?,
            peak_kib: kib("VmHWM:")?,
        })
    }
}
