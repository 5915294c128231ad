//! kubia, the program of the examples. Each copy keeps what is POSTed to it, and a GET asks all copies for what they
//! keep:
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | who answers, and the data of all peers that the Service `SERVICE` knows |
//! | `POST /` | keeps the body |
//! | `GET /data` | its own data |
//! | `GET /host` | its host name |
//! | `GET /ready` | 200, or 503 once it was asked to stop |
//! | `GET /witness` | who has begun and ended to write to this volume, and whether two did at a time |
//!
//! `PORT` (8080), `DATA` (/var/data), `SERVICE` (the name that peers are found by; none if empty) come from the
//! environment.

mod peers;
mod store;

use std::{
    convert::Infallible,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};

use peers::Peers;
use store::Store;

/// A body larger than this is refused: the examples' volumes are small.
const LARGEST: usize = 1 << 20;

/// From the request to stop until new connections are refused: endpoints need that long to forget a pod.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is under way then has so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two marks on the volume: a second writer is seen within two of them.
const MARK: Duration = Duration::from_millis(200);

struct Kubia {
    host: String,
    store: Store,
    peers: Option<Peers>,
    stopping: AtomicBool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kubia: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

async fn run() -> Result<()> {
    let port: u16 = setting("PORT", "8080").parse().context("PORT is no port number")?;
    let host = tokio::fs::read_to_string("/proc/sys/kernel/hostname").await.context("cannot read the host name")?;
    let host = host.trim().to_owned();
    let service = setting("SERVICE", "");
    let peers = (!service.is_empty()).then(|| Peers::of(&service)).transpose().context("cannot set up the resolver")?;
    let store = Store::open(setting("DATA", "/var/data").into(), &host).await?;
    let kubia = Arc::new(Kubia { host, store, peers, stopping: AtomicBool::new(false) });
    // Where there is no IPv6, the second is taken.
    let everywhere = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
    let listener = TcpListener::bind(&everywhere[..]).await.with_context(|| format!("cannot listen on port {port}"))?;
    println!("Kubia server starting on {}", kubia.host);
    let (over, is_over) = oneshot::channel();
    let marking = tokio::spawn(mark(kubia.clone(), is_over));
    serve(&listener, &kubia).await?;
    drop(over);
    marking.await.context("the marking of the volume broke off")?;
    kubia.store.release().await
}

/// Writes its mark on the volume, over and over to the very end, and looks whose was there.
async fn mark(kubia: Arc<Kubia>, mut is_over: oneshot::Receiver<()>) {
    loop {
        if let Err(error) = kubia.store.mark().await {
            eprintln!("kubia: cannot write to the volume: {error:#}");
        }
        if timeout(MARK, &mut is_over).await.is_ok() {
            return;
        }
    }
}

async fn serve(listener: &TcpListener, kubia: &Arc<Kubia>) -> Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    let mut connections = JoinSet::new();
    let farewell = async {
        stop.recv().await;
        kubia.stopping.store(true, Ordering::SeqCst);
        println!("asked to stop");
        sleep(FAREWELL).await;
    };
    tokio::pin!(farewell);
    loop {
        tokio::select! {
            () = &mut farewell => break,
            accepted = listener.accept() => {
                // A client that is gone already is no harm.
                let Ok((stream, _)) = accepted else { continue };
                let kubia = kubia.clone();
                let service = service_fn(move |request| answer(kubia.clone(), request));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(30))
                    // A connection that stays would outlive the pod in its clients' minds.
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move { drop(connection.await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
    // What does not end by then is cut off.
    let _ = timeout(PATIENCE, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

async fn answer(kubia: Arc<Kubia>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => (StatusCode::OK, all(&kubia).await),
        (&Method::GET, "/data") => (StatusCode::OK, kubia.store.data().await),
        (&Method::GET, "/host") => (StatusCode::OK, format!("{}\n", kubia.host)),
        (&Method::GET, "/witness") => match kubia.store.witness().await {
            Ok(told) => (StatusCode::OK, told),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        },
        (&Method::GET, "/ready") if kubia.stopping.load(Ordering::SeqCst) => {
            (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned())
        }
        (&Method::GET, "/ready") => (StatusCode::OK, "ready\n".to_owned()),
        (&Method::POST, "/") => keep(&kubia, request).await,
        _ => (StatusCode::NOT_FOUND, "there are /, /data, /host, /ready and /witness\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

async fn keep(kubia: &Kubia, request: Request<Incoming>) -> (StatusCode, String) {
    let body = match Limited::new(request.into_body(), LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return (StatusCode::PAYLOAD_TOO_LARGE, format!("the body was not read: {error}\n")),
    };
    match kubia.store.keep(&body).await {
        Ok(()) => (StatusCode::OK, format!("Data stored on pod {}\n", kubia.host)),
        Err(error) => (StatusCode::INSUFFICIENT_STORAGE, format!("not stored: {error:#}\n")),
    }
}

async fn all(kubia: &Kubia) -> String {
    let own = format!("You've hit {}\n", kubia.host);
    let Some(peers) = &kubia.peers else {
        return format!("{own}Data stored on this pod: {}", kubia.store.data().await);
    };
    match peers.ask().await {
        Ok(found) if found.is_empty() => format!("{own}No peers discovered.\n"),
        Ok(found) => {
            let lines = found.into_iter().map(|(peer, data)| format!("- {peer}: {}\n", data.trim_end()));
            format!("{own}Data stored in the cluster:\n{}", lines.collect::<String>())
        }
        Err(error) => format!("{own}Could not look up the peers: {error:#}\n"),
    }
}
