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

/// Measures one contestant's pieces of work, one after the other.
pub struct Meter<'a> {
    turn: Turn<'a>,
    running: &'a Running,
    audit: Tail,
    /// When the last call was seen.
    last_call: Instant,
    started: Instant,
    took: Option<Duration>,
    before: BTreeMap<String, Duration>,
    load: Load,
    calls: Vec<Call>,
}

impl<'a> Meter<'a> {
    /// One that measures nothing until [`Meter::begin`].
    pub fn new(turn: Turn<'a>, running: &'a Running) -> Result<Self> {
        let mut audit = turn.control_plane().tail(turn.contestant.identity());
        audit.skip()?;
        Ok(Self {
            turn,
            running,
            audit,
            last_call: Instant::now(),
            started: Instant::now(),
            took: None,
            before: BTreeMap::new(),
            load: Load::now()?,
            calls: Vec::new(),
        })
    }

    /// A piece of work begins: when the contestant is quiet the clock starts.
    pub async fn begin(&mut self) -> Result<()> {
        self.quiet().await?;
        // Everything up to now is not of this work.
        self.calls.clear();
        self.took = None;
        self.before = self.cpu()?;
        self.load = Load::now()?;
        self.started = Instant::now();
        Ok(())
    }

    /// Stops the clock: the work is done. Calls and CPU are counted on, for what follows from it is its cost too.
    pub fn done(&mut self) {
        self.took = Some(self.started.elapsed());
    }

    /// Reads it, once the contestant is quiet. `pods`: what the cost is shared by; 0 for none.
    pub async fn finish(&mut self, row: String, pods: u32) -> Result<Row> {
        self.quiet().await?;
        self.read(row, pods)
    }

    /// Reads it at once.
    pub fn read(&mut self, row: String, pods: u32) -> Result<Row> {
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
        loop {
            self.look()?;
            if self.last_call.elapsed() >= QUIET {
                return Ok(());
            }
            if Instant::now() > deadline {
                let told: Vec<_> = self.calls.iter().rev().take(5).map(Call::in_words).collect();
                bail!("{} still makes calls {LONGEST:?} after its work: {told:?}", self.turn.contestant);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Takes over what the audit log has.
    fn look(&mut self) -> Result<()> {
        let fresh = self.audit.read()?;
        if fresh.iter().any(|call| !is_upkeep(call)) {
            self.last_call = Instant::now();
        }
        self.calls.extend(fresh);
        Ok(())
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
