//! Live tests: against a real API server. Each is named after the rule that it shows.

mod admission;
mod clients;
mod control_plane;
mod creation;
mod double;
mod examples;
mod faults;
mod leftovers;
mod plugin;
mod process;
mod refusal;
mod repair;
mod rollout;
mod scaling;
mod server;
mod sets;
mod takeover;
mod wiring;
mod without_go;
