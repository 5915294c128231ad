//! `make soak`: fifty sets at a time are made, rolled, scaled and deleted, over and over, while pods fail and are deleted. In the
//! end the operator needs no more memory and no more connections than after the first rounds, and nothing is left behind. Then
//! the same with an operator that is killed in the midst of it.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use fastrand::Rng;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use ordinal_sim::objects::Kind;
use ordinal_tests::{
    ControlPlane, Look, Namespace, Operator, OperatorOptions, Options,
    audit::Policy,
    calls, eventually,
    manifests::{claims, image, set},
    scratch::kept_note,
};
use serde_json::{Value, json};

/// Sets at a time.
const SETS: usize = 50;

/// Pods that something happens to, in each round.
const VICTIMS: usize = 30;

/// What has not happened by then does not.
const LIMIT: Duration = Duration::from_secs(180);

/// Writes at a time.
const AT_A_TIME: usize = 16;

/// Rounds whose median is compared.
const COMPARED: usize = 5;

/// More than this of the first rounds' memory, in percent, is a leak.
const ALLOWED: f64 = 105.0;

/// Lets sets live and die, and looks what the operator keeps of it.
#[derive(Parser)]
#[command(name = "soak")]
struct Args {
    /// Rounds that are measured, beside those to warm up.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Rounds before.
    #[arg(long, default_value_t = 12)]
    warm_up: usize,
    /// Rounds with an operator that is killed.
    #[arg(long, default_value_t = 6)]
    killed: usize,
    /// Where chance comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    ensure!(args.rounds >= 2 * COMPARED, "fewer than {} rounds tell nothing", 2 * COMPARED);
    let control_plane = ControlPlane::start(Options { audit: Policy::Controllers, ..Options::default() }).await?;
    let soaked = soak(args, &control_plane).await;
    soaked.map_err(|error| error.context(kept_note()))
}

async fn soak(args: &Args, control_plane: &ControlPlane) -> Result<()> {
    let begun = Instant::now();
    let mut rng = Rng::with_seed(args.seed);
    let ns = control_plane.namespace("soak").await?;
    let operator = start(control_plane).await?;
    let mut measured = Vec::new();
    for number in 0..args.warm_up + args.rounds {
        round(&ns, &mut rng).await?;
        eventually(LIMIT, "its caches are empty", async || {
            let objects = cached(&operator).await?;
            Ok(Look::when(objects == 0, || format!("{objects} objects")))
        })
        .await?;
        let kept = Kept::of(&operator).await?;
        println!("round {}: {:.1} MB, {} connections", number + 1, kept.megabytes(), kept.sockets);
        measured.push(kept);
    }
    let warm = &measured[args.warm_up..];
    let (first, last) = (&warm[..COMPARED], &warm[warm.len() - COMPARED..]);
    let (before, after) = (median(first, Kept::megabytes), median(last, Kept::megabytes));
    println!("memory: {before:.1} MB after the warm-up, {after:.1} MB at the end");
    ensure!(after * 100.0 <= before * ALLOWED, "that is a leak");
    let (before, after) = (median(first, |k| k.sockets as f64), median(last, |k| k.sockets as f64));
    ensure!(after <= before + 2.0, "{before} connections became {after}");

    let mut operator = operator;
    for number in 0..args.killed {
        let mut restarts = 0;
        let work = round(&ns, &mut rng);
        tokio::pin!(work);
        loop {
            let life = Duration::from_millis(1_500 + 500 * (number as u64));
            tokio::select! {
                done = &mut work => break done?,
                () = tokio::time::sleep(life), if restarts < 6 => {
                    operator.kill();
                    operator = start(control_plane).await?;
                    restarts += 1;
                }
            }
        }
        ensure!(restarts > 0, "round {} was over before anybody was killed", number + 1);
        println!("round {} with an operator that was killed {restarts} times", number + 1);
    }
    println!("no object, no memory and no connection was left, in {} s", begun.elapsed().as_secs());
    Ok(())
}

async fn start(control_plane: &ControlPlane) -> Result<Operator> {
    let args = vec!["--leader-elect=false".to_owned()];
    Operator::start(control_plane, OperatorOptions { shipped: true, args, ..Default::default() }).await
}

/// What an operator keeps when there is nothing left to do.
struct Kept {
    resident_kib: u64,
    sockets: usize,
}

