//! The operator as a process: how it starts, waits, shares the work with others, and ends.

mod lease;
mod load;
mod metrics;
mod missing;
mod namespaces;
mod rights;
mod usage;

use anyhow::Result;
use ordinal_tests::{ControlPlane, Options};
use tokio::sync::OnceCell;

/// A control plane for operators that have no set to work on: each takes a lease of its own, so they do not meet.
async fn without_sets() -> Result<&'static ControlPlane> {
    static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    CONTROL_PLANE.get_or_try_init(|| ControlPlane::start(Options { nodes: 1, ..Options::default() })).await
}
