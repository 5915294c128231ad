//! Who called the API server, and how: its audit log, which counts calls without asking the callers.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::identity::Identity;

/// What the API server writes into its audit log: one line per call, once it has been answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Every call, and with it what the operator deletes and changes.
    #[default]
    Everything,
    /// Calls of those whose StatefulSets or OrdinalSets these are, without bodies: what costs the server least.
    Controllers,
}

impl Policy {
    fn text(self) -> String {
        let rules = match self {
            Policy::Everything => json!([
                {"level": "Request", "users": [Identity::Operator.user()], "verbs": ["delete", "patch"]},
                {"level": "Metadata"},
            ]),
            Policy::Controllers => {
                json!([{"level": "Metadata", "users": [Identity::Operator.user(), Identity::BuiltIn.user()]}])
            }
        };
        let stages = ["RequestReceived", "ResponseStarted"];
        json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": stages, "rules": rules}).to_string()
    }
}

/// A call that the API server has answered. A watch is listed once it has ended.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// create, patch, list, watch …
    pub verb: String,
    /// The path with its query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// What it was about.
    #[serde(rename = "objectRef", default)]
    pub object: Object,
    /// The answer's status code.
    #[serde(rename = "responseStatus", default)]
    pub answer: Answer,
    /// The body of the operator's DELETEs and PATCHes.
    #[serde(rename = "requestObject", default)]
    pub body: Value,
    /// When it came in, in RFC 3339.
    #[serde(rename = "requestReceivedTimestamp", default)]
    pub received: String,
    user: User,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What a call was about; empty words where it does not say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Object {
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

/// How a call was answered.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Answer {
    /// 0 when it is not known.
    #[serde(default)]
    pub code: u16,
}

impl Call {
    /// Whether it is one of this verb about this object.
    pub fn is(&self, verb: &str, resource: &str, name: &str) -> bool {
        self.verb == verb && self.object.resource == resource && self.object.name == name
    }

    /// Whether it was refused because its user has no right to it; quotas and policies refuse otherwise.
    pub fn is_forbidden(&self) -> bool {
        self.annotations.get("authorization.k8s.io/decision").is_some_and(|decision| decision == "forbid")
    }

    /// In a few words, for a failure message: `patch pods web-0 200`.
    pub fn in_words(&self) -> String {
        let Object { resource, subresource, name, .. } = &self.object;
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!("{} {resource}{slash}{subresource} {name} {}", self.verb, self.answer.code)
    }
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
pub(crate) fn write_policy(dir: &Path, policy: Policy) -> Result<()> {
    let (path, _) = paths(dir);
    std::fs::write(&path, policy.text()).with_context(|| format!("cannot write {}", path.display()))
}

/// The calls of an identity so far, oldest first.
pub(crate) fn calls(dir: &Path, id: Identity) -> Result<Vec<Call>> {
    Tail::of(dir, id).read()
}

/// Follows the calls of an identity.
#[derive(Debug)]
pub struct Tail {
    log: PathBuf,
    id: Identity,
    offset: u64,
}

impl Tail {
    /// From the first call on.
    pub(crate) fn of(dir: &Path, id: Identity) -> Self {
        Self { log: paths(dir).1, id, offset: 0 }
    }

    /// Passes over the calls up to now.
    pub fn skip(&mut self) -> Result<()> {
        let meta = std::fs::metadata(&self.log).with_context(|| format!("cannot look at {}", self.log.display()))?;
        self.offset = meta.len();
        Ok(())
    }

    /// The calls since the last time, oldest first.
    pub fn read(&mut self) -> Result<Vec<Call>> {
        let told = || format!("cannot read {}", self.log.display());
        let mut file = File::open(&self.log).with_context(told)?;
        file.seek(SeekFrom::Start(self.offset)).with_context(told)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(told)?;
        // The last line may be half written.
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        self.offset += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes);
        let user = self.id.user();
        let by_id = text.lines().filter(|line| line.contains(user));
        let calls = by_id.filter_map(|line| serde_json::from_str::<Call>(line).ok());
        Ok(calls.filter(|call| call.user.username == user).collect())
    }
}
