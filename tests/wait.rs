//! Waiting for a state that other processes bring about.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks: short against what is waited for, long against what a look costs.
const POLL: Duration = Duration::from_millis(50);

/// What one look found.
pub enum Look<T> {
    /// It is there.
    Done(T),
    /// Not yet; how things stand, for the failure message.
    NotYet(String),
}

impl Look<()> {
    /// Done when `is`; the state is only made into words when it is not.
    pub fn when(is: bool, state: impl FnOnce() -> String) -> Self {
        if is { Look::Done(()) } else { Look::NotYet(state()) }
    }
}

/// Looks again and again until the look is done. An error of a look counts as not yet: servers may be starting or gone for a
/// moment. On time-out the error says what was waited for and how things stood at last.
pub async fn eventually<T>(within: Duration, what: &str, mut look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        let state = match tokio::time::timeout_at(deadline.into(), look()).await {
            Ok(Ok(Look::Done(value))) => return Ok(value),
            Ok(Ok(Look::NotYet(state))) => state,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "the last look got no answer".to_owned(),
        };
        if Instant::now() >= deadline {
            bail!("not within {within:?}: {what}; at last: {state}");
        }
        tokio::time::sleep(POLL).await;
    }
}
