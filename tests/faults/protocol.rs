//! What passed between an operator and its API server, in its order: what it asked, what it was answered, what it was shown.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use ordinal_sim::{
    call::{Answer, Call, Deletion, Part, Reason, Refusal, Style},
    fault::Fault,
    objects::{Kind, Object},
    store::Store,
};
use ordinal_tests::proxy::Asked;
use serde_json::Value;

use crate::trial::HANGS;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Entry {
    /// An operator starts, and knows nothing.
    Started,
    /// It was shown the first objects of a kind, by name, as they were at a version.
    Listed {
        /// When.
        at: Instant,
        /// Of which kind.
        kind: Kind,
        /// The version.
        version: u64,
        /// How many at most.
        objects: usize,
    },
    /// It was shown the changes of a kind up to a version.
    Shown {
        /// When.
        at: Instant,
        /// Of which kind.
        kind: Kind,
        /// The version.
        version: u64,
    },
    /// It is asked to wait.
    Held {
        /// When.
        at: Instant,
        /// How long.
        pause: Duration,
    },
    /// It called.
    Called(Called),
    /// It called in a way that nobody can judge.
    Strange(String),
}

/// A call of an operator.
#[derive(Clone, Debug)]
pub struct Called {
    /// When it came.
    pub at: Instant,
    /// Until when the operator may have waited for its answer.
    pub until: Instant,
    /// [`Asked::number`]
    number: usize,
    /// What it asked.
    pub call: Call,
    /// What the API server answered, whether it was heard or not.
    pub answer: Answer,
    /// Whether it was heard.
    pub heard: bool,
}

/// All entries so far.
#[derive(Clone, Debug, Default)]
pub struct Protocol(pub Vec<Entry>);

impl Protocol {
    /// An operator starts.
    pub fn started(&mut self) {
        self.0.push(Entry::Started);
    }

    /// The operator is told of the first objects of a kind, as they were at a version.
    pub fn listed(&mut self, asked: &Asked, version: &Value, objects: usize) {
        if let (Some(kind), Some(version)) = (kind(asked), number(version)) {
            self.0.push(Entry::Listed { at: Instant::now(), kind, version, objects });
        }
    }

    /// The operator is shown the changes of a kind up to a version. What has no version shows nothing.
    pub fn shown(&mut self, asked: &Asked, version: &Value) {
        if let (Some(kind), Some(version)) = (kind(asked), number(version)) {
            self.0.push(Entry::Shown { at: Instant::now(), kind, version });
        }
    }

    /// The operator is asked to wait.
    pub fn held(&mut self, pause: Duration) {
        self.0.push(Entry::Held { at: Instant::now(), pause });
    }

    /// The operator called, and this is to become of it. Until more is known it is not answered.
    pub fn called(&mut self, asked: &Asked, at: Instant, fault: Option<Fault>) {
        let unheard = [Fault::LostReply, Fault::HungReply, Fault::CrashAfter, Fault::CrashBefore].map(Some);
        let hangs = if fault == Some(Fault::HungReply) { HANGS } else { Duration::ZERO };
        self.0.push(match call(asked).filter(|call| call.kind() != Kind::Service) {
            Some(call) => Entry::Called(Called {
                at,
                until: Instant::now() + hangs,
                number: asked.number,
                call,
                answer: refused(Reason::InternalError, "no answer"),
                heard: !unheard.contains(&fault),
            }),
            // No set of a plan wants a Service.
            None => Entry::Strange(format!("{} {}", asked.method, asked.path)),
        });
    }

    /// A call is answered.
    pub fn answered(&mut self, asked: &Asked, code: StatusCode, body: &[u8]) {
        let called = self.0.iter_mut().rev().find_map(|entry| match entry {
            Entry::Called(called) if called.number == asked.number => Some(called),
            _ => None,
        });
        let (Some(called), Ok(body)) = (called, serde_json::from_slice::<Value>(body)) else { return };
        called.until = called.until.max(Instant::now());
        called.answer = if code.is_success() {
            Ok(Arc::new(Object::new(called.call.kind(), body)))
        } else {
            refused(reason(&body), body["message"].as_str().unwrap_or_default())
        };
    }
}

fn number(version: &Value) -> Option<u64> {
    version.as_str()?.parse().ok()
}

