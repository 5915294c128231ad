//! A plan for a real cluster, in a line of text: `W3 7:crash-after in late-pods`.

use std::{fmt, str::FromStr, time::Duration};

use fastrand::Rng;
use ordinal_sim::{
    fault::{Edit, Fault, Plan},
    workload::Workload,
};

use crate::weather::{self, Weather};

/// What once failed is in every sample: adoptions half a minute after the live read that allows them.
const ONCE_FAILED: [&str; 1] = ["W9 11:hung-reply"];

/// An operator waits half a minute for an answer.
pub const HANGS: Duration = Duration::from_secs(31);

/// Trials of each workload in which much goes wrong.
const SWARM: usize = 40;

/// What is to be done, and what goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The work, and what goes wrong with single calls.
    pub plan: Plan,
    /// What goes wrong all the time.
    pub weather: Weather,
}

impl Trial {
    /// Work without faults.
    pub fn calm(workload: Workload) -> Self {
        Self { plan: Plan::calm(workload), weather: Weather::Fair }
    }

    /// How long its hung replies hold up the work.
    pub fn hangs_for(&self) -> Duration {
        let hung = self.plan.faults.values().filter(|fault| **fault == Fault::HungReply).count();
        HANGS * u32::try_from(hung).unwrap_or(u32::MAX)
    }
}

/// Those that have found a defect of the operator.
pub fn once_failed() -> impl Iterator<Item = Trial> {
    ONCE_FAILED.iter().filter_map(|text| text.parse().ok())
}

/// What can go wrong with a call.
fn faults() -> Vec<Fault> {
    let answer = |code: u16, times: u32| Fault::Answer { code, times };
    let mut faults = vec![Fault::CrashAfter, Fault::CrashBefore, Fault::LostReply, Fault::HungReply];
    faults.extend([500, 503, 504, 409, 429, 403, 422].map(|code| answer(code, 1)));
    faults.extend([answer(409, 3), answer(500, 4)]);
    faults.extend(Edit::ALL.map(Fault::Foreign));
    faults
}

/// All trials with one fault, or one weather, of a workload that takes so many calls.
pub fn all(workload: Workload, calls: usize) -> Vec<Trial> {
    let faults = faults();
    let at = |call, fault| Trial { plan: Plan::with(workload, call, fault), weather: Weather::Fair };
    let one_by_one = (0..calls).flat_map(|call| faults.iter().map(move |fault| at(call, *fault)));
    let weathers = weather::ALL.iter().map(|(_, weather)| *weather).filter(|weather| weather.is_felt(workload));
    // An operator that starts anew in the midst of it; some weathers are only felt then.
    let under = weathers.flat_map(|weather| {
        let crash = Trial { plan: Plan::with(workload, calls / 2, Fault::CrashAfter), weather };
        let calm = Trial { plan: Plan::calm(workload), weather };
        [Some(calm).filter(|_| !weather.is_felt_at_a_start()), Some(crash)].into_iter().flatten()
    });
    one_by_one.chain(under).collect()
}

/// Trials in which much goes wrong, by chance.
pub fn swarm(workload: Workload, calls: usize, dice: &mut Rng) -> Vec<Trial> {
    let faults = faults();
    let one = |dice: &mut Rng| {
        // What goes wrong makes for more calls.
        let wrong = |dice: &mut Rng| (dice.usize(..2 * calls), faults[dice.usize(..faults.len())]);
        let faults = (0..dice.usize(2..6)).map(|_| wrong(dice)).collect();
        let weather = weather::ALL[dice.usize(..weather::ALL.len())].1;
        let weather = if dice.bool() && weather.is_felt(workload) { weather } else { Weather::Fair };
        Trial { plan: Plan { workload, faults }, weather }
    };
    (0..SWARM).map(|_| one(dice)).collect()
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weather {
            Weather::Fair => write!(f, "{}", self.plan),
            weather => write!(f, "{} in {weather}", self.plan),
        }
    }
}

impl FromStr for Trial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (plan, weather) = match text.split_once(" in ") {
            Some((plan, weather)) => (plan, weather.parse()?),
            None => (text, Weather::Fair),
        };
        Ok(Self { plan: plan.parse()?, weather })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_once_failed_is_a_plan_still() {
        assert_eq!(once_failed().count(), ONCE_FAILED.len());
    }

    #[test]
    fn a_trial_says_how_to_replay_it() {
        let swarm = swarm(Workload::W3, 5, &mut Rng::with_seed(1));
        for trial in all(Workload::W3, 5).into_iter().chain(swarm) {
            assert_eq!(trial.to_string().parse::<Trial>(), Ok(trial));
        }
    }
}
