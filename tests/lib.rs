//! Live tests of Ordinal: a real control plane on loopback, the operator beside it, and helpers to look at both.
//!
//! ```no_run
//! use std::time::Duration;
//! use ordinal_tests::{Outcome, world};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! let ns = world::namespace("scale").await?; // shared control plane, shared operator, a namespace of its own
//! ns.kubectl().apply("…").await?;
//! ns.scale("kubia", 5).await?;
//! ns.pod_ready("kubia-4", Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//! A test returns [`Outcome`]: what leaves it by `?`, and any panic, keeps the logs and says where they are. Whatever way
//! the test process ends, no other process of it stays behind.

pub mod audit;
pub mod binaries;
pub mod calls;
pub mod certs;
pub mod control_plane;
pub mod diagnose;
pub mod doorway;
pub mod edit;
mod failure;
pub mod helm;
pub mod identity;
pub mod install;
pub mod kubectl;
mod kwok;
pub mod manifests;
pub mod namespace;
pub mod node;
pub mod operator;
pub mod picture;
mod ports;
mod probe;
pub mod process;
pub mod proxy;
pub mod record;
pub mod refusals;
pub mod rest;
pub mod scratch;
pub mod twins;
mod usage;
pub mod wait;
mod witness;
pub mod world;

pub use control_plane::{ControlPlane, Options};
pub use doorway::Doorway;
pub use failure::{Failure, Outcome};
pub use identity::Identity;
pub use kubectl::Kubectl;
pub use namespace::Namespace;
pub use node::HandPlayedNode;
pub use operator::{Operator, OperatorOptions};
pub use process::Signal;
pub use usage::Usage;
pub use wait::{Look, eventually};
pub use witness::Witness;
