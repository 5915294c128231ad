//! Random sets in random clusters, and random orders of events: users, nodes, collectors, strangers, caches that lag, crashes, a
//! second operator. The invariants are judged at every plan and every write ([`crate::never`]). `SEED=n` replays one run,
//! `RUNS=n` makes more.

mod absurd;
mod events;
mod random;

use crate::{kubelet::Dice, objects::Kind, operator::Begun, store::Store, world::World};
use ordinal_plan::snapshot::{Pod, Set};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

/// Runs a test with one seed after the other, and tells which one failed.
pub(crate) fn seeds(runs: u64, test: impl Fn(u64)) {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|n| n.parse::<u64>().ok());
    let all = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RUNS").unwrap_or(runs),
    };
    for seed in all {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("replay it with SEED={seed}");
            resume_unwind(panic);
        }
    }
}

/// Some events, with passes among them in the pace that caches and chance allow.
fn disturb(world: &mut World, dice: &mut Dice, events: usize) {
    for _ in 0..events {
        let which = dice.throw(world.operators.len());
        match dice.throw(10) {
            0..3 => events::happen(world, dice),
            3 | 4 => _ = world.kubelet(dice),
            5 => _ = world.collect(dice),
            6 | 7 => {
                let kind = Store::KINDS[dice.throw(5)];
                let store = &world.store;
                let operator = &mut world.operators[which].operator;
                for _ in 0..=dice.throw(4) {
                    operator.follow(store, kind);
                }
            }
            _ => {}
        }
        if world.begin(which) == Some(Begun::Stale) && dice.once_in(2) {
            world.operators[which].operator.catch_up(&world.store);
        }
        for _ in 0..dice.throw(4) {
            world.step(which, dice);
        }
    }
}

/// Everybody may go on, and a person does what only a person can (S-4.13, S-12.4, S-12.8), until that is not needed.
fn calm(world: &mut World, dice: &mut Dice) {
    let mut last = Ok(());
    for _ in 0..12 {
        events::mend(world);
        last = world.calm_down(dice);
    }
    if let Err(changes) = last {
        panic!("it does not come to rest; last\n{changes}");
    }
}

fn set(world: &World) -> Option<Arc<Set>> {
    world.store.sets.object("web").and_then(|o| o.as_set().ok())
}

/// The set has what it asks for, if it is there.
fn assert_at_rest(world: &World) {
    let Some(set) = set(world) else {
        let left = |o: &&Arc<crate::objects::Object>| o.kind() == Kind::Pod && o.controller().is_some();
        let left: Vec<_> = world.store.all().filter(left).map(|o| o.name().to_owned()).collect();
        assert!(left.is_empty(), "the set is gone, and {left:?} are still there");
        return;
    };
    let pods: Vec<Arc<Pod>> = world.store.pods.objects().filter_map(|o| o.as_pod()).collect();
    let owned = pods.iter().filter(|p| p.controller.as_ref().is_some_and(|c| c.uid == set.uid));
    let mut ordinals: Vec<i32> = owned.clone().filter_map(|p| p.parsed.ordinal).collect();
    ordinals.sort_unstable();
    let wanted: Vec<i32> = (set.start()..set.start() + set.replicas()).collect();
    assert_eq!(ordinals, wanted, "of {:#?} with {:?}", set.spec, set.status);
    let unfinished: Vec<&str> =
        owned.clone().filter(|p| !p.ready || p.is_terminating()).map(|p| p.name.as_str()).collect();
    assert!(unfinished.is_empty(), "{unfinished:?} are not ready");
    let update = set.status.update_revision.as_str();
    let rolling = set.spec.update_strategy.type_ == ordinal_api::UpdateStrategyType::RollingUpdate;
    let behind = |p: &&Arc<Pod>| {
        rolling && p.parsed.ordinal.is_some_and(|o| set.is_in_update_range(o)) && p.revision() != update
    };
    let behind: Vec<&str> = owned.filter(behind).map(|p| p.name.as_str()).collect();
    assert!(behind.is_empty(), "{behind:?} are not at {update}");
    let status = &set.status;
    assert_eq!((status.replicas, status.available_replicas), (set.replicas(), set.replicas()), "{status:?}");
}

// also: N-1, N-2, N-3, N-4, N-6, N-7, N-8, N-9, N-10, N-11, N-12
#[test]
fn n_13_stale_caches_and_crashes_break_no_invariant_and_every_run_comes_to_rest() {
    seeds(300, |seed| {
        let mut dice = Dice::new(seed);
        let mut world = World::new(random::store(&mut dice));
        disturb(&mut world, &mut dice, 120);
        calm(&mut world, &mut dice);
        assert_at_rest(&world);
    });
}

// also: N-1, N-2, N-3, N-6, N-8, N-9, N-10
#[test]
fn n_13_two_active_operators_break_no_invariant() {
    seeds(150, |seed| {
        let mut dice = Dice::new(seed);
        let mut world = World::new(random::store(&mut dice));
        world.start_operator();
        disturb(&mut world, &mut dice, 120);
        calm(&mut world, &mut dice);
        assert_at_rest(&world);
    });
}

// also: N-13
#[test]
fn n_5_a_restarted_operator_finds_nothing_to_do() {
    seeds(100, |seed| {
        let mut dice = Dice::new(seed);
        let mut world = World::new(random::store(&mut dice));
        disturb(&mut world, &mut dice, 40);
        calm(&mut world, &mut dice);
        let written = world.store.history.len();
        world.restart(0);
        world.begin(0);
        while world.step(0, &mut dice) {}
        let more: Vec<String> = world.store.history[written..].iter().map(crate::never::told).collect();
        assert!(more.is_empty(), "it wrote although nothing had changed:\n{}", more.join("\n"));
    });
}
