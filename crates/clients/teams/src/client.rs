//! Posting.

use foretide_http::{ClientError, ClientOptions};
use reqwest::header::CONTENT_TYPE;

use crate::error::TeamsError;
use crate::message::TeamsMessage;
use crate::webhook::WebhookUrl;

/// Posts messages to one channel.
#[derive(Debug, Clone)]
pub struct TeamsClient {
    http: reqwest::Client,
    webhook: WebhookUrl,
}

impl TeamsClient {
    /// A client of a webhook.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn new(webhook: WebhookUrl, options: &ClientOptions) -> Result<Self, ClientError> {
        Ok(Self {
            http: foretide_http::client(options)?,
            webhook,
        })
    }

    /// Posts a message, once: a notice is not repeated behind the caller's back, since a workflow
    /// cannot tell a repetition from a second notice. Success means accepted by the workflow.
    ///
    /// # Errors
    /// By status; see [`TeamsError::is_worth_repeating`].
    pub async fn post(&self, message: &TeamsMessage) -> Result<(), TeamsError> {
        let request = self
            .http
            .post(self.webhook.expose())
            .header(CONTENT_TYPE, "application/json")
            .body(message.as_json().to_owned());
        let response = request.send().await.map_err(|error| {
            let error = error.without_url();
            if error.is_connect() {
                TeamsError::Unreachable(error)
            } else {
                TeamsError::NoAnswer(error)
            }
        })?;
        let status = response.status();
        match status.as_u16() {
            200 | 202 => Ok(()),
            400 => Err(TeamsError::Refused),
            code @ (401 | 403) => Err(TeamsError::Unauthorized(code)),
            code @ (404 | 410) => Err(TeamsError::Gone(code)),
            413 => Err(TeamsError::TooLarge),
            429 => Err(TeamsError::RateLimited {
                retry_after: foretide_http::retry_after(response.headers()),
            }),
            code if code == 408 || status.is_server_error() => Err(TeamsError::Unavailable(code)),
            code => Err(TeamsError::Unexpected(code)),
        }
    }
}
