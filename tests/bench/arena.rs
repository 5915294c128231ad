//! Where it takes place: one control plane, the same nodes for both.

use anyhow::Result;
use ordinal_tests::{ControlPlane, Identity, Namespace, Options, audit::Policy};
use serde_json::json;

use crate::{
    contestant::{Contestant, Running},
    crowd, fairness, lifecycle,
    nodes::Nodes,
    results::Row,
    scenario::{Sets, Task, Work},
    sets::Troop,
};

/// The control plane and its nodes.
pub struct Arena {
    // Gone before the server that they talk to.
    nodes: Option<Nodes>,
    /// The control plane.
    pub control_plane: ControlPlane,
}

impl Arena {
    /// Starts it all.
    pub async fn open(kwok: bool) -> Result<Self> {
        let nodes = if kwok { 5 } else { 0 };
        let control_plane =
            ControlPlane::start(Options { nodes, audit: Policy::Controllers, ..Options::default() }).await?;
        let nodes = if kwok { None } else { Some(Nodes::play(control_plane.client(Identity::Tests).await?).await?) };
        Ok(Self { nodes, control_plane })
    }

    /// Lets one contestant do one task, in a namespace of its own, with nobody else at work.
    pub async fn run(&self, task: &Task, contestant: Contestant) -> Result<Vec<Row>> {
        let namespace = self.control_plane.namespace("bench").await?;
        let turn = Turn { arena: self, task, contestant, namespace: &namespace };
        let running = turn.warm().await?;
        match task.scenario.work {
            Work::Lifecycle(sets) => lifecycle::run(turn, running, sets).await,
            Work::Crowd(sets) => crowd::run(turn, running, sets).await,
            Work::Fairness(pods) => fairness::run(turn, running, pods).await,
        }
    }
}

/// One contestant at one task.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    arena: &'a Arena,
    /// What is to be done.
    pub task: &'a Task,
    /// By whom.
    pub contestant: Contestant,
    /// Where.
    pub namespace: &'a Namespace,
}

impl Turn<'_> {
    /// The control plane.
    pub fn control_plane(&self) -> &ControlPlane {
        &self.arena.control_plane
    }

    /// Sets for the contestant.
    pub fn troop(&self, name: &'static str, shape: Sets) -> Troop {
        let placement = self.arena.nodes.as_ref().map_or_else(|| json!({}), Nodes::placement);
        Troop::new(self.contestant.kind, self.namespace, name, shape, placement)
    }

    /// Starts the contestant and lets it do a little: then it works, and has all its connections.
    async fn warm(&self) -> Result<Running> {
        let running = self.contestant.start(self.control_plane()).await?;
        let shape = Sets { count: 1, replicas: 1, parallel: true, claim: false };
        let mut troop = self.troop("warm", shape);
        troop.create().await?;
        troop.done(&running).await?;
        troop.delete().await?;
        Ok(running)
    }
}
