//! Between an operator and its API server: sees every request, answer and watch event, and does with each what a script says.
//! TLS, HTTP/1.1 and 2, as an API server speaks them; the API server's certificate is its own.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyDataStream, BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::{control_plane::ControlPlane, identity::Identity};

type Reply = Response<UnsyncBoxBody<Bytes, anyhow::Error>>;

/// A request, as it came in.
#[derive(Clone, Debug)]
pub struct Asked {
    /// By which it is told from all others.
    pub number: usize,
    /// The version of HTTP that it came by.
    pub version: Version,
    /// GET, POST …
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// Without the `?`; empty if there is none.
    pub query: String,
    /// Which form the body has.
    pub content_type: String,
    /// What was sent.
    pub body: Bytes,
    /// What [`Script::connected`] said when its connection came.
    pub life: usize,
}

impl Asked {
    /// A parameter of the query, as it stands there.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether it is a watch, whose answer has no end.
    pub fn is_watch(&self) -> bool {
        matches!(self.parameter("watch"), Some("true" | "1"))
    }

    /// Whether it is a list: a read of a path that ends with a kind.
    pub fn is_list(&self) -> bool {
        self.method == Method::GET && !self.is_watch() && self.object().is_empty() && !self.kind().is_empty()
    }

    /// The namespace of its path; empty if there is none.
    pub fn namespace(&self) -> &str {
        self.parts().0
    }

    /// The kind's plural name in its path.
    pub fn kind(&self) -> &str {
        self.parts().1
    }

    /// The object's name in its path.
    pub fn object(&self) -> &str {
        self.parts().2
    }

    /// What was sent, as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn parts(&self) -> (&str, &str, &str) {
        let mut words = self.path.split('/').filter(|word| !word.is_empty());
        // /api/v1/… and /apis/<group>/<version>/…
        let skipped = if words.next() == Some("api") { 1 } else { 2 };
        let mut words = words.skip(skipped).peekable();
        let namespace = if words.next_if_eq(&"namespaces").is_some() { words.next().unwrap_or_default() } else { "" };
        (namespace, words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// The API server answers it.
    Forward,
    /// The API server carries it out, and the connection breaks.
    LoseReply,
    /// The API server carries it out, and there is never an answer.
    SwallowReply,
    /// The API server never sees it, and there is never an answer.
    Swallow,
    /// The API server never sees it; this is the answer.
    Answer {
        /// Status code.
        code: u16,
        /// `reason` of the API's Status.
        reason: &'static str,
        /// `message` of the API's Status.
        message: String,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
}

/// What becomes of a watch event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is passed on.
    Pass,
    /// It is passed on so long after it came.
    Late(Duration),
    /// It is lost.
    Lose,
    /// The watch ends in its place, in good order.
    End,
    /// The watch ends in its place, with 410.
    Gone,
}

/// What goes wrong; nothing does, unless a method says so. Every method is asked in the order of what happens on one connection.
pub trait Script: Send + Sync + 'static {
    /// A connection comes: a number for those who come from now on, by which a new client is told from an old one.
    fn connected(&self) -> usize {
        0
    }

    /// Of a request, whose query may be changed.
    fn request<'s>(&'s self, asked: &'s mut Asked) -> BoxFuture<'s, Fate>;

    /// Of an event of a watch, as the API server wrote it.
    fn event(&self, _asked: &Asked, _event: &Value) -> Event {
        Event::Pass
    }

    /// An event of a watch is passed on now.
    fn passed(&self, _asked: &Asked, _event: &Value) {}

    /// A watch ends after this, with 410, whether events come or not.
    fn lasts(&self, _asked: &Asked) -> Option<Duration> {
        None
    }

    /// The answer to a list may be changed.
    fn list(&self, _asked: &Asked, _list: &mut Value) {}

    /// The API server has answered a request that is neither a list nor a watch. Who asked has not heard it yet.
    fn answered(&self, _asked: &Asked, _code: StatusCode, _body: &[u8]) {}
}

