//! The configuration of kwok, which plays the kubelets (control-plane/kwok.yaml says how).

use std::time::Duration;

use crate::node;

const CONFIG: &str = include_str!("control-plane/kwok.yaml");

/// How pods behave unless their annotations say otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From running to ready.
    pub ready_after: Duration,
    /// From deletion to the end of the containers.
    pub stop_after: Duration,
}

/// The configuration file's text.
pub fn config(pace: Pace) -> String {
    CONFIG
        .replace("${NODE_SELECTOR}", &format!("{}={}", node::KUBELET_LABEL, node::PLAYED_BY_KWOK))
        .replace("${READY_AFTER_MS}", &pace.ready_after.as_millis().to_string())
        .replace("${STOP_AFTER_MS}", &pace.stop_after.as_millis().to_string())
}