/// Pods, claims, revisions and sets in its caches.
async fn cached(operator: &Operator) -> Result<u64> {
    let (code, text) = operator.get("/metrics").await?;
    ensure!(code == 200, "no metrics: {code}");
    let sizes = text.lines().filter(|line| line.starts_with("ordinal_cache_objects{") && !line.contains("services"));
    let size = |line: &str| line.rsplit(' ').next().unwrap_or_default().parse::<u64>().with_context(|| line.to_owned());
    let sizes = sizes.map(size).collect::<Result<Vec<_>>>()?;
    ensure!(sizes.len() == 4, "four kinds are cached beside Services, and metrics tell of {}", sizes.len());
    Ok(sizes.iter().sum())
}

impl Kept {
    async fn of(operator: &Operator) -> Result<Self> {
        // What is still under way is no leak.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let folder = format!("/proc/{}/fd", operator.pid());
        let open = std::fs::read_dir(&folder).with_context(|| folder.clone())?;
        let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        Ok(Self { resident_kib: operator.resident_kib()?, sockets })
    }

    fn megabytes(&self) -> f64 {
        self.resident_kib as f64 * 1024.0 / 1e6
    }
}

fn median(all: &[Kept], of: impl Fn(&Kept) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The lives of fifty sets.
async fn round(ns: &Namespace, rng: &mut Rng) -> Result<()> {
    let names: Vec<String> = (0..SETS).map(|n| format!("set{n}")).collect();
    let each = |number: usize| {
        let more = match number % 3 {
            0 => json!({}),
            1 => json!({"podManagementPolicy": "Parallel"}),
            _ => json!({"volumeClaimTemplates": claims()}),
        };
        set(&names[number], 2, more)
    };
    all(0..SETS, async |number| ns.create_set(each(number)).await.map(drop)).await?;
    complete(ns).await?;
    all(&names, async |name| ns.patch_set(name, image("nginx:2")).await.map(drop)).await?;
    hurt(ns, rng).await?;
    complete(ns).await?;
    let wanted: Vec<(String, i32)> = names.iter().map(|name| (name.clone(), rng.i32(0..4))).collect();
    all(&wanted, async |(name, replicas)| ns.scale(name, *replicas).await).await?;
    hurt(ns, rng).await?;
    complete(ns).await?;
    all(&names, async |name| ns.delete_set(name).await).await?;
    ns.claims().delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    for kind in [Kind::Pod, Kind::Claim, Kind::Revision] {
        gone(ns, kind).await?;
    }
    Ok(())
}

async fn all<T>(items: impl IntoIterator<Item = T>, act: impl AsyncFn(T) -> Result<()>) -> Result<()> {
    let act = &act;
    stream::iter(items).map(Ok).try_for_each_concurrent(AT_A_TIME, |item| act(item)).await
}

/// Some pods are deleted, gently or not, or fail.
async fn hurt(ns: &Namespace, rng: &mut Rng) -> Result<()> {
    let pods = ns.pods().list_metadata(&ListParams::default()).await?.items;
    for _ in 0..VICTIMS {
        let Some(pod) = rng.choice(&pods) else { return Ok(()) };
        let name = pod.name_any();
        let hurt = match rng.u8(0..3) {
            0 => ns.delete_pod(&name).await,
            1 => ns.pods().delete(&name, &DeleteParams::default().grace_period(0)).await.map(drop).map_err(Into::into),
            _ => ns.annotate_pod(&name, json!({"test.ordinal.dev/fails": "true"})).await,
        };
        let is_gone = |error: &anyhow::Error| matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.is_not_found());
        // It may be gone by now.
        hurt.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

async fn complete(ns: &Namespace) -> Result<()> {
    eventually(LIMIT, "all sets are complete", async || {
        let sets = ns.sets().list(&ListParams::default()).await?.items;
        let sets: Vec<Value> = sets.into_iter().map(|set| serde_json::to_value(set).unwrap_or_default()).collect();
        let busy = sets.iter().find(|set| {
            let (status, replicas) = (&set["status"], &set["spec"]["replicas"]);
            let counted = ["replicas", "availableReplicas", "updatedReplicas"];
            status["observedGeneration"] != set["metadata"]["generation"]
                || counted.iter().any(|field| status[*field] != *replicas)
        });
        Ok(busy.map_or(Look::Done(()), |set| Look::NotYet(format!("{}: {}", set["metadata"]["name"], set["status"]))))
    })
    .await
}

async fn gone(ns: &Namespace, kind: Kind) -> Result<()> {
    let api = calls::api(&ns.client(), ns.name(), kind);
    eventually(LIMIT, &format!("no {kind:?} is left"), async || {
        let left: Vec<String> =
            api.list_metadata(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect();
        Ok(Look::when(left.is_empty(), || left.join(" ")))
    })
    .await
}