/// A port on loopback with a script behind it. Its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Begins to listen.
    pub async fn start(control_plane: &ControlPlane, id: Identity, script: Arc<dyn Script>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback")?;
        let port = listener.local_addr()?.port();
        let tls = TlsAcceptor::from(Arc::new(serving(control_plane)?));
        let between = Between { client: control_plane.client(id).await?, count: Arc::default(), script, life: 0 };
        Ok(Self { port, serving: tokio::spawn(accept(listener, tls, between)) })
    }

    /// Writes a kubeconfig of an identity that goes through here.
    pub fn kubeconfig(&self, control_plane: &ControlPlane, id: Identity) -> Result<PathBuf> {
        control_plane.kubeconfig_through(id, self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn serving(control_plane: &ControlPlane) -> Result<ServerConfig> {
    let file = |name: &str| control_plane.dir().join("certs").join(name);
    let certificates = CertificateDer::pem_file_iter(file("apiserver.crt"))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(file("apiserver.key"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The connections end with this future.
async fn accept(listener: TcpListener, tls: TlsAcceptor, between: Between) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let between = Between { life: between.script.connected(), ..between.clone() };
        connections.spawn(connection(stream, tls.clone(), between));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, between: Between) {
    // Connections that break are what it is here for.
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(move |request| {
        let between = between.clone();
        async move { between.answer(request).await }
    });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

#[derive(Clone)]
struct Between {
    client: Client,
    count: Arc<AtomicUsize>,
    script: Arc<dyn Script>,
    life: usize,
}

impl Between {
    async fn answer(&self, request: Request<Incoming>) -> Result<Reply> {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let mut asked = Asked {
            number: self.count.fetch_add(1, Ordering::Relaxed),
            version: parts.version,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: body.collect().await?.to_bytes(),
            life: self.life,
        };
        match self.script.request(&mut asked).await {
            Fate::Forward => self.forward(asked, &parts.headers).await,
            Fate::LoseReply => {
                self.forward(asked, &parts.headers).await?;
                bail!("the answer is lost")
            }
            Fate::SwallowReply => {
                self.forward(asked, &parts.headers).await?;
                std::future::pending().await
            }
            Fate::Swallow => std::future::pending().await,
            Fate::Answer { code, reason, message, retry_after } => {
                let status = json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "reason": reason, "message": message, "code": code,
                    "details": {"retryAfterSeconds": retry_after.unwrap_or(0)},
                });
                let mut reply = reply(StatusCode::from_u16(code)?, &status);
                if let Some(seconds) = retry_after {
                    reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                Ok(reply)
            }
        }
    }

    async fn forward(&self, asked: Asked, headers: &http::HeaderMap) -> Result<Reply> {
        let uri = if asked.query.is_empty() { asked.path.clone() } else { format!("{}?{}", asked.path, asked.query) };
        let mut request = Request::builder().method(asked.method.clone()).uri(uri);
        for name in [header::ACCEPT, header::CONTENT_TYPE, header::USER_AGENT] {
            if let Some(value) = headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = self.client.send(request.body(Body::from(asked.body.clone()))?).await?;
        let (parts, body) = answer.into_parts();
        let mut reply = if asked.is_watch() && parts.status.is_success() {
            Response::new(self.watch(asked, body))
        } else {
            let mut bytes = body.collect_bytes().await?;
            if asked.is_list() && parts.status.is_success() {
                let mut list: Value = serde_json::from_slice(&bytes)?;
                self.script.list(&asked, &mut list);
                bytes = list.to_string().into();
            } else if !asked.is_list() && !asked.is_watch() {
                self.script.answered(&asked, parts.status, &bytes);
            }
            Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
        };
        *reply.status_mut() = parts.status;
        for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
            if let Some(value) = parts.headers.get(&name) {
                reply.headers_mut().insert(name, value.clone());
            }
        }
        Ok(reply)
    }

    /// The events of a watch, as far as the script lets them pass. Each is late by its own time, not by that of those before.
    fn watch(&self, asked: Asked, body: Body) -> UnsyncBoxBody<Bytes, anyhow::Error> {
        let (send, came) = mpsc::unbounded_channel();
        tokio::spawn(read_lines(body, send));
        let script = self.script.clone();
        let end = script.lasts(&asked).map(|lasts| Instant::now() + lasts);
        let passed = stream::unfold((came, false), move |(mut came, ended)| {
            let (script, asked) = (script.clone(), asked.clone());
            async move {
                let over = async {
                    match end {
                        Some(end) => sleep_until(end).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::pin!(over);
                if ended {
                    return None;
                }
                loop {
                    let next: Option<(Instant, Bytes)> = tokio::select! {
                        next = came.recv() => next,
                        () = &mut over => return Some((gone(), (came, true))),
                    };
                    let (at, line) = next?;
                    let event = serde_json::from_slice(&line).unwrap_or_default();
                    match script.event(&asked, &event) {
                        Event::Pass => {}
                        Event::Late(by) => sleep_until(at + by).await,
                        Event::Lose => continue,
                        Event::End => return None,
                        Event::Gone => return Some((gone(), (came, true))),
                    }
                    script.passed(&asked, &event);
                    return Some((line, (came, false)));
                }
            }
            .boxed()
        });
        StreamBody::new(passed.map(|line| Ok(Frame::data(line)))).boxed_unsync()
    }
}

/// The lines of a body, each with the time when it came, until nobody wants them.
async fn read_lines(body: Body, send: mpsc::UnboundedSender<(Instant, Bytes)>) {
    let mut chunks = BodyDataStream::new(body);
    let mut rest = Vec::new();
    loop {
        let chunk = tokio::select! {
            () = send.closed() => return,
            chunk = chunks.next() => chunk,
        };
        let Some(Ok(chunk)) = chunk else { return };
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if send.send((Instant::now(), line.into())).is_err() {
                return;
            }
        }
    }
}

fn gone() -> Bytes {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": "Expired", "message": "too old resource version", "code": 410,
    });
    format!("{}\n", json!({"type": "ERROR", "object": status})).into()
}

fn reply(code: StatusCode, body: &Value) -> Reply {
    let mut reply =
        Response::new(Full::new(Bytes::from(body.to_string())).map_err(|never| match never {}).boxed_unsync());
    *reply.status_mut() = code;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, query: &str) -> Asked {
        let (path, query) = (path.into(), query.into());
        let (content_type, body) = (String::new(), Bytes::new());
        let (version, method) = (Version::HTTP_11, Method::GET);
        Asked { number: 0, version, method, path, query, content_type, body, life: 0 }
    }

    #[test]
    fn a_path_tells_what_it_is_about() {
        let parts = |path: &str| {
            let asked = asked(path, "");
            format!("{}|{}|{}", asked.namespace(), asked.kind(), asked.object())
        };
        assert_eq!(parts("/api/v1/pods"), "|pods|");
        assert_eq!(parts("/api/v1/namespaces/ns/pods/web-0"), "ns|pods|web-0");
        assert_eq!(parts("/apis/apps.ordinal.dev/v1/namespaces/ns/ordinalsets/web/status"), "ns|ordinalsets|web");
        assert_eq!(parts("/version"), "||");
    }

    #[test]
    fn lists_and_watches_are_told_apart() {
        assert!(asked("/api/v1/pods", "limit=500").is_list());
        assert!(asked("/api/v1/pods", "resourceVersion=7&watch=true").is_watch());
        assert!(!asked("/api/v1/pods", "resourceVersion=7&watch=true").is_list());
        assert!(!asked("/api/v1/namespaces/ns/pods/web-0", "").is_list());
    }
}
