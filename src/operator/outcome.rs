//! The one place where answers of the API server are sorted: every failed call is one of these, and what follows from it
//! is decided by the kind alone.

use ordinal_plan::carry::Answer;
use std::time::Duration;

/// Why a call did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The object is not there.
    #[error("{0}")]
    NotFound(String),
    /// An object of that name is there.
    #[error("{0}")]
    AlreadyExists(String),
    /// The object is not the one, or not the version, that was judged.
    #[error("{0}")]
    Conflict(String),
    /// The server will not do it until somebody changes something: quota, policy, an invalid object.
    #[error("{0}")]
    Refused(String),
    /// The server asks to come back later.
    #[error("{message}")]
    Busy {
        /// The server's words.
        message: String,
        /// When to come back, if it says so.
        retry_after: Option<Duration>,
    },
    /// No answer, or one that says nothing about the object.
    #[error("{0}")]
    Other(String),
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else { return Self::Other(describe(&error)) };
        let message = status.message.clone();
        match status.code {
            404 => Self::NotFound(message),
            409 if status.is_already_exists() => Self::AlreadyExists(message),
            409 => Self::Conflict(message),
            // A UID in a patch that is not the object's is refused as a change of an immutable field.
            422 if is_about_the_uid(&status) => Self::Conflict(message),
            400 | 403 | 422 => Self::Refused(message),
            429 | 503 => {
                let seconds = status.details.as_ref().map_or(0, |d| d.retry_after_seconds);
                let retry_after = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
                Self::Busy { message, retry_after }
            }
            _ => Self::Other(message),
        }
    }
}

impl Failure {
    /// What it says of the object.
    pub fn answer(&self) -> Answer<'_> {
        match self {
            Self::NotFound(_) => Answer::Gone,
            Self::AlreadyExists(_) => Answer::Taken,
            Self::Conflict(_) => Answer::Changed,
            Self::Refused(message) => Answer::Refused(message),
            Self::Busy { .. } | Self::Other(_) => Answer::Other,
        }
    }
}

fn is_about_the_uid(status: &kube::core::Status) -> bool {
    status.details.iter().flat_map(|d| &d.causes).any(|cause| cause.field == "metadata.uid")
}

/// An error with its causes, each said once.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn failure(code: u16, reason: &str, message: &str) -> Failure {
        Failure::from(kube::Error::Api(Status::failure(message, reason).with_code(code).boxed()))
    }

    #[test]
    fn s_2_5_a_uid_that_is_another_by_now_is_a_conflict() {
        let mut status = Status::failure("metadata.uid: Invalid value: field is immutable", "Invalid").with_code(422);
        let details = r#"{"causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]}"#;
        status.details = serde_json::from_str(details).expect("details");
        assert!(matches!(Failure::from(kube::Error::Api(status.boxed())), Failure::Conflict(_)));
    }

    #[test]
    fn answers_are_told_apart() {
        assert!(matches!(failure(404, "NotFound", ""), Failure::NotFound(_)));
        assert!(matches!(failure(409, "AlreadyExists", ""), Failure::AlreadyExists(_)));
        assert!(matches!(failure(409, "Conflict", ""), Failure::Conflict(_)));
        assert!(matches!(failure(403, "Forbidden", "exceeded quota: q"), Failure::Refused(_)));
        assert!(matches!(failure(422, "Invalid", "spec.containers[0].image: Required value"), Failure::Refused(_)));
        assert!(matches!(failure(422, "Invalid", "fieldPath: metadata.uidx"), Failure::Refused(_)));
        assert!(matches!(failure(400, "BadRequest", "cannot unmarshal"), Failure::Refused(_)));
        assert!(matches!(failure(429, "TooManyRequests", ""), Failure::Busy { .. }));
        assert!(matches!(failure(500, "InternalError", ""), Failure::Other(_)));
    }
}
