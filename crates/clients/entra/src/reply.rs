//! Replies of token endpoints: Entra ID writes numbers as numbers, IMDS as text.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_http::BodyError;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::cache::FreshToken;
use crate::{AccessToken, EntraError};

/// Far more than any token or error body holds.
const LARGEST_BODY: usize = 256 * 1024;
/// Longest life that is believed: a wild number must not overflow a date.
const LONGEST_LIFE_SECONDS: u64 = 7 * 24 * 3_600;

pub(crate) async fn read_limited(response: reqwest::Response) -> Result<Vec<u8>, EntraError> {
    foretide_http::read_body(response, LARGEST_BODY)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge { limit } => EntraError::Malformed {
                reason: format!("it is larger than {limit} bytes"),
            },
            BodyError::Broken(_) => EntraError::Unavailable {
                reason: "the connection broke".to_owned(),
            },
        })
}

pub(crate) fn unavailable(error: &reqwest::Error) -> EntraError {
    EntraError::Unavailable {
        reason: foretide_http::transport_reason(error).to_owned(),
    }
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
    #[serde(default, deserialize_with = "optional_number_or_text")]
    expires_in: Option<u64>,
    /// Seconds since 1970: only read where the life is not given, as it needs a true clock here.
    #[serde(default, deserialize_with = "optional_number_or_text")]
    expires_on: Option<u64>,
    #[serde(default, deserialize_with = "optional_number_or_text")]
    refresh_in: Option<u64>,
}

/// Reads a token; its life counts from `answered_at`, by our clock, so that a clock that is wrong
/// does not matter.
pub(crate) fn read_token(
    body: &[u8],
    answered_at: DateTime<Utc>,
) -> Result<FreshToken, EntraError> {
    let malformed = |reason: String| EntraError::Malformed { reason };
    let body: TokenBody = serde_json::from_slice(body)
        .map_err(|error| malformed(format!("line {}, column {}", error.line(), error.column())))?;
    if body.access_token.is_empty() {
        return Err(malformed("access_token is empty".to_owned()));
    }
    if !body
        .access_token
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        let reason = "access_token holds characters that no token has";
        return Err(malformed(reason.to_owned()));
    }
    let until_expires_on = |moment: u64| {
        let now = u64::try_from(answered_at.timestamp()).unwrap_or_default();
        moment.saturating_sub(now)
    };
    let seconds = body
        .expires_in
        .or(body.expires_on.map(until_expires_on))
        .ok_or_else(|| malformed("neither expires_in nor expires_on is given".to_owned()))?
        .min(LONGEST_LIFE_SECONDS);
    if seconds == 0 {
        return Err(malformed("the token has expired already".to_owned()));
    }
    Ok(FreshToken {
        token: AccessToken {
            secret: SecretString::from(body.access_token),
            expires_at: answered_at + TimeDelta::seconds(seconds.cast_signed()),
        },
        expires_in: Duration::from_secs(seconds),
        refresh_in: body.refresh_in.map(Duration::from_secs),
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

fn optional_number_or_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    use serde::de::Error;
    match Option::<NumberOrText>::deserialize(deserializer)? {
        None => Ok(None),
        Some(NumberOrText::Number(number)) => Ok(Some(number)),
        Some(NumberOrText::Text(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| D::Error::custom("must be whole seconds")),
    }
}
