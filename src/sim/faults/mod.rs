//! Fault plans in the simulation (`fault`, `workload`): each write is judged when it happens (`never`, `promises`), the end must
//! be that of the same work without faults, and then nobody writes any more (I0). The same plans run against a real API server
//! by `make faults`. `PLAN="W3 7:crash-after"` replays one, `SEED=n` one swarm.

mod portrait;
mod run;
mod swarm;

use crate::{
    fault::{Edit, Fault, Plan},
    workload::Workload,
};
use portrait::{Portrait, difference};
use run::Run;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs a plan, and tells how to replay it when it fails.
fn replayable<T>(plan: &Plan, run: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        eprintln!("replay it with PLAN={:?}", plan.to_string());
        resume_unwind(panic)
    })
}

/// Work without faults: how it ends, and how many calls it takes.
fn reference(workload: Workload) -> (Portrait, usize) {
    let plan = Plan::calm(workload);
    replayable(&plan, || Run::of(&plan).play())
}

/// A plan ends as its work does without faults, and its pods have lived as often, unless somebody else took some, or how far a
/// step comes before the next one is chance.
fn ends_well(plan: &Plan, wanted: &Portrait) {
    replayable(plan, || {
        let (end, _) = Run::of(plan).play();
        assert_eq!(difference(wanted, &end), "", "{plan} ends otherwise than {}", plan.workload);
        if !plan.is_disturbed() && !plan.workload.is_a_race() {
            assert_eq!(end.lives, wanted.lives, "{plan}: pods that there have been");
        }
    });
}

/// These faults, one at a time, at each call of each workload.
fn at_every_call(faults: &[Fault]) {
    let mut plans = 0;
    for workload in Workload::ALL {
        let (wanted, calls) = reference(workload);
        for call in 0..calls {
            for fault in faults {
                ends_well(&Plan::with(workload, call, *fault), &wanted);
                plans += 1;
            }
        }
    }
    println!("{plans} plans, no violation");
}

fn answers(codes: &[u16], times: u32) -> Vec<Fault> {
    codes.iter().map(|code| Fault::Answer { code: *code, times }).collect()
}

#[test]
fn n_13_work_without_faults_ends_the_same_each_time() {
    for workload in Workload::ALL {
        let (first, calls) = reference(workload);
        let (second, _) = reference(workload);
        assert_eq!((difference(&first, &second), &first.lives), (String::new(), &second.lives), "{workload}");
        assert!(calls > 3, "{workload} is no work: {calls} calls");
    }
}

// also: N-1, N-2, N-3, N-5, N-6
#[test]
fn n_13_f1_a_crash_after_any_call_costs_nothing() {
    at_every_call(&[Fault::CrashAfter]);
}

// also: N-1, N-2, N-3, N-5, N-6
#[test]
fn n_13_f2_a_crash_before_any_call_costs_nothing() {
    at_every_call(&[Fault::CrashBefore]);
}

// also: N-1, N-2, N-3, N-6, N-7
#[test]
fn n_13_f3_a_lost_reply_costs_nothing() {
    at_every_call(&[Fault::LostReply]);
}

#[test]
fn n_13_f4_an_error_at_any_call_is_got_over() {
    at_every_call(&answers(&[500, 503, 504], 1));
    at_every_call(&answers(&[500], 5));
}

#[test]
fn n_13_f5_a_conflict_at_any_call_is_got_over() {
    at_every_call(&[1, 3, 60].map(|times| Fault::Answer { code: 409, times }));
}

#[test]
fn n_13_f7_a_refusal_at_any_call_is_got_over() {
    at_every_call(&answers(&[403, 422], 1));
    at_every_call(&answers(&[403, 422], 3));
}

// also: N-3, N-9, N-10
#[test]
fn n_13_f20_somebody_else_between_any_two_calls_is_borne() {
    at_every_call(&Edit::ALL.map(Fault::Foreign));
}

// also: N-13
#[test]
fn n_5_two_crashes_in_a_row_cost_nothing() {
    for workload in Workload::ALL {
        let (wanted, calls) = reference(workload);
        for call in 0..calls {
            let mut plan = Plan::with(workload, call, Fault::CrashAfter);
            plan.faults.insert(call + 1, Fault::CrashBefore);
            ends_well(&plan, &wanted);
        }
    }
}

/// A plan that is given, or else one of each kind of fault.
#[test]
fn n_13_a_plan_can_be_replayed() {
    let given = std::env::var("PLAN");
    let plan = given.as_deref().unwrap_or("W3 2:lost-reply 4:409x2 7:crash-after 9:delete-pod 11:crash-before");
    let plan: Plan = plan.parse().unwrap_or_else(|e| panic!("PLAN: {e}"));
    let (wanted, _) = reference(plan.workload);
    ends_well(&plan, &wanted);
}
