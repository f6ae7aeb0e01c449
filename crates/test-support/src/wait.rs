//! Waiting on conditions.

use std::{
    future::Future,
    net::{Ipv4Addr, TcpListener},
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

/// A TCP port that was free a moment ago.
///
/// # Errors
/// When no loopback port can be bound.
pub fn free_port() -> anyhow::Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind a loopback port")?;
    Ok(listener.local_addr()?.port())
}

/// Whether `GET url` answers with a success status. Connection errors count as "not yet".
///
/// # Errors
/// When no HTTP client can be made.
pub async fn get_ok(url: &str) -> anyhow::Result<bool> {
    let client = foretide_http::client(&foretide_http::ClientOptions::default())?;
    Ok(matches!(client.get(url).send().await, Ok(answer) if answer.status().is_success()))
}
