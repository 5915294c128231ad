//! What is measured: the matrix.

use std::time::Duration;

use crate::contestant::Limits;

/// Sets of one kind of work.
#[derive(Clone, Copy, Debug)]
pub struct Sets {
    /// How many sets.
    pub count: u32,
    /// Pods of each.
    pub replicas: u32,
    /// Whether pods start and stop at once or in order.
    pub parallel: bool,
    /// Whether each pod has a claim.
    pub claim: bool,
}

impl Sets {
    const fn ordered(count: u32, replicas: u32) -> Self {
        Self { count, replicas, parallel: false, claim: false }
    }

    const fn parallel(count: u32, replicas: u32) -> Self {
        Self { count, replicas, parallel: true, claim: false }
    }

    /// Pods in all.
    pub fn pods(&self) -> u32 {
        self.count * self.replicas
    }
}

/// Work for a contestant.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Sets are made, left alone, updated, scaled to nothing.
    Lifecycle(Sets),
    /// So many pods that memory and cold start tell.
    Crowd(Sets),
    /// A small set loses pods while another grows to so many.
    Fairness(u32),
}

/// A part of a scenario that has figures of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Until all sets say that they are done.
    Create,
    /// Nothing to do for a while.
    Idle,
    /// A new template.
    Update,
    /// To nothing.
    ScaleDown,
    /// Memory, with nothing there.
    Nothing,
    /// Memory, after making all the pods.
    Made,
    /// From start to the first write that is needed.
    ColdStart,
    /// Memory, a while after a start with all the pods present.
    Restarted,
    /// From the deletion of a pod to its successor.
    Repair,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Create => "create",
            Phase::Idle => "idle",
            Phase::Update => "update",
            Phase::ScaleDown => "scale-down",
            Phase::Nothing => "memory-nothing",
            Phase::Made => "memory-made",
            Phase::ColdStart => "cold-start",
            Phase::Restarted => "memory-restarted",
            Phase::Repair => "repair",
        }
    }
}

/// Work with its conditions.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// A short name, for rows.
    pub name: &'static str,
    /// What is to be done.
    pub work: Work,
    /// How many calls a contestant may make.
    pub limits: Limits,
    phases: &'static [Phase],
    /// For one contestant, on two cores that have nothing else to do.
    seconds: u64,
}

const LIFE: &[Phase] = &[Phase::Create, Phase::Idle, Phase::Update, Phase::ScaleDown];
const CROWD: &[Phase] = &[Phase::Nothing, Phase::Made, Phase::ColdStart, Phase::Restarted];

const fn life(name: &'static str, sets: Sets, seconds: u64) -> Scenario {
    Scenario { name, work: Work::Lifecycle(sets), limits: Limits::Off, phases: LIFE, seconds }
}

const MATRIX: &[Scenario] = &[
    life("1x100-ordered", Sets::ordered(1, 100), 60),
    life("10x100-parallel", Sets::parallel(10, 100), 75),
    life("100x10-ordered", Sets::ordered(100, 10), 80),
    life("1x1000-parallel", Sets::parallel(1, 1000), 110),
    life("500x3-ordered", Sets::ordered(500, 3), 100),
    life("10x100-parallel-claims", Sets { claim: true, ..Sets::parallel(10, 100) }, 110),
    Scenario {
        name: "10x100-parallel-20qps",
        work: Work::Lifecycle(Sets::parallel(10, 100)),
        limits: Limits::Default,
        // More would take minutes, and say the same.
        phases: &[Phase::Create],
        seconds: 90,
    },
    Scenario {
        name: "10000-pods",
        work: Work::Crowd(Sets::parallel(10, 1000)),
        limits: Limits::Off,
        phases: CROWD,
        seconds: 130,
    },
    Scenario {
        name: "beside-0-to-2000",
        work: Work::Fairness(2000),
        limits: Limits::Off,
        phases: &[Phase::Repair],
        seconds: 60,
    },
    Scenario {
        name: "beside-0-to-500-20qps",
        // More would take minutes, and say the same.
        work: Work::Fairness(500),
        limits: Limits::Default,
        phases: &[Phase::Repair],
        seconds: 75,
    },
];

/// A scenario and the phases of it that are wanted.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which.
    pub scenario: Scenario,
    phases: Vec<Phase>,
}

impl Task {
    /// Whether this phase is to be measured.
    pub fn wants(&self, phase: Phase) -> bool {
        self.phases.contains(&phase)
    }

    /// The name of a phase's row.
    pub fn row(&self, phase: Phase) -> String {
        format!("{}-{}", phase.name(), self.scenario.name)
    }

    /// The rows that this task fills.
    pub fn rows(&self) -> Vec<String> {
        self.phases.iter().map(|phase| self.row(*phase)).collect()
    }

    /// How long one contestant takes.
    pub fn estimate(&self) -> Duration {
        Duration::from_secs(self.scenario.seconds)
    }
}

/// The tasks whose rows have one of these parts in their names; all when there are none.
pub fn tasks(only: &[String]) -> Vec<Task> {
    let all = MATRIX.iter().map(|scenario| Task { scenario: *scenario, phases: scenario.phases.to_vec() });
    let wanted = all.map(|task| {
        let named = |phase: &Phase| only.is_empty() || only.iter().any(|part| task.row(*phase).contains(part));
        Task { phases: task.phases.iter().copied().filter(named).collect(), ..task }
    });
    wanted.filter(|task| !task.phases.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_picks_scenarios_and_phases() {
        let rows = |only: &str| tasks(&[only.to_owned()]).iter().flat_map(Task::rows).collect::<Vec<_>>();
        assert_eq!(rows("create-100x10"), ["create-100x10-ordered"]);
        assert_eq!(rows("create-10x100-parallel-2"), ["create-10x100-parallel-20qps"]);
        assert_eq!(rows("1x1000"), ["create", "idle", "update", "scale-down"].map(|p| format!("{p}-1x1000-parallel")));
        assert!(rows("nonsense").is_empty());
        assert_eq!(tasks(&[]).len(), MATRIX.len());
    }
}
