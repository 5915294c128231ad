//! A port in front of an API server that a test opens and closes, as a network does.

use std::{net::Ipv4Addr, path::PathBuf};

use anyhow::{Context, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::{control_plane::ControlPlane, identity::Identity, ports};

/// A port on loopback. While it is closed nobody listens there, and a client's connection is refused.
#[derive(Debug)]
pub struct Doorway {
    port: u16,
    server: String,
    open: Option<JoinHandle<()>>,
}

impl Doorway {
    /// A closed one.
    pub fn closed(control_plane: &ControlPlane) -> Result<Self> {
        let [port] = ports::free()?;
        let server = control_plane.url().trim_start_matches("https://").to_owned();
        Ok(Self { port, server, open: None })
    }

    /// Writes a kubeconfig of an identity that goes through here.
    pub fn kubeconfig(&self, control_plane: &ControlPlane, id: Identity) -> Result<PathBuf> {
        control_plane.kubeconfig_through(id, self.port)
    }

    /// From now on who comes is led to the API server.
    pub async fn open(&mut self) -> Result<()> {
        let address = (Ipv4Addr::LOCALHOST, self.port);
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address:?}"))?;
        self.open = Some(tokio::spawn(lead(listener, self.server.clone())));
        Ok(())
    }

    /// Breaks all connections and refuses new ones.
    pub fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
        }
    }
}

impl Drop for Doorway {
    fn drop(&mut self) {
        self.close();
    }
}

/// The connections end with this future.
async fn lead(listener: TcpListener, server: String) {
    let mut connections = JoinSet::new();
    while let Ok((mut inside, _)) = listener.accept().await {
        let server = server.clone();
        connections.spawn(async move {
            // An end that breaks is what a doorway is for.
            let Ok(mut outside) = TcpStream::connect(server).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
        });
    }
}
