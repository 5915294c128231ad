//! What most live tests need: the shared control plane, a running operator, a namespace.

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::{
    control_plane::ControlPlane,
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
            let operator = Operator::start(control_plane, OperatorOptions::default()).await?;
            Ok(World { control_plane, operator })
        })
        .await
}

/// A namespace of the shared world.
pub async fn namespace(prefix: &str) -> Result<Namespace> {
    world().await?.control_plane.namespace(prefix).await
}
