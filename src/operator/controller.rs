//! Wiring: watches fill the caches and wake sets, the queue hands them to passes, the gate says when passes may run.

use crate::{
    book::Book,
    collect::Caches,
    events::Events,
    executor::Executor,
    kinds::Observed,
    metrics::Metrics,
    reconcile::{Context, Gate, reconcile, retry},
    sets::Sets,
    watch,
};
use futures::{StreamExt, channel::mpsc};
use kube::{
    Client,
    runtime::{
        Controller,
        controller::{Config, Error as ControllerError},
        reflector::store,
    },
};
use std::{future::Future, num::NonZeroU16, sync::Arc, time::Duration};
use tokio::{sync::watch as channel, task::JoinHandle};
use tracing::{debug, info, warn};

/// The part of a cluster that one controller works in, and what it knows of it.
pub struct Realm {
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// What there is.
    pub caches: Arc<Caches>,
    /// What is remembered.
    pub book: Arc<Book>,
}

impl Realm {
    /// Nothing known yet, with StatefulSets to be watched where there is `adoption`; and the writer of the cache of sets.
    pub fn new(namespace: Option<String>, adoption: bool) -> (Arc<Self>, store::Writer<Observed>) {
        let (sets, writer) = Sets::new();
        let caches = Caches {
            pods: Arc::default(),
            claims: Arc::default(),
            revisions: Arc::default(),
            services: Arc::default(),
            natives: Arc::default(),
            adoption,
            sets: Arc::new(sets),
        };
        (Arc::new(Self { namespace, caches: Arc::new(caches), book: Arc::default() }), writer)
    }
}

/// What the controllers of all realms share.
#[derive(Clone)]
pub struct Parts {
    /// For watches and writes.
    pub client: Client,
    /// Where events go.
    pub events: Events,
    /// What is measured.
    pub metrics: Metrics,
    /// How many passes at a time.
    pub workers: NonZeroU16,
    /// Whether this operator leads.
    pub leading: channel::Receiver<bool>,
}

/// Runs until `stop`; passes under way are finished first.
pub async fn run(
    parts: Parts,
    realm: Arc<Realm>,
    writer: store::Writer<Observed>,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) {
    let Parts { client, events, metrics, workers, leading } = parts;
    let caches = &realm.caches;
    let (namespace, sets) = (realm.namespace.clone(), caches.sets.clone());
    let site = watch::Site { client: client.clone(), namespace, sets, metrics: metrics.clone() };
    let (wake, woken) = mpsc::unbounded();
    let natives =
        caches.adoption.then(|| tokio::spawn(watch::drive(site.clone(), caches.natives.clone(), wake.clone())));
    let watches: [JoinHandle<()>; 4] = [
        tokio::spawn(watch::drive(site.clone(), caches.pods.clone(), wake.clone())),
        tokio::spawn(watch::drive(site.clone(), caches.claims.clone(), wake.clone())),
        tokio::spawn(watch::drive(site.clone(), caches.revisions.clone(), wake.clone())),
        tokio::spawn(watch::drive(site.clone(), caches.services.clone(), wake)),
    ];
    let (gate, open) = channel::channel(Gate::Waiting);
    let gatekeeper = tokio::spawn(keep_gate(gate, caches.clone(), leading, stop.clone()));
    let context = Arc::new(Context {
        executor: Executor::new(client.clone(), caches.clone(), events.clone()),
        book: realm.book.clone(),
        metrics,
        caches: caches.clone(),
        events,
        open,
    });
    let forgetful = context.clone();
    Controller::for_stream(watch::sets(&site, writer), caches.sets.store.clone())
        .with_config(Config::default().concurrency(workers.get()))
        .reconcile_on(woken)
        .graceful_shutdown_on(stop)
        .run(reconcile, retry, context)
        .for_each(|outcome| {
            match outcome {
                Ok((set, action)) => debug!(%set, ?action, "pass ended"),
                Err(ControllerError::ObjectNotFound(set)) => {
                    let namespace = set.namespace.unwrap_or_default();
                    forgetful.forget(&crate::cache::Key { namespace, name: set.name });
                }
                Err(ControllerError::ReconcilerFailed(error, set)) => {
                    warn!(namespace = set.namespace, set = set.name, "pass failed, trying again: {error}");
                }
                Err(ControllerError::QueueError(error)) => warn!(%error, "the queue of sets failed"),
                Err(ControllerError::RunnerError(error)) => warn!(%error, "the queue's runner failed"),
            }
            futures::future::ready(())
        })
        .await;
    watches.iter().chain(&natives).for_each(JoinHandle::abort);
    gatekeeper.abort();
    info!("all passes have ended");
}

/// Opens the gate when the caches are filled and the lease is held; closes it at the end. It does not shut when the lease
/// is lost: then the process ends at once.
async fn keep_gate(
    gate: channel::Sender<Gate>,
    caches: Arc<Caches>,
    mut leading: channel::Receiver<bool>,
    stop: impl Future<Output = ()>,
) {
    let opening = async {
        while !caches.missing().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        info!("caches are filled");
        if leading.wait_for(|leading| *leading).await.is_ok() {
            gate.send_replace(Gate::Open);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = opening => {}
        () = stop => {}
    }
    gate.send_replace(Gate::Closed);
}
