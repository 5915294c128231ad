//! Free ports on loopback.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Result, bail};

/// Below 32768, where Linux and macOS begin to take ports for outgoing connections: a port from there may be taken by a
/// client between our look and the server's bind. Above what well-known servers use.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// Where the search goes on. It starts at a random place, so that processes that ask at the same time do not meet; and one
/// process is not given a port again soon, for what it was given for may not listen yet.
static NEXT: LazyLock<AtomicU64> =
    // RandomState is the standard library's only source of randomness.
    LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(std::process::id())));

/// `N` ports that nobody listens on.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    let span = RANGE.end - RANGE.start;
    let mut held = Vec::with_capacity(N);
    for _ in 0..span {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed) % u64::from(span);
        let port = RANGE.start + offset as u16;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
            if held.len() == N {
                return Ok(std::array::from_fn(|i| held[i].0));
            }
        }
    }
    bail!("no {N} free ports on loopback between {} and {}", RANGE.start, RANGE.end)
}
