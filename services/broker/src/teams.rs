//! Notices to a Teams channel.

use std::time::Duration;

use async_trait::async_trait;
use foretide_http::ClientOptions;
use foretide_teams::{TeamsClient, TeamsError, TeamsMessage, WebhookUrl};

use crate::config::TeamsConfig;
use crate::sources::{Messenger, SendError};

/// Tries in all, of a message that was certainly not taken.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A workflow that asks for more patience than this has refused the notice.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Posts through a Workflows webhook.
pub(crate) struct TeamsMessenger {
    client: TeamsClient,
}

impl TeamsMessenger {
    pub(crate) fn new(
        config: &TeamsConfig,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let webhook = WebhookUrl::parse(&config.webhook_url)?;
        let options = ClientOptions {
            timeout: Duration::from_secs(u64::from(config.timeout_seconds)),
            ..ClientOptions::default()
        };
        Ok(Self {
            client: TeamsClient::new(webhook, &options)?,
        })
    }
}

#[async_trait]
impl Messenger for TeamsMessenger {
    async fn send(&self, message: &TeamsMessage) -> Result<String, SendError> {
        let mut attempt = 1;
        loop {
            let error = match self.client.post(message).await {
                Ok(()) => return Ok("accepted by the Teams workflow".to_owned()),
                Err(error) => error,
            };
            let pause = pause_before_repeating(&error, attempt);
            let Some(pause) = pause.filter(|_| attempt < ATTEMPTS) else {
                return Err(SendError(error.to_string()));
            };
            tracing::warn!(%error, attempt, "notice not taken, trying again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

/// Nothing when the message must not be, or is not worth being, sent again.
fn pause_before_repeating(error: &TeamsError, attempt: u32) -> Option<Duration> {
    if !error.is_worth_repeating() {
        return None;
    }
    let asked = match error {
        TeamsError::RateLimited { retry_after } => *retry_after,
        _ => None,
    };
    let pause = asked.unwrap_or(FIRST_PAUSE * 2_u32.pow(attempt - 1));
    (pause <= LONGEST_PAUSE).then_some(pause)
}
