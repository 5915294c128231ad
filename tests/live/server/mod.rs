//! What the API server does for a set, as it does for the built-in (S-1, S-10.1, appendix D).

mod apply;
mod change;
mod generation;
mod kind;
mod legacy;
mod revisions;
mod status;
mod words;

use std::fmt::Debug;

use anyhow::{Result, bail};

/// The API server's words: its answer must be a refusal with this code.
pub(crate) fn refusal<T: Debug>(answer: kube::Result<T>, code: u16) -> Result<String> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == code => Ok(status.message),
        other => bail!("the API server must refuse with {code}, but: {other:?}"),
    }
}
