//! What the operator remembers of a set's earlier passes.

use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;

/// What is known beside the API server's objects. Losing it costs time, nothing else (N-13).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Slots whose pods failed at once (O-7).
    pub failures: Failures,
    /// Since when the governing Service has been missing (O-9).
    pub service_missing_since: Option<Timestamp>,
    /// When the set's own Service was last brought up to date: somebody may be working against us.
    pub service_mended: Option<Timestamp>,
    /// Why the governing Service could not be made or updated, in the server's words (O-9).
    pub service_error: Option<String>,
    /// What came of trying the update revision (O-4).
    pub trial: Option<Trial>,
    /// What the API server refused last, in its own words; empty once a pass went through.
    pub refusal: Option<Refusal>,
}

/// Slots whose pods failed within a minute of their creation (O-7).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failures {
    /// The update revision that they were counted for; another one starts afresh.
    pub revision: String,
    /// By ordinal.
    pub slots: BTreeMap<i32, Failure>,
}

/// One slot's failures in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// UID of the pod that failed last.
    pub uid: String,
    /// How many in a row.
    pub count: u32,
    /// When the last one was seen.
    pub seen: Timestamp,
}

/// What a dry run of a revision's pod brought (O-4).
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Name of the revision.
    pub revision: String,
    /// The set's generation at the time; a changed set is tried again at once.
    pub generation: i64,
    /// What the server said.
    pub verdict: Verdict,
}

/// The server's answer to a dry run.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It would run such a pod, or could not tell.
    Passed,
    /// It would not.
    Refused {
        /// The server's own words.
        message: String,
        /// How often in a row.
        count: u32,
        /// Not before this it is asked again.
        retry_at: Timestamp,
    },
}

/// A write that the API server refused and that only somebody else can make possible: quota, policy, an invalid pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What was to be done, with the object's name.
    pub doing: String,
    /// The server's own words.
    pub message: String,
}
