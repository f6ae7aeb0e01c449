//! Tokens by audience, refreshed ahead of time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::SharedClock;

use crate::{AccessToken, EntraError};

/// After a failed refresh the old token is served this long before the next try.
const REFRESH_RETRY: TimeDelta = TimeDelta::seconds(30);

/// A token as the endpoint gave it.
#[derive(Debug, Clone)]
pub struct FreshToken {
    /// The token and its end.
    pub token: AccessToken,
    /// Time it lives, from now.
    pub expires_in: Duration,
    /// When the endpoint wants it refreshed, from now.
    pub refresh_in: Option<Duration>,
}

#[derive(Debug)]
struct Cached {
    token: AccessToken,
    refresh_at: DateTime<Utc>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Cached>>>;

/// Cache shared by all flows: what differs between them is only how a token is fetched.
pub struct TokenCache {
    clock: SharedClock,
    slots: Mutex<HashMap<String, Slot>>,
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl TokenCache {
    /// An empty cache that reads this clock.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            slots: Mutex::default(),
        }
    }

    /// The cached token of the audience, or a fetched one. Callers of one audience wait for each
    /// other, so that one request serves them all.
    ///
    /// # Errors
    /// What the fetch says, when no living token is cached.
    pub async fn get_or_fetch<F>(&self, audience: &str, fetch: F) -> Result<AccessToken, EntraError>
    where
        F: Future<Output = Result<FreshToken, EntraError>>,
    {
        let slot = self.slot(audience);
        let mut cached = slot.lock().await;
        let now = self.clock.now();
        if let Some(cached) = cached.as_ref().filter(|cached| now < cached.refresh_at) {
            return Ok(cached.token.clone());
        }
        match fetch.await {
            Ok(fresh) => {
                let refresh_at = now + refresh_after(&fresh);
                let token = fresh.token.clone();
                *cached = Some(Cached {
                    token: fresh.token,
                    refresh_at,
                });
                Ok(token)
            }
            Err(error) => {
                let Some(old) = cached
                    .as_mut()
                    .filter(|cached| now < cached.token.expires_at)
                else {
                    return Err(error);
                };
                tracing::warn!(%error, audience, expires_at = %old.token.expires_at, "token not refreshed; the old one is served");
                old.refresh_at = now + REFRESH_RETRY;
                Ok(old.token.clone())
            }
        }
    }

    fn slot(&self, audience: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(audience.to_owned()).or_default())
    }
}

/// Time from now after which a fresh token is replaced.
fn refresh_after(fresh: &FreshToken) -> TimeDelta {
    const LONG_LIVED: Duration = Duration::from_secs(7_200);
    const MARGIN: Duration = Duration::from_secs(300);
    let wait = match fresh.refresh_in {
        Some(refresh_in) => refresh_in.min(fresh.expires_in),
        None if fresh.expires_in >= LONG_LIVED => fresh.expires_in / 2,
        None => fresh.expires_in.saturating_sub(MARGIN),
    };
    TimeDelta::from_std(wait).unwrap_or(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn wait_of(expires_in: u64, refresh_in: Option<u64>) -> i64 {
        refresh_after(&FreshToken {
            token: AccessToken {
                secret: SecretString::from("t"),
                expires_at: DateTime::<Utc>::MAX_UTC,
            },
            expires_in: Duration::from_secs(expires_in),
            refresh_in: refresh_in.map(Duration::from_secs),
        })
        .num_seconds()
    }

    #[test]
    fn refreshes_when_told_else_at_half_life_else_five_minutes_before_the_end() {
        assert_eq!(wait_of(3_599, Some(1_000)), 1_000);
        assert_eq!(wait_of(86_400, None), 43_200);
        assert_eq!(wait_of(3_599, None), 3_299);
    }

    #[test]
    fn a_short_lived_token_is_used_once_and_a_late_refresh_is_cut_to_its_life() {
        assert_eq!(wait_of(200, None), 0);
        assert_eq!(wait_of(100, Some(9_999)), 100);
    }
}
