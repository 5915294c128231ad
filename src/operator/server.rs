//! What is asked of the operator over HTTP: the probes `/healthz` and `/readyz`, which is 200 once all caches are filled, and
//! `/metrics` (S-7.5).

use crate::{collect::Caches, metrics::Metrics};
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
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
pub async fn serve(listener: TcpListener, caches: Arc<Caches>, metrics: Metrics) {
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
        let (caches, metrics) = (caches.clone(), metrics.clone());
        let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
            let response = respond(request.uri().path(), &caches, &metrics);
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

fn respond(path: &str, caches: &Caches, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, kind, text) = match path {
        "/healthz" | "/livez" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => match caches.missing().as_slice() {
            [] => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            missing => {
                let text = format!("not ready: the first list is not complete of {}\n", missing.join(", "));
                (StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
            }
        },
        "/metrics" => (StatusCode::OK, OPEN_METRICS, metrics.text()),
        _ => (StatusCode::NOT_FOUND, TEXT, "there are /healthz, /readyz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
