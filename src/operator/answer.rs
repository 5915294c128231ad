//! One call of the API server, and the part of its answer that is looked at.

use crate::outcome::Failure;
use http_body_util::BodyExt;
use kube::{Client, client::Body, core::Status};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// Headers have a limit in the client; an answer's body too must come to an end.
const BODY: Duration = Duration::from_secs(30);

/// What an answer tells of the object that was read or written.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Ack {
    /// The part of `metadata` that is looked at.
    pub metadata: AckMeta,
}

/// The part of `metadata` that is looked at.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct AckMeta {
    /// The version that the write made.
    pub resource_version: String,
    /// Which object it was.
    pub uid: String,
    /// The version of its spec.
    pub generation: Option<i64>,
    /// Whether it is being deleted.
    pub deletion_timestamp: Option<String>,
}

/// Sends a request, and reads only what is needed of the answer.
///
/// # Errors
/// What the server answered, or why there is no answer.
pub async fn call<E: std::error::Error>(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, E>,
) -> Result<Ack, Failure> {
    let request = request.map_err(|e| Failure::Other(format!("building the request: {e}")))?;
    // Waiting for our own turn is not the server's fault, and not bounded: only the answer is.
    let answer = client.send(request.map(Body::from)).await?;
    let (status, body) = (answer.status(), timeout(BODY, answer.into_body().collect()).await);
    let body = match body {
        Ok(body) => body.map_err(Failure::from)?.to_bytes(),
        Err(_) => return Err(Failure::Other(format!("no complete answer within {} s", BODY.as_secs()))),
    };
    let unreadable = |e| Failure::Other(format!("{status}, and an answer that cannot be read: {e}"));
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(unreadable);
    }
    let refusal: Status = serde_json::from_slice(&body).map_err(unreadable)?;
    Err(Failure::from(kube::Error::Api(refusal.boxed())))
}
