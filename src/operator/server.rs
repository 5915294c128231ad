//! What is asked of the operator over HTTP: the probes `/livez` and `/readyz`, which is 200 once all caches are filled, `/metrics`
//! (S-7.5), and `/debug/plan/<namespace>/<name>`, a plan in words.

use crate::{cache::Key, controller::Realm, metrics::Metrics, sets::object_ref};
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ordinal_plan::explain::tell;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tracing::debug;

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes the address, so that a wrong one is known at the start.
///
/// # Errors
/// When the address cannot be had.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until the process ends.
pub async fn serve(listener: TcpListener, realms: Arc<[Arc<Realm>]>, metrics: Metrics) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: it passes, and must not spin.
                debug!(%error, "a probe was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (realms, metrics) = (realms.clone(), metrics.clone());
        let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
            let response = respond(request.uri().path(), &realms, &metrics);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(5))
            .serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a probe's connection broke");
            }
        });
    }
}

fn respond(path: &str, realms: &[Arc<Realm>], metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, kind, text) = match path {
        // /healthz is the older name.
        "/livez" | "/healthz" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => incomplete("not ready", realms).unwrap_or_else(|| (StatusCode::OK, TEXT, "ok\n".to_owned())),
        "/metrics" => {
            let text = metrics.text(realms.iter().flat_map(|realm| realm.caches.sizes()));
            (StatusCode::OK, OPEN_METRICS, text)
        }
        _ => match path.strip_prefix("/debug/plan/").and_then(|set| set.split_once('/')) {
            Some((namespace, name)) => plan(realms, namespace, name),
            None => {
                let text = "there are /livez, /readyz, /metrics and /debug/plan/<namespace>/<name>\n".to_owned();
                (StatusCode::NOT_FOUND, TEXT, text)
            }
        },
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

type Answer = (StatusCode, &'static str, String);

/// What is answered while there are kinds that are not known yet, each with its namespace where there are several realms.
fn incomplete(what: &str, realms: &[Arc<Realm>]) -> Option<Answer> {
    let of = |realm: &Realm| {
        let place = realm.namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
        realm.caches.missing().into_iter().map(|kind| format!("{kind}{place}")).collect::<Vec<_>>()
    };
    let missing: Vec<String> = realms.iter().flat_map(|realm| of(realm)).collect();
    let text = format!("{what}: the first list is not complete of {}\n", missing.join(", "));
    (!missing.is_empty()).then_some((StatusCode::SERVICE_UNAVAILABLE, TEXT, text))
}

fn plan(realms: &[Arc<Realm>], namespace: &str, name: &str) -> Answer {
    let key = Key { namespace: namespace.to_owned(), name: name.to_owned() };
    let found = realms.iter().find_map(|realm| Some((realm, realm.caches.sets.store.get(&object_ref(&key))?)));
    let Some((realm, observed)) = found else {
        return (StatusCode::NOT_FOUND, TEXT, format!("there is no OrdinalSet {namespace}/{name}\n"));
    };
    if let Some(answer) = incomplete("no plan yet", std::slice::from_ref(realm)) {
        return answer;
    }
    let text = match &observed.set {
        Ok(set) => tell(&realm.caches.snapshot(set, realm.book.read(&key, &set.uid).memory)),
        Err(why) => format!("OrdinalSet {namespace}/{name} is skipped: {why}\n"),
    };
    (StatusCode::OK, TEXT, text)
}
