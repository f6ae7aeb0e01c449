//! A message that a Workflows webhook takes.

use serde_json::{Value, json};

/// Largest message Teams takes, bytes.
pub const LARGEST_MESSAGE: usize = 28 * 1024;
const CARD_CONTENT: &str = "application/vnd.microsoft.card.adaptive";

/// One message with one Adaptive Card, checked for shape and size. What is approved is this text,
/// and this text is what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamsMessage(String);

/// A message that Teams would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not JSON.
    #[error("the Teams message is not JSON: {0}")]
    NotJson(String),
    /// JSON of another shape.
    #[error("the Teams message must have {0}")]
    Shape(&'static str),
    /// More than Teams takes.
    #[error("the Teams message has {bytes} bytes; Teams takes at most {LARGEST_MESSAGE}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl TeamsMessage {
    /// Wraps a card.
    ///
    /// # Errors
    /// When the message would be too large.
    pub(crate) fn with_card(card: &Value) -> Result<Self, MessageError> {
        let message = json!({
            "type": "message",
            "attachments": [{ "contentType": CARD_CONTENT, "contentUrl": null, "content": card }],
        });
        Self::checked(message.to_string())
    }

    /// Reads a message that was written before, e.g. the payload of a proposal.
    ///
    /// # Errors
    /// When it is not a message with one Adaptive Card, or too large.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| MessageError::NotJson(error.to_string()))?;
        if value["type"] != "message" {
            return Err(MessageError::Shape("type \"message\""));
        }
        let Some([attachment]) = value["attachments"].as_array().map(Vec::as_slice) else {
            return Err(MessageError::Shape("exactly one attachment"));
        };
        if attachment["contentType"] != CARD_CONTENT
            || attachment["content"]["type"] != "AdaptiveCard"
        {
            return Err(MessageError::Shape("an Adaptive Card as its attachment"));
        }
        Self::checked(text.to_owned())
    }

    fn checked(text: String) -> Result<Self, MessageError> {
        if text.len() > LARGEST_MESSAGE {
            return Err(MessageError::TooLarge { bytes: text.len() });
        }
        Ok(Self(text))
    }

    /// The JSON text that is sent.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}
