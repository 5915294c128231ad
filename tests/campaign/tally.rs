//! What is counted.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::input::Generator;

/// What was looked at, and found to be as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oracle {
    /// What is declared is there, and the status tells the truth.
    Consistency,
    /// After good and bad, good is as before.
    Recovery,
    /// A set with a past is as one made afresh.
    Differential,
    /// What is refused is refused at once, with its field named, and leaves no trace.
    RefusedEarly,
    /// Both kinds are accepted or refused alike, or a rule says why not.
    Parity,
    /// A StatefulSet comes to the same pods and claims.
    NativePods,
    /// The calls of the operator are few.
    Calm,
}

/// Counts of all walks.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// Accepted and refused.
    steps: BTreeMap<Generator, (usize, usize)>,
    checked: BTreeMap<Oracle, usize>,
    explained: BTreeMap<&'static str, usize>,
    most_calls: usize,
}

impl Tally {
    /// A change was sent.
    pub fn step(&self, generator: Generator, accepted: bool) {
        let mut counts = self.lock();
        let (yes, no) = counts.steps.entry(generator).or_default();
        *(if accepted { yes } else { no }) += 1;
    }

    /// An oracle was content.
    pub fn checked(&self, oracle: Oracle) {
        *self.lock().checked.entry(oracle).or_default() += 1;
    }

    /// One of the two kinds alone was refused, for this reason.
    pub fn explained(&self, why: &'static str) {
        *self.lock().explained.entry(why).or_default() += 1;
    }

    /// The operator's calls within a step, which are few.
    pub fn calls(&self, calls: usize) {
        self.checked(Oracle::Calm);
        let mut counts = self.lock();
        counts.most_calls = counts.most_calls.max(calls);
    }

    /// Changes so far.
    pub fn steps(&self) -> usize {
        self.lock().steps()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn steps(&self) -> usize {
        self.steps.values().map(|(accepted, refused)| accepted + refused).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.lock();
        writeln!(f, "{} steps, by generator:", counts.steps())?;
        for (generator, (accepted, refused)) in &counts.steps {
            writeln!(f, "  {:12} {accepted:5} accepted {refused:5} refused", format!("{generator:?}"))?;
        }
        writeln!(f, "content, by oracle:")?;
        for (oracle, times) in &counts.checked {
            writeln!(f, "  {:12} {times:5}", format!("{oracle:?}"))?;
        }
        writeln!(f, "refused as one kind alone, by rule:")?;
        for (why, times) in &counts.explained {
            writeln!(f, "  {times:5}  {why}")?;
        }
        writeln!(f, "most calls of the operator within a step: {}", counts.most_calls)
    }
}
