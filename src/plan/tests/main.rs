//! The rules of a set, one test each: what a pass decides when things stand as the test says.

mod adoption;
mod carrying;
mod claiming;
mod claims;
mod condemned;
mod conditions;
mod defaults;
mod edges;
mod fixture;
mod naming;
mod never;
mod revisions;
mod rollout;
mod slots;
mod status;
