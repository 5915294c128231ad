//! Every state of small sets: up to 3 replicas, 2 revisions, pods in all conditions, both policies, maxUnavailable 1 and 2,
//! partition 0 to 3, every order of an operator's calls, of what nodes do, of deletions by others and of a change of the template,
//! with one crash of the operator between any two calls. Breadth first, from every combination of pods.
//!
//! Caches do not lag here by kind: a pass judges what was there when it began, and anything can happen between that and each of
//! its calls, which is a lag of all caches at once. `properties` has the rest.

mod machine;
mod state;

use machine::{Config, Machine};
use state::{SLOTS, State};
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// What was seen.
#[derive(Default)]
struct Count {
    configurations: usize,
    states: usize,
    transitions: usize,
    plans: usize,
    waiting: usize,
}

impl Count {
    fn tell(&self, time: Duration) {
        println!(
            "{} configurations, {} states, {} transitions, {} plans; with nodes that are stuck {} states end waiting for a person \
             or a node; {:.1} s",
            self.configurations,
            self.states,
            self.transitions,
            self.plans,
            self.waiting,
            time.as_secs_f64()
        );
    }
}

fn configurations() -> impl Iterator<Item = Config> {
    let budgets = [1, 2].into_iter().flat_map(|max_unavailable| {
        (0..=SLOTS).map(move |partition| Config { replicas: 0, parallel: false, max_unavailable, partition })
    });
    let policies = budgets.flat_map(|config| [false, true].map(|parallel| Config { parallel, ..config }));
    policies.flat_map(|config| (0..=SLOTS).map(move |replicas| Config { replicas, ..config }))
}

/// From every combination of pods, with a template that has changed or is about to.
fn beginnings(machine: &Machine) -> Vec<State> {
    let mut all = Vec::new();
    let combinations: usize = (0..SLOTS).map(|slot| machine.conditions(slot)).product();
    for mut n in 0..combinations {
        let mut pods = [0; SLOTS];
        for (slot, pod) in pods.iter_mut().enumerate() {
            *pod = u8::try_from(n % machine.conditions(slot)).unwrap_or(0);
            n /= machine.conditions(slot);
        }
        let second = (0..SLOTS).any(|slot| machine.pod(slot, pods[slot]).is_some_and(|p| machine.is_second(p)));
        let quiet = State {
            pods,
            seen: [true; SLOTS],
            changed: true,
            recorded: true,
            promoted: false,
            tried: false,
            crashed: false,
            pass: 0,
        };
        all.push(quiet);
        if !second {
            all.push(State { changed: false, recorded: false, ..quiet });
        }
    }
    all
}

fn explore(config: Config, count: &mut Count) {
    let mut machine = Machine::new(config);
    let mut states: Vec<u64> = beginnings(&machine).into_iter().map(State::pack).collect();
    let mut known: HashSet<u64> = states.iter().copied().collect();
    let mut at = 0;
    while at < states.len() {
        for next in machine.next(State::unpack(states[at])) {
            count.transitions += 1;
            if known.insert(next.pack()) {
                states.push(next.pack());
            }
        }
        at += 1;
    }
    drop(known);
    ends_well(&mut machine, &states, false);
    count.waiting += ends_well(&mut machine, &states, true);
    count.configurations += 1;
    count.states += states.len();
    count.plans += machine.plans;
}

/// From every state the calm end comes to rest, where the set wants it or, with nodes that are stuck, where the rules wait. Tells
/// from how many states it is the latter.
fn ends_well(machine: &mut Machine, states: &[u64], stuck: bool) -> usize {
    // How the walk from a state ends: at its goal or not.
    let mut known: HashMap<u64, bool> = HashMap::with_capacity(states.len());
    let mut waiting = 0;
    for start in states {
        let (mut path, mut s) = (Vec::new(), *start);
        let reached = loop {
            if let Some(reached) = known.get(&s) {
                break *reached;
            }
            assert!(path.len() < 400, "{:?} comes to no rest: {}", machine.config, machine.told(State::unpack(s)));
            path.push(s);
            let state = State::unpack(s);
            let next = machine.calm(state, stuck);
            if state.pass == 0 && next.pass != 0 && machine.is_idle(next) {
                let reached = is_wanted(machine, state);
                let excused = if stuck { waits(machine, state) } else { is_blocked(machine, state) };
                assert!(
                    reached || excused,
                    "{:?} comes to rest short of its goal: {}",
                    machine.config,
                    machine.told(state)
                );
                break reached;
            }
            s = next.pack();
        };
        waiting += usize::from(!reached);
        known.extend(path.into_iter().map(|s| (s, reached)));
    }
    waiting
}

fn is_ready(machine: &Machine, s: State, slot: usize) -> bool {
    let pod = machine.pod(slot, s.pods[slot]).and_then(|p| p.as_pod());
    pod.is_some_and(|pod| pod.is_running_and_ready() && !pod.is_terminating())
}

fn is_wanted(machine: &Machine, s: State) -> bool {
    (0..SLOTS).all(|slot| {
        let pod = machine.pod(slot, s.pods[slot]);
        match pod {
            Some(pod) if slot < machine.config.replicas => {
                is_ready(machine, s, slot) && (slot < machine.config.partition || machine.is_second(pod))
            }
            None => slot >= machine.config.replicas,
            Some(_) => false,
        }
    })
}

/// Several condemned pods that ended, which no node brings back: OrderedReady leaves them to a person (S-12.4).
fn is_blocked(machine: &Machine, s: State) -> bool {
    let ended = |slot: usize| machine.pod(slot, s.pods[slot]).and_then(|p| p.as_pod()).is_some_and(|p| p.has_ended());
    !machine.config.parallel && (machine.config.replicas..SLOTS).filter(|slot| ended(*slot)).count() > 1
}

/// Whether the rules say that the set waits: OrderedReady for any slot that is not ready (S-4.13, S-12.1), and for condemned pods
/// that are not ready where there are several (S-12.4); Parallel for its budget alone.
fn waits(machine: &Machine, s: State) -> bool {
    let n = machine.config.replicas;
    let there = |slot: &usize| s.pods[*slot] != 0;
    let unready = (0..n).filter(|slot| !is_ready(machine, s, *slot)).count();
    let sick = (n..SLOTS).filter(there).filter(|slot| !is_ready(machine, s, *slot)).count();
    if !machine.config.parallel {
        return unready > 0 || sick > 1;
    }
    let all_there = (0..n).all(|slot| there(&slot)) && !(n..SLOTS).any(|slot| there(&slot));
    let broken_and_outdated = |slot: usize| {
        let second = machine.pod(slot, s.pods[slot]).is_some_and(|p| machine.is_second(p));
        slot >= machine.config.partition && !second && !is_ready(machine, s, slot)
    };
    all_there && unready > 0 && !(0..n).any(broken_and_outdated)
}

/// All of them by `make exhaustive`; otherwise those with slots below the partition, above it, and condemned pods.
// also: N-2, N-3, N-7, N-12, S-4.13, S-12.1, S-12.4
#[test]
fn n_13_every_interleaving_of_a_small_set_keeps_the_invariants_and_ends_well() {
    let full = std::env::var_os("EXHAUSTIVE").is_some();
    let (mut count, begun) = (Count::default(), Instant::now());
    for config in configurations().filter(|c| full || (c.replicas == 2 && c.partition == 1)) {
        explore(config, &mut count);
    }
    count.tell(begun.elapsed());
}
