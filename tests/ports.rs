//! Free ports on loopback.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
};

use anyhow::{Result, bail};

/// Below 32768, where Linux and macOS begin to take ports for outgoing connections: a port from there may be taken by a
/// client between our look and the server's bind. Above what well-known servers use.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// `N` ports that nobody listens on. Starts at a random place, so that processes that ask at the same time do not meet.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    let span = RANGE.end - RANGE.start;
    // RandomState is the standard library's only source of randomness.
    let start = (RandomState::new().hash_one(std::process::id()) % u64::from(span)) as u16;
    let mut held = Vec::with_capacity(N);
    for offset in 0..span {
        let port = RANGE.start + (start + offset) % span;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
            if held.len() == N {
                return Ok(std::array::from_fn(|i| held[i].0));
            }
        }
    }
    bail!("no {N} free ports on loopback between {} and {}", RANGE.start, RANGE.end)
}
