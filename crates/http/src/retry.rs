//! Which answers are worth another try, and when.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::Rng;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};

/// How often and how patiently a request is repeated.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Wait before the second try; doubles from there, with jitter of up to half.
    pub base: Duration,
    /// Longest single wait. A `Retry-After` beyond it ends the tries: the caller decides.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(250),
            max_wait: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// One try only.
    #[must_use]
    pub fn never() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// The wait after this try (from 1): doubled each time, at most `max_wait`, with jitter.
    #[must_use]
    pub fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self
            .base
            .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        let jitter = rand::rng().random_range(0.5..1.0);
        doubled.min(self.max_wait).mul_f64(jitter)
    }
}

/// Sends the request that `build` makes; repeats it on 408, 429 and 5xx and on failures to connect,
/// honouring `Retry-After`. The last answer is returned as it is, whatever its status.
///
/// # Errors
/// The last transport error, without the URL (which may hold a secret).
pub async fn send(
    policy: &RetryPolicy,
    mut build: impl FnMut() -> RequestBuilder,
) -> Result<Response, reqwest::Error> {
    let mut attempt = 1;
    loop {
        let outcome = build().send().await.map_err(reqwest::Error::without_url);
        let wait = match &outcome {
            _ if attempt >= policy.attempts => None,
            Ok(response) => wait_for(response, policy, attempt),
            Err(error) if error.is_builder() || error.is_redirect() => None,
            Err(_) => Some(policy.backoff(attempt)),
        };
        let Some(wait) = wait else { return outcome };
        tracing::debug!(
            attempt,
            wait_ms = wait.as_millis(),
            "request will be repeated"
        );
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

fn wait_for(response: &Response, policy: &RetryPolicy, attempt: u32) -> Option<Duration> {
    let status = response.status();
    let worth_it = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    if !worth_it {
        return None;
    }
    match retry_after(response.headers()) {
        Some(asked) if asked > policy.max_wait => None,
        Some(asked) => Some(asked),
        None => Some(policy.backoff(attempt)),
    }
}

/// The wait that the `Retry-After` header asks for, in seconds or as an HTTP date. A date is taken
/// relative to the answer's own `Date`, so that clocks that differ do not matter (RFC 9110, 10.2.3).
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let wait = date(headers, &RETRY_AFTER)? - date(headers, &DATE)?;
    Some(wait.to_std().unwrap_or(Duration::ZERO))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<DateTime<Utc>> {
    let text = headers.get(name)?.to_str().ok()?;
    let moment = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some(moment.with_timezone(&Utc))
}
