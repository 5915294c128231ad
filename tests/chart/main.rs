//! The chart, with the real helm.

mod alerts;
mod release;
mod values;
