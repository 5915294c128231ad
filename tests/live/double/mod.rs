//! The simulated cluster (`src/sim`) against the real one: the same calls are sent to both, one by one, and both must answer
//! alike and hold the same objects afterwards. `SEED=n` replays one sequence, `RUNS=n` tries other ones.

mod calls;
mod mask;
mod real;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use ordinal_sim::{call::Call, collector, kubelet::Dice, store::Store};
use ordinal_tests::{ControlPlane, HandPlayedNode, Options, Outcome};

use mask::Masked;
use real::Real;

/// The collectors of a busy control plane take this long at most.
const SETTLED: Duration = Duration::from_secs(60);
/// A list may come from a cache of the API server's, which is a moment late.
const READ: Duration = Duration::from_secs(2);

const SEQUENCES: u64 = 6;
const CALLS: usize = 80;

// also: S-1.3, N-13
#[tokio::test]
async fn s_9_8_the_simulated_api_server_answers_as_the_real_one() -> Outcome {
    let seeds: Vec<u64> = match (number("SEED"), number("RUNS")) {
        (Some(seed), _) => vec![seed],
        (None, runs) => (1..=runs.unwrap_or(SEQUENCES)).collect(),
    };
    // Of its own: no operator must touch these sets.
    let control_plane = ControlPlane::start(Options { nodes: 0, ..Options::default() }).await?;
    let control_plane = &control_plane;
    let made = seeds.into_iter().map(|seed| async move {
        let ns = control_plane.namespace("double").await?;
        let node = HandPlayedNode::create(ns.client(), ns.name()).await?;
        sequence(seed, Real::new(&ns, node.name())).await.with_context(|| format!("replay it with SEED={seed}"))
    });
    let refusals: Vec<usize> = try_join_all(made).await?;
    println!("{} sequences of {CALLS} calls, refused in {refusals:?} cases, answered alike", refusals.len());
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// One sequence; tells how many of its calls were refused.
async fn sequence(seed: u64, mut real: Real) -> Result<usize> {
    let (mut dice, mut store) = (Dice::new(seed), Store::default());
    let (mut told, mut refused) = (Vec::new(), 0);
    for n in 0..CALLS {
        let call = calls::random(&store, &mut dice);
        told.push(format!("{n}: {call}"));
        one(&mut store, &mut real, &call, &mut refused).await.with_context(|| told.join("\n"))?;
    }
    Ok(refused)
}

async fn one(store: &mut Store, real: &mut Real, call: &Call, refused: &mut usize) -> Result<()> {
    let before = Masked::of(store);
    let theirs = real.apply(store, call).await;
    let ours = store.apply(call);
    *refused += usize::from(ours.is_err());
    let ours = ours.map_err(|refusal| format!("{:?}", refusal.reason));
    let theirs = theirs.map_err(|refusal| refusal.to_string());
    ensure!(ours.is_ok() == theirs.is_ok(), "the double says {ours:?}, the real one {theirs:?}");
    if let (Err(ours), Err(theirs)) = (&ours, &theirs) {
        ensure!(theirs.starts_with(ours.as_str()), "the double says {ours}, the real one {theirs}");
    }
    let busy = !collector::calls(store).is_empty();
    collector::settle(store);
    let ours = Masked::of(store);
    let written = (format!("{:?}", call.kind()), call.name().to_owned());
    let deadline = Instant::now() + if busy { SETTLED } else { READ };
    loop {
        let theirs = real.masked(store).await?;
        // Whoever waits for a collector cannot tell in which order it came by.
        if ours.same_objects(&theirs) && (busy || ours.same_changes_since(&before, &theirs, real.seen(), &written)) {
            break;
        }
        let known = Masked::told(real.seen());
        ensure!(
            Instant::now() < deadline,
            "the double had\n{before}and has\n{ours}the real one had\n{known}and has\n{theirs}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    real.remember(store).await
}
