//! What a live test returns: an error that keeps the logs.

use std::fmt;

use crate::scratch;

/// The result of a live test.
pub type Outcome = Result<(), Failure>;

/// An error that left a test by `?`. Making one keeps the logs of the control planes in use, and its text says where.
pub struct Failure {
    error: anyhow::Error,
    note: String,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), note: scratch::kept_note() }
    }
}

/// A failed test prints its error by `Debug`, so this is the text that a person reads. No backtrace: it would show tokio.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}\n{}", self.error, self.note)
    }
}
