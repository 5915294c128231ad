//! A cluster in memory, to try the planner on: no network, no clock, thousands of passes a second. Tests only.
//!
//! - [`cluster`]: objects with UIDs and versions, deletion with preconditions, finalizers-free garbage collection, and one
//!   set that is planned for.
//! - [`kubelet`]: what nodes do to pods, one seeded step at a time.
//! - [`orders`]: events in seeded orders, until nothing moves.
//! - [`story`]: roll-outs as golden texts, one line per pass.
//!
//! Every pass is checked against the invariants (`ordinal_plan::check`), whatever the test is about.

pub mod cluster;
pub mod kubelet;
pub mod orders;
pub mod story;

#[cfg(test)]
mod hands;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod traces;
