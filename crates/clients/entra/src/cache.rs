//! Tokens by audience, refreshed ahead of time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::SharedClock;

use crate::{AccessToken, EntraError};

/// A `Retry-After` beyond this is not believed.
const LONGEST_SILENCE: Duration = Duration::from_secs(900);
/// After a failed refresh the old token is served this long before the next try.
const REFRESH_RETRY: TimeDelta = TimeDelta::seconds(30);

/// A token as the endpoint gave it.
#[derive(Debug, Clone)]
pub(crate) struct FreshToken {
    /// The token and its end.
    pub(crate) token: AccessToken,
    /// Time it lives, from now.
    pub(crate) expires_in: Duration,
    /// When the endpoint wants it refreshed, from now.
    pub(crate) refresh_in: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Cached {
    token: AccessToken,
    refresh_at: DateTime<Utc>,
}

/// What is known for one audience.
#[derive(Debug, Default)]
struct Slot {
    cached: Mutex<Option<Cached>>,
    /// The endpoint asked not to be asked before.
    silent_until: Mutex<Option<DateTime<Utc>>>,
    /// Held by whoever is asking.
    asking: tokio::sync::Mutex<()>,
}

/// Cache shared by all flows: what differs between them is only how a token is fetched.
pub(crate) struct TokenCache {
    clock: SharedClock,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

impl TokenCache {
    /// An empty cache that reads this clock.
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            slots: Mutex::default(),
        }
    }

    /// The cached token of the audience, or a fetched one. One request serves all callers of an
    /// audience: without a living token they wait for it, else they go on with the old one.
    ///
    /// # Errors
    /// What the fetch says, when no living token is cached.
    pub(crate) async fn get_or_fetch<F>(
        &self,
        audience: &str,
        fetch: F,
    ) -> Result<AccessToken, EntraError>
    where
        F: Future<Output = Result<FreshToken, EntraError>>,
    {
        let slot = self.slot(audience);
        let _asking = match slot.living(self.clock.now()) {
            Some(cached) if self.clock.now() < cached.refresh_at => return Ok(cached.token),
            Some(cached) => match slot.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(cached.token),
            },
            None => slot.asking.lock().await,
        };
        // Somebody else may have asked meanwhile.
        let now = self.clock.now();
        let old = slot.living(now);
        if let Some(cached) = old.as_ref().filter(|cached| now < cached.refresh_at) {
            return Ok(cached.token.clone());
        }
        let fetched = match slot.silence(now) {
            Some(retry_after) => Err(EntraError::Throttled {
                retry_after: Some(retry_after),
            }),
            None => fetch.await,
        };
        slot.settle(audience, old, fetched, self.clock.now())
    }

    fn slot(&self, audience: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(audience.to_owned()).or_default())
    }
}

impl Slot {
    fn living(&self, now: DateTime<Utc>) -> Option<Cached> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached
            .clone()
            .filter(|cached| now < cached.token.expires_at)
    }

    fn store(&self, cached: Cached) {
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
    }

    /// How long the endpoint wants to be left alone from now, if it does.
    fn silence(&self, now: DateTime<Utc>) -> Option<Duration> {
        let until = *self
            .silent_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (until? - now).to_std().ok().filter(|wait| !wait.is_zero())
    }

    fn keep_silent(&self, now: DateTime<Utc>, wait: Duration) {
        let wait = TimeDelta::from_std(wait.min(LONGEST_SILENCE)).unwrap_or(TimeDelta::zero());
        *self
            .silent_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(now + wait);
    }

    /// Keeps what was fetched; after a failure, serves the old token while it lives.
    fn settle(
        &self,
        audience: &str,
        old: Option<Cached>,
        fetched: Result<FreshToken, EntraError>,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, EntraError> {
        let error = match fetched {
            Ok(fresh) => {
                let refresh_at = now + refresh_after(&fresh);
                let token = fresh.token;
                self.store(Cached {
                    token: token.clone(),
                    refresh_at,
                });
                return Ok(token);
            }
            Err(error) => error,
        };
        if let EntraError::Throttled {
            retry_after: Some(wait),
        } = &error
        {
            self.keep_silent(now, *wait);
        }
        let Some(old) = old.filter(|old| now < old.token.expires_at) else {
            return Err(error);
        };
        let expires_at = old.token.expires_at;
        tracing::warn!(%error, audience, %expires_at, "token not refreshed; the old one is served");
        let token = old.token.clone();
        self.store(Cached {
            refresh_at: now + REFRESH_RETRY,
            ..old
        });
        Ok(token)
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
