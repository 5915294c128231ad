//! What a contestant uses for a piece of work, and what the machine uses beside it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use ordinal_tests::{
    Usage,
    audit::{Call, Tail},
};

use crate::{
    arena::Turn,
    contestant::Running,
    machine::Load,
    results::{Cost, Row},
};

/// Without a call for that long, a contestant has finished what follows its work: events, statuses that were held back.
/// Longer than any pause that either of them makes between two calls that belong together: Ordinal tells of a burst after 5 s.
const QUIET: Duration = Duration::from_secs(6);

/// A contestant that goes on for that long without need is not measured but mended.
const LONGEST: Duration = Duration::from_secs(300);

/// The contestant's part in CPU times.
pub const CONTESTANT: &str = "contestant";

/// The bench itself: nodes and watches.
const BENCH: &str = "bench and nodes";

/// A measurement under way.
pub struct Meter<'a> {
    turn: Turn<'a>,
    running: &'a Running,
    audit: Tail,
    started: Instant,
    took: Option<Duration>,
    before: BTreeMap<String, Duration>,
    load: Load,
    calls: Vec<Call>,
}

impl<'a> Meter<'a> {
    /// Begins when the contestant is quiet; the clock starts then.
    pub async fn start(turn: Turn<'a>, running: &'a Running) -> Result<Self> {
        let mut meter = Self {
            turn,
            running,
            audit: turn.control_plane().tail(turn.contestant.identity()),
            started: Instant::now(),
            took: None,
            before: BTreeMap::new(),
            load: Load::now()?,
            calls: Vec::new(),
        };
        meter.audit.skip()?;
        meter.quiet().await?;
        // Everything up to now is not of this work.
        meter.calls.clear();
        meter.before = meter.cpu()?;
        meter.load = Load::now()?;
        meter.started = Instant::now();
        Ok(meter)
    }

    /// Stops the clock: the work is done. Calls and CPU are counted on, for what follows from it is its cost too.
    pub fn done(&mut self) {
        self.took = Some(self.started.elapsed());
    }

    /// Ends, once the contestant is quiet. `pods`: what the cost is shared by; 0 for none.
    pub async fn finish(mut self, row: String, pods: u32) -> Result<Row> {
        self.quiet().await?;
        self.read(row, pods)
    }

    /// Ends at once.
    pub fn read(mut self, row: String, pods: u32) -> Result<Row> {
        self.look()?;
        let after = self.cpu()?;
        let cpu: BTreeMap<_, _> = after
            .into_iter()
            .map(|(name, after)| {
                let before = self.before.get(&name).copied().unwrap_or_default();
                (name, after.saturating_sub(before).as_secs_f64())
            })
            .collect();
        let others = Load::now()?.others_since(&self.load, cpu.values().sum());
        let usage = self.running.usage()?;
        Ok(Row {
            name: row,
            contestant: self.turn.contestant.to_string(),
            repetition: 0,
            pods,
            seconds: self.took.map(|took| took.as_secs_f64()),
            worst_seconds: None,
            cost: Cost::of(&self.calls),
            cpu,
            resident_kib: usage.resident_kib,
            peak_kib: usage.peak_kib,
            others,
        })
    }

    async fn quiet(&mut self) -> Result<()> {
        let deadline = Instant::now() + LONGEST;
        let mut last = Instant::now();
        while last.elapsed() < QUIET {
            if Instant::now() > deadline {
                let told: Vec<_> = self.calls.iter().rev().take(5).map(Call::in_words).collect();
                bail!("{} still makes calls {LONGEST:?} after its work: {told:?}", self.turn.contestant);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.look()? {
                last = Instant::now();
            }
        }
        Ok(())
    }

    /// Takes over what the audit log has; true when there was a call that is more than upkeep.
    fn look(&mut self) -> Result<bool> {
        let fresh = self.audit.read()?;
        let any = fresh.iter().any(|call| !is_upkeep(call));
        self.calls.extend(fresh);
        Ok(any)
    }

    fn cpu(&self) -> Result<BTreeMap<String, Duration>> {
        let mut pids = self.turn.control_plane().pids();
        pids.push((CONTESTANT.to_owned(), self.running.pid()));
        pids.push((BENCH.to_owned(), std::process::id()));
        pids.into_iter().map(|(name, pid)| Ok((name, Usage::of(pid)?.cpu))).collect()
    }
}

/// What is not done for any set: watches that were renewed.
pub fn is_upkeep(call: &Call) -> bool {
    call.verb == "watch"
}
