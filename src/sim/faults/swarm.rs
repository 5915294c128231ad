//! Many faults at once: each run enables some of them, and a seed decides when they strike. Beside the faults of plans there are
//! those of caches: they lag, each kind at its own pace (F9, F11), miss what came and went (F8, F12), are filled from a server
//! that lags (F10) or that wrongly says there is nothing (F16), and a second operator that knows of no other (F17, F18).

use super::{portrait::Portrait, portrait::difference, reference, run::refusal};
use crate::{
    fault::Edit,
    kubelet::{self, Dice},
    properties::seeds,
    store::Store,
    workload::{Step, Workload},
    world::{Fate, World},
};
use std::collections::BTreeMap;

/// How much happens after each step of the work.
const TURNS: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hazard {
    Lag,
    Relist,
    TimeTravel,
    EmptyList,
    SecondOperator,
    Crash,
    LostReply,
    Errors,
    Foreign,
}

const HAZARDS: [Hazard; 9] = [
    Hazard::Lag,
    Hazard::Relist,
    Hazard::TimeTravel,
    Hazard::EmptyList,
    Hazard::SecondOperator,
    Hazard::Crash,
    Hazard::LostReply,
    Hazard::Errors,
    Hazard::Foreign,
];

struct Swarm {
    world: World,
    dice: Dice,
    hazards: Vec<Hazard>,
}

impl Swarm {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let hazards: Vec<Hazard> = HAZARDS.into_iter().filter(|_| dice.once_in(3)).collect();
        let mut world = World::new(Store::default());
        if hazards.contains(&Hazard::SecondOperator) {
            world.start_operator();
        }
        Self { world, dice, hazards }
    }

    fn has(&self, hazard: Hazard) -> bool {
        self.hazards.contains(&hazard)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Call(call) => _ = self.world.call(call).unwrap_or_else(|e| panic!("{call} was refused: {e}")),
            // It may be away just then.
            Step::Fails(pod) => kubelet::end(&mut self.world.store, pod, "Failed"),
            Step::Rest => self.rest(),
            Step::Until { .. } => {}
        }
        for _ in 0..TURNS {
            self.turn();
        }
    }

    /// Something happens, or goes wrong.
    fn turn(&mut self) {
        let which = self.dice.throw(self.world.operators.len());
        match self.dice.throw(8) {
            0 => _ = self.world.kubelet(&mut self.dice),
            1 => _ = self.world.collect(&mut self.dice),
            2 => self.strike(which),
            _ => {
                self.follow(which);
                self.world.begin(which);
                let fate = self.fate();
                self.world.step_with(which, &mut self.dice, &fate);
            }
        }
    }

    fn follow(&mut self, which: usize) {
        let World { store, operators, .. } = &mut self.world;
        let operator = &mut operators[which].operator;
        if self.hazards.contains(&Hazard::Lag) {
            operator.follow(store, Store::KINDS[self.dice.throw(5)]);
        } else {
            operator.catch_up(store);
        }
    }

    fn fate(&mut self) -> Fate {
        if self.has(Hazard::LostReply) && self.dice.once_in(6) {
            return Fate::Unheard;
        }
        if self.has(Hazard::Errors) && self.dice.once_in(6) {
            return Fate::Refused(refusal(self.dice.of([403, 409, 422, 500])));
        }
        Fate::Answered
    }

    fn strike(&mut self, which: usize) {
        let Some(hazard) = self.dice.pick(&self.hazards).copied() else { return };
        let kind = Store::KINDS[self.dice.throw(5)];
        match hazard {
            Hazard::Relist => self.world.relist(which, kind),
            Hazard::EmptyList => self.world.relist_in_vain(which, kind),
            Hazard::Crash => self.world.restart(which),
            Hazard::TimeTravel => {
                let now = self.world.store.history.len();
                self.world.restart_as_of(which, now - self.dice.throw(now.min(12) + 1));
            }
            Hazard::Foreign => self.world.spoil(self.dice.of(Edit::ALL)),
            Hazard::Lag | Hazard::SecondOperator | Hazard::LostReply | Hazard::Errors => {}
        }
    }

    /// Nothing goes wrong any more, until nobody does anything.
    fn rest(&mut self) {
        for which in 0..self.world.operators.len() {
            Store::KINDS.into_iter().for_each(|kind| self.world.relist(which, kind));
        }
        if let Err(changes) = self.world.calm_down(&mut self.dice) {
            panic!("it does not come to rest; last\n{changes}");
        }
        if self.has(Hazard::SecondOperator) {
            self.world.start_operator();
        }
    }
}

// also: N-1, N-2, N-3, N-6, N-7, N-9, N-10
#[test]
fn n_13_swarms_of_faults_break_no_promise_and_end_as_if_nothing_had_been() {
    let references: BTreeMap<Workload, Portrait> =
        Workload::ALL.map(|workload| (workload, reference(workload).0)).into();
    seeds(600, |seed| {
        let workload = Workload::ALL[usize::try_from(seed).unwrap_or(0) % Workload::ALL.len()];
        let mut swarm = Swarm::new(seed);
        println!("{workload} with {:?}", swarm.hazards);
        workload.steps().iter().for_each(|step| swarm.step(step));
        swarm.rest();
        let end = Portrait::of(&swarm.world.store);
        assert_eq!(difference(&references[&workload], &end), "");
    });
}
