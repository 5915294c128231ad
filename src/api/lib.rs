//! The kind `OrdinalSet` (`apps.ordinal.dev/v1`) as Rust types: no client, no async.
//!
//! - [`types`]: spec and status, field for field those of the `apps/v1` StatefulSet, and what Ordinal adds (O-1).
//! - [`lite`]: what is read of pods, claims, revisions and Services.
//! - `schema` (feature `schema`): the CRD made from them, with the refusals of O-3.

pub mod lite;
#[cfg(feature = "schema")]
pub mod schema;
pub mod types;

pub use types::*;
