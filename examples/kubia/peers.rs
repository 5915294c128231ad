//! Peers are those that the SRV records of the governing Service name.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use hickory_resolver::{Resolver, TokioResolver, proto::rr::RData};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// A peer that does not answer within this is told as such.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Peers {
    resolver: TokioResolver,
    service: String,
}

impl Peers {
    /// Those of a Service, found by the pod's own resolver settings.
    pub fn of(service: &str) -> Result<Self> {
        let mut builder = Resolver::builder_tokio()?;
        // Peers come and go; the server's own cache is enough.
        builder.options_mut().cache_size = 0;
        Ok(Self { resolver: builder.build()?, service: service.to_owned() })
    }

    /// The data of each, by host name.
    pub async fn ask(&self) -> Result<BTreeMap<String, String>> {
        let records = match self.resolver.srv_lookup(&self.service).await {
            Ok(records) => records,
            Err(error) if error.is_no_records_found() => return Ok(BTreeMap::new()),
            Err(error) => return Err(error).context(self.service.clone()),
        };
        let mut asked = JoinSet::new();
        for record in records.answers() {
            let RData::SRV(srv) = &record.data else { continue };
            let (host, port) = (srv.target.to_utf8().trim_end_matches('.').to_owned(), srv.port);
            asked.spawn(async move {
                let data = timeout(PATIENCE, data_of(&host, port)).await;
                let data = data.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer")));
                (host, data.unwrap_or_else(|error| format!("({error:#})")))
            });
        }
        let mut found = BTreeMap::new();
        while let Some(answer) = asked.join_next().await {
            found.extend(answer.ok());
        }
        Ok(found)
    }
}

async fn data_of(host: &str, port: u16) -> Result<String> {
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move { drop(connection.await) });
    let request = Request::get("/data").header("host", host).body(Empty::<Bytes>::new())?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
