//! What most live tests need: the shared control plane, a running operator, a namespace.

use std::{
    io::{Write, stderr},
    time::Duration,
};

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::{
    audit::{Call, Tail},
    control_plane::ControlPlane,
    identity::Identity,
    namespace::Namespace,
    operator::{Operator, OperatorOptions},
};

/// The shared control plane with one operator that serves all tests of this process.
#[derive(Debug)]
pub struct World {
    /// The control plane.
    pub control_plane: &'static ControlPlane,
    /// The operator; a test that stops or signals one starts its own control plane.
    pub operator: Operator,
}

/// The shared world, made by the first test that asks.
pub async fn world() -> Result<&'static World> {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD
        .get_or_try_init(async || {
            let control_plane = ControlPlane::shared().await?;
            watch_rights(control_plane.tail(Identity::Operator));
            let operator = Operator::start(control_plane, OperatorOptions::default()).await?;
            Ok(World { control_plane, operator })
        })
        .await
}

/// Ends the process when the operator is refused something for want of a right: the roles that are shipped must do.
fn watch_rights(mut calls: Tail) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let calls = calls.read().unwrap_or_default();
            if let Some(call) = calls.iter().find(|call| call.is_forbidden()) {
                let Call { verb, uri, .. } = call;
                // The macros' output would be kept for a test that does not end any more.
                let _ = writeln!(stderr(), "the operator has no right to {verb} {uri}: deploy/manifests must grant it");
                std::process::exit(1);
            }
        }
    });
}

/// A namespace of the shared world.
pub async fn namespace(prefix: &str) -> Result<Namespace> {
    world().await?.control_plane.namespace(prefix).await
}