fn refused(reason: Reason, message: &str) -> Answer {
    Err(Refusal { reason, message: message.to_owned() })
}

fn reason(status: &Value) -> Reason {
    let all = [
        Reason::NotFound,
        Reason::AlreadyExists,
        Reason::Conflict,
        Reason::Invalid,
        Reason::Forbidden,
        Reason::UnsupportedMediaType,
    ];
    let named = all.into_iter().find(|reason| status["reason"] == format!("{reason:?}"));
    named.unwrap_or(Reason::InternalError)
}

fn kind(asked: &Asked) -> Option<Kind> {
    Store::KINDS.into_iter().find(|kind| asked.kind() == plural(*kind))
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Set => "ordinalsets",
        Kind::Pod => "pods",
        Kind::Claim => "persistentvolumeclaims",
        Kind::Revision => "controllerrevisions",
        Kind::Service => "services",
        Kind::Native => "statefulsets",
    }
}

/// A request in the words of the simulation; none if it is none that it knows.
fn call(asked: &Asked) -> Option<Call> {
    let (kind, name, body) = (kind(asked)?, asked.object().to_owned(), asked.json());
    let part = if asked.path.ends_with("/status") { Part::Status } else { Part::Main };
    let text = |at: &str| body.pointer(at).and_then(Value::as_str).map(str::to_owned);
    Some(match asked.method {
        Method::GET => Call::Get { kind, name },
        Method::POST => Call::Create { kind, object: body, dry_run: asked.parameter("dryRun").is_some() },
        Method::PUT => Call::Replace { kind, name, object: body, part },
        Method::PATCH => {
            let style = if asked.content_type.contains("strategic") { Style::Strategic } else { Style::Merge };
            Call::Patch { kind, name, patch: body, style, part }
        }
        Method::DELETE => {
            let how = Deletion {
                uid: text("/preconditions/uid"),
                version: text("/preconditions/resourceVersion"),
                grace: body["gracePeriodSeconds"].as_i64(),
                propagation: None,
            };
            Call::Delete { kind, name, how }
        }
        _ => return None,
    })
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A request for something in the namespace `ns`.
    pub fn asked(number: usize, method: Method, path: &str, body: &Value) -> Asked {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Asked {
            number,
            version: http::Version::HTTP_11,
            method,
            path: format!("/api/v1/namespaces/ns/{path}"),
            query: query.to_owned(),
            content_type: String::new(),
            body: body.to_string().into(),
            life: 0,
        }
    }

    #[test]
    fn a_request_is_the_call_that_the_simulation_knows() {
        let pod = json!({"metadata": {"name": "web-0"}});
        let create = |dry_run| Some(Call::Create { kind: Kind::Pod, object: pod.clone(), dry_run });
        assert_eq!(call(&asked(7, Method::POST, "pods", &pod)), create(false));
        assert_eq!(call(&asked(7, Method::POST, "pods?dryRun=All", &pod)), create(true));
        let how = json!({"preconditions": {"uid": "u"}, "gracePeriodSeconds": 0});
        let delete = Deletion { grace: Some(0), ..Deletion::of("u") };
        let wanted = Call::Delete { kind: Kind::Pod, name: "web-0".into(), how: delete };
        assert_eq!(call(&asked(7, Method::DELETE, "pods/web-0", &how)), Some(wanted));
        assert_eq!(call(&asked(7, Method::POST, "secrets", &json!({}))), None);
    }

    #[test]
    fn an_answer_belongs_to_its_call() {
        let (mut protocol, asked) = (Protocol::default(), asked(7, Method::GET, "pods/web-0", &Value::Null));
        protocol.called(&asked, Instant::now(), None);
        protocol.called(&Asked { number: 8, ..asked.clone() }, Instant::now(), None);
        let status = json!({"reason": "NotFound", "message": "it is not there"});
        protocol.answered(&asked, StatusCode::NOT_FOUND, status.to_string().as_bytes());
        let reasons = protocol.0.iter().map(|entry| match entry {
            Entry::Called(called) => called.answer.as_ref().err().map(|refusal| refusal.reason),
            _ => None,
        });
        assert_eq!(reasons.collect::<Vec<_>>(), [Some(Reason::NotFound), Some(Reason::InternalError)]);
    }
}
