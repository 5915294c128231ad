//! Calls of the API server, counted where they leave: by verb, kind and answer.

use super::durations;
use http::{Method, Request, Response, Uri};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tower::{Layer, Service};

/// How many there were, and what they took.
#[derive(Clone)]
pub struct Calls {
    count: Family<Answer, Counter>,
    time: Family<Call, Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Call {
    verb: &'static str,
    group: String,
    resource: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    verb: &'static str,
    group: String,
    resource: String,
    code: String,
}

impl Calls {
    /// None yet.
    pub fn new(registry: &mut Registry) -> Self {
        let new = Self { count: Family::default(), time: Family::new_with_constructor(durations) };
        registry.register(
            "api_requests",
            "Calls of the API server, by their answer's code, or \"none\" where none came",
            new.count.clone(),
        );
        registry.register(
            "api_request_duration_seconds",
            "What the API server took to begin its answer",
            new.time.clone(),
        );
        new
    }

    fn answered(&self, call: Call, code: String, took: f64) {
        // A watch's answer begins when it has something to say.
        if call.verb != "watch" {
            self.time.get_or_create(&call).observe(took);
        }
        let Call { verb, group, resource } = call;
        self.count.get_or_create(&Answer { verb, group, resource, code }).inc();
    }
}

impl Call {
    /// What a request asks for, in the words of RBAC.
    fn of(method: &Method, uri: &Uri) -> Self {
        let mut path = uri.path().split('/').filter(|part| !part.is_empty());
        let group = match path.next() {
            Some("apis") => path.next().unwrap_or_default(),
            Some("api") | None => "",
            Some(other) => return Self { verb: "get", group: String::new(), resource: other.to_owned() },
        };
        let _version = path.next();
        let mut rest: Vec<&str> = path.collect();
        // A path that ends here is the namespace's own.
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            rest.drain(..2);
        }
        let named = rest.len() > 1;
        let resource = match rest.as_slice() {
            [resource, _, sub] => format!("{resource}/{sub}"),
            [resource, ..] => (*resource).to_owned(),
            [] => String::new(),
        };
        let watching = uri.query().is_some_and(|query| query.split('&').any(|q| matches!(q, "watch=true" | "watch=1")));
        let verb = match (method.as_str(), named) {
            ("GET", _) if watching => "watch",
            ("GET", false) => "list",
            ("GET", true) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", _) => "delete",
            _ => "other",
        };
        Self { verb, group: group.to_owned(), resource }
    }
}

impl<S> Layer<S> for Calls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, calls: self.clone() }
    }
}

/// A client whose calls are counted.
#[derive(Clone)]
pub struct Counted<S> {
    inner: S,
    calls: Calls,
}

impl<S, In, Out> Service<Request<In>> for Counted<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let (calls, call) = (self.calls.clone(), Call::of(request.method(), request.uri()));
        let (started, answer) = (Instant::now(), self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or_else(|_| "none".to_owned(), |a| a.status().as_u16().to_string());
            calls.answered(call, code, started.elapsed().as_secs_f64());
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_as_roles_name_them() {
        let cases = [
            ("GET", "/api/v1/pods?watch=true&resourceVersion=1", "watch", "", "pods"),
            ("GET", "/api/v1/namespaces/ns/pods?limit=500", "list", "", "pods"),
            ("POST", "/api/v1/namespaces/ns/pods?", "create", "", "pods"),
            ("DELETE", "/api/v1/namespaces/ns/pods/web-0", "delete", "", "pods"),
            (
                "PATCH",
                "/apis/apps.ordinal.dev/v1/namespaces/ns/ordinalsets/web/status?fieldManager=ordinal",
                "patch",
                "apps.ordinal.dev",
                "ordinalsets/status",
            ),
            (
                "PUT",
                "/apis/coordination.k8s.io/v1/namespaces/ns/leases/ordinal",
                "update",
                "coordination.k8s.io",
                "leases",
            ),
            ("GET", "/api/v1/namespaces/ns", "get", "", "namespaces"),
            ("GET", "/openapi/v3/apis/apps.ordinal.dev/v1", "get", "", "openapi"),
        ];
        for (method, uri, verb, group, resource) in cases {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let call = Call::of(&method, &uri.parse().expect("a URI"));
            let expected = Call { verb, group: group.to_owned(), resource: resource.to_owned() };
            assert_eq!(call, expected, "{method} {uri}");
        }
    }
}
