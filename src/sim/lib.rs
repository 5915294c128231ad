//! A cluster in memory: no network, no clock, thousands of passes a second. Tests only.
//!
//! - [`store`]: an API server, asked by [`call`]s that a real one can be asked by as well; its [`objects`], how it
//!   [`patch`]es them.
//! - [`collector`], [`kubelet`]: what other controllers and nodes do, one seeded step at a time.
//! - [`operator`]: caches that lag, the freshness gate; [`pass`]: a plan carried out call by call.
//! - [`orders`]: events in seeded orders, until nothing moves.
//! - [`world`]: all of them at once; [`never`]: what no write of an operator may do; [`promises`]: what is promised of each.
//! - [`workload`], [`fault`]: work, and what goes wrong meanwhile; `faults` runs it here, `make faults` in a real cluster.
//! - [`cluster`], [`story`]: one set whose operator is always up to date; roll-outs as golden texts, one line per pass.
//!
//! Every plan is checked against the invariants (`ordinal_plan::check`), whatever the test is about.

pub mod call;
pub mod cluster;
pub mod collector;
pub mod fault;
pub mod kubelet;
pub mod never;
pub mod objects;
pub mod operator;
pub mod orders;
pub mod pass;
pub mod patch;
pub mod promises;
pub mod store;
pub mod story;
pub mod workload;
pub mod world;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod faults;
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
