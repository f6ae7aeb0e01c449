//! Waiting on conditions.

use std::{
    future::Future,
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, bail};

const POLL_EVERY: Duration = Duration::from_millis(25);

/// Asks `condition` until it gives a value, and gives that value.
///
/// # Errors
/// When `limit` has passed (the message names `what`), or at once when `condition` itself fails,
/// because some waits cannot end well any more (the process died).
pub async fn wait_until<T, F, Fut>(
    limit: Duration,
    what: &str,
    mut condition: F,
) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<Option<T>>>,
{
    let poll = async {
        let mut ticks = tokio::time::interval(POLL_EVERY);
        loop {
            ticks.tick().await;
            if let Some(value) = condition().await? {
                return anyhow::Ok(value);
            }
        }
    };
    match tokio::time::timeout(limit, poll).await {
        Ok(outcome) => outcome.with_context(|| format!("while waiting until {what}")),
        Err(_) => bail!("waited {} s in vain until {what}", limit.as_secs()),
    }
}

/// Ports below those that Linux gives to outgoing connections (32768 and up): a port of these stays
/// free until it is listened on.
const PORTS: std::ops::Range<u32> = 12_000..32_000;

/// A TCP port that was free a moment ago, another one at each call.
///
/// # Errors
/// When no loopback port can be bound.
pub fn free_port() -> anyhow::Result<u16> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let many = PORTS.end - PORTS.start;
    // processes that run beside each other begin far from each other
    let begin = std::process::id().wrapping_mul(1_009);
    for _ in 0..many {
        let at = begin.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + at % many)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of {PORTS:?} is free on loopback")
}

/// Whether `GET url` answers with a success status. Connection errors count as "not yet".
///
/// # Errors
/// When no HTTP client can be made.
pub async fn get_ok(url: &str) -> anyhow::Result<bool> {
    let client = foretide_http::client(&foretide_http::ClientOptions::default())?;
    Ok(matches!(client.get(url).send().await, Ok(answer) if answer.status().is_success()))
}
