//! Clients of the API server: one for the work, and one for the lease, which a full queue of writes must not cost.

use crate::{
    config::{Cluster, Run},
    metrics::Metrics,
    outcome::describe,
};
use http::{Response, StatusCode, header::RETRY_AFTER};
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{Layer, Service, limit::ConcurrencyLimitLayer, timeout::TimeoutLayer};

/// A set's slow start may ask for 500 requests at once. HTTP/1.1 takes a connection for each in flight, so this bounds
/// memory on both sides; more in flight does not make an API server faster.
const IN_FLIGHT: usize = 64;

/// Time to an answer's headers; a watch passes it, for its headers come at once.
const ANSWER: Duration = Duration::from_secs(30);

/// Where the API server is and who we are to it.
///
/// # Errors
/// A sentence that says which file, context or environment is wrong.
pub async fn config(cluster: &Cluster) -> Result<Config, String> {
    let options = KubeConfigOptions { context: cluster.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match &cluster.kubeconfig {
        Some(path) => {
            let fail = |e: &dyn std::error::Error| format!("kubeconfig {}: {}", path.display(), sentence(e));
            let kubeconfig = Kubeconfig::read_from(path).map_err(|e| fail(&e))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| fail(&e))?
        }
        None if cluster.context.is_some() => {
            let fail = |e: &dyn std::error::Error| format!("kubeconfig {}: {}", usual_place(), sentence(e));
            Config::from_kubeconfig(&options).await.map_err(|e| fail(&e))?
        }
        None => {
            let fail = |e: &dyn std::error::Error| {
                format!("no kubeconfig in {}, and not in a pod: {}", usual_place(), sentence(e))
            };
            Config::infer().await.map_err(|e| fail(&e))?
        }
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    // A list whose body never comes to its end must not hold up its kind for ever. Longer than a quiet watch lasts.
    config.read_timeout = Some(Duration::from_secs(300));
    // Retries are the queue's: it knows what else has changed meanwhile.
    config.default_retry = false;
    Ok(config)
}

/// Where a kubeconfig is looked for when no flag names one.
fn usual_place() -> String {
    std::env::var("KUBECONFIG").map_or_else(|_| "~/.kube/config".into(), |path| format!("$KUBECONFIG, {path}"))
}

/// An error on one line: what follows is an excerpt of the file, which holds secrets.
fn sentence(error: &dyn std::error::Error) -> String {
    describe(error).lines().next().unwrap_or_default().to_owned()
}

/// The client for watches and writes.
///
/// # Errors
/// When the TLS set-up of the configuration is wrong.
pub fn for_work(config: Config, run: &Run, metrics: &Metrics) -> Result<Client, String> {
    let bucket = (run.qps > 0.0).then(|| Bucket::new(run.qps, f32::from(run.burst.get())));
    let builder = ClientBuilder::try_from(config).map_err(|e| describe(&e))?;
    Ok(builder
        .with_layer(&TimeoutLayer::new(ANSWER))
        // Around the time limit, so that what came too late is counted.
        .with_layer(&metrics.calls())
        .with_layer(&ConcurrencyLimitLayer::new(IN_FLIGHT))
        .with_layer(&Throttle::new(bucket))
        .build())
}

/// The client for the lease.
///
/// # Errors
/// As [`for_work`].
pub fn for_lease(mut config: Config, metrics: &Metrics) -> Result<Client, String> {
    let limit = Duration::from_secs(5);
    config.read_timeout = Some(limit);
    let builder = ClientBuilder::try_from(config).map_err(|e| describe(&e))?;
    Ok(builder.with_layer(&TimeoutLayer::new(limit)).with_layer(&metrics.calls()).build())
}

/// Holds requests back: after a 429 the whole client until the server's Retry-After is over, and always to the rate that
/// the user asked for (O-14).
#[derive(Clone)]
struct Throttle(Arc<Mutex<Pace>>);

struct Pace {
    paused_until: Option<Instant>,
    bucket: Option<Bucket>,
}

impl Throttle {
    fn new(bucket: Option<Bucket>) -> Self {
        Self(Arc::new(Mutex::new(Pace { paused_until: None, bucket })))
    }
}

impl<S> Layer<S> for Throttle {
    type Service = Throttled<S>;

    fn layer(&self, inner: S) -> Throttled<S> {
        Throttled { inner, pace: self.0.clone(), wait: None }
    }
}

struct Throttled<S> {
    inner: S,
    pace: Arc<Mutex<Pace>>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl<S, Request, Body> Service<Request> for Throttled<S>
where
    S: Service<Request, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            let until = lock(&self.pace).next(Instant::now());
            match until {
                Some(until) => self.wait = Some(Box::pin(sleep_until(until))),
                None => return self.inner.poll_ready(cx),
            }
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let pace = self.pace.clone();
        if let Some(bucket) = &mut lock(&pace).bucket {
            bucket.take();
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                let seconds = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
                // A minute bounds what a strange header can do.
                let pause = Duration::from_secs(seconds.unwrap_or(1).clamp(1, 60));
                let mut pace = lock(&pace);
                pace.paused_until = pace.paused_until.max(Some(Instant::now() + pause));
            }
            Ok(answer)
        })
    }
}

impl Pace {
    /// When the next request may go; `None`: now.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        self.paused_until.or_else(|| self.bucket.as_mut().and_then(|b| b.next(now)))
    }
}

/// A token bucket, in the sense of the built-in's --kube-api-qps and --kube-api-burst.
struct Bucket {
    rate: f32,
    burst: f32,
    tokens: f32,
    filled: Instant,
}

impl Bucket {
    fn new(rate: f32, burst: f32) -> Self {
        Self { rate, burst, tokens: burst, filled: Instant::now() }
    }

    fn next(&mut self, now: Instant) -> Option<Instant> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f32();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.filled = now;
        (self.tokens < 1.0).then(|| now + Duration::from_secs_f32((1.0 - self.tokens) / self.rate))
    }

    fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

/// The state behind the lock is plain numbers: a panic elsewhere cannot leave it half changed.
fn lock(pace: &Mutex<Pace>) -> std::sync::MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o_14_a_bucket_lets_a_burst_pass_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(20.0, 30.0);
        for _ in 0..30 {
            assert_eq!(bucket.next(start), None);
            bucket.take();
        }
        let wait = bucket.next(start).map(|at| at - start);
        assert!(wait.is_some_and(|w| (0.04..0.06).contains(&w.as_secs_f32())), "{wait:?}");
        assert_eq!(bucket.next(start + Duration::from_millis(60)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn o_14_a_429_pauses_the_whole_client() {
        let answers = |_: ()| async {
            Ok::<_, std::convert::Infallible>(
                Response::builder().status(429).header(RETRY_AFTER, "7").body(()).expect("a response"),
            )
        };
        let throttle = Throttle::new(None);
        let mut first = throttle.layer(tower::service_fn(answers));
        let mut other = throttle.layer(tower::service_fn(answers));
        std::future::poll_fn(|cx| first.poll_ready(cx)).await.expect("ready");
        first.call(()).await.expect("answered");
        let before = Instant::now();
        std::future::poll_fn(|cx| other.poll_ready(cx)).await.expect("ready");
        assert_eq!(before.elapsed().as_secs(), 7);
    }
}
