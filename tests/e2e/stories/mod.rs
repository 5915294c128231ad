//! The stories, one file each, in the order in which they are played: what users of StatefulSets see first, then what
//! they fear.

mod canary;
mod data;
mod deletion;
mod drain;
mod etcd;
mod etcd_node_lost;
mod etcd_writer;
mod lost;
mod moved;
mod names;
mod operator_drained;
mod operator_killed;
mod operator_upgraded;
mod other_service;
mod out_of_service;
mod pending_claim;
mod powered_off;
mod proxy;
mod rolling_update;
mod shutdown;
mod static_volumes;
mod taint;
mod unplugged;
mod walkthrough;

use anyhow::Result;
use futures::future::LocalBoxFuture;

use crate::{place::Need, scene::Scene};

pub struct Story {
    /// A word for it, by which it is asked for.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub tells: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
    pub play: for<'a> fn(&'a Scene) -> LocalBoxFuture<'a, Result<()>>,
}

pub static ALL: [Story; 22] = [
    names::STORY,
    data::STORY,
    moved::STORY,
    proxy::STORY,
    static_volumes::STORY,
    pending_claim::STORY,
    rolling_update::STORY,
    canary::STORY,
    other_service::STORY,
    deletion::STORY,
    drain::STORY,
    taint::STORY,
    powered_off::STORY,
    unplugged::STORY,
    shutdown::STORY,
    out_of_service::STORY,
    operator_killed::STORY,
    operator_drained::STORY,
    operator_upgraded::STORY,
    etcd::STORY,
    etcd_node_lost::STORY,
    walkthrough::STORY,
];
