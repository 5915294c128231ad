//! Who called the API server, and how: its audit log, which counts calls without asking the callers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::identity::Identity;

/// One line per call, once it has been answered.
const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
"#;

/// A call that the API server has answered. A watch is listed once it has ended.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// create, patch, list, watch …
    pub verb: String,
    /// The path with its query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    user: User,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

/// Where the policy and the log are.
pub(crate) fn paths(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("audit-policy.yaml"), dir.join("audit.log"))
}

/// Writes the policy.
pub(crate) fn write_policy(dir: &Path) -> Result<()> {
    let (policy, _) = paths(dir);
    std::fs::write(&policy, POLICY).with_context(|| format!("cannot write {}", policy.display()))
}

/// The calls of an identity so far, oldest first.
pub(crate) fn calls(dir: &Path, id: Identity) -> Result<Vec<Call>> {
    let (_, log) = paths(dir);
    let text = std::fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    // The last line may be half written.
    let calls = text.lines().filter_map(|line| serde_json::from_str::<Call>(line).ok());
    Ok(calls.filter(|call| call.user.username == id.user()).collect())
}
