//! The chart, with the real helm.

mod alerts;
mod helm;
mod release;
mod values;
