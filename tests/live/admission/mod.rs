//! The CRD alone (no operator needed): what it stores (O-1), carries (O-2) and refuses (O-3).

mod carries;
mod fixed;
pub(crate) mod manifest;
mod refuses_claims;
mod refuses_set;
mod refuses_template;
mod stores;
