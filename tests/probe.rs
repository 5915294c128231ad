//! The smallest HTTP client that can ask a probe.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A probe on loopback answers at once or it is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// GETs a path from a port on loopback without TLS: the status code and the body.
pub async fn get(port: u16, path: &str) -> Result<(u16, String)> {
    ask(port, path, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")).await
}

/// As [`get`], but POSTs JSON.
pub async fn post(port: u16, path: &str, body: &str) -> Result<(u16, String)> {
    let head = format!("POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json");
    ask(port, path, &format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await
}

async fn ask(port: u16, path: &str, request: &str) -> Result<(u16, String)> {
    let answer = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    })
    .await
    .with_context(|| format!("no answer from port {port}{path} within {PATIENCE:?}"))?
    .with_context(|| format!("cannot ask port {port}{path}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("the answer has no status code")?;
    Ok((code, body.to_owned()))
}
