//! The HTTP Data Collector API, past its end of support since 2026-09-14: for workspaces that have
//! nothing else.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use foretide_domain::SharedClock;
use foretide_http::RetryPolicy;
use hmac::{Hmac, Mac};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use url::Url;

use crate::upload::upload_chunks;
use crate::{ChunkOutcome, ConfigError, UploadError};

/// Largest body of one call, bytes: the service takes 30 MB, rows here are small and a lost answer
/// should double few of them.
const MAX_CALL_BYTES: usize = 4 * 1024 * 1024;
const RESOURCE: &str = "/api/logs";
const JSON: &str = "application/json";
/// Longest name of a log type.
const LONGEST_LOG_TYPE: usize = 100;

/// A workspace that is written to with its shared key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCollectorConfig {
    /// The workspace's GUID.
    pub workspace_id: String,
    /// The workspace's key, base64.
    pub shared_key: SecretString,
    /// Address; `https://<workspace_id>.ods.opinsights.azure.com` when left out.
    #[serde(default)]
    pub endpoint: Option<Url>,
}

/// Writes rows with the workspace's shared key.
///
/// The service adds a suffix of the type to every column (`Predicted_d`): tables made this way are read
/// by other names than those made by a data collection rule.
#[derive(Clone)]
pub struct DataCollectorClient {
    http: reqwest::Client,
    workspace_id: String,
    address: Url,
    key: SigningKey,
    retry: RetryPolicy,
    clock: SharedClock,
}

#[derive(Clone)]
struct SigningKey(Hmac<Sha256>);

impl fmt::Debug for DataCollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataCollectorClient")
            .field("workspace_id", &self.workspace_id)
            .field("address", &self.address.as_str())
            .finish_non_exhaustive()
    }
}

impl DataCollectorConfig {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// When the id is no GUID, the key no base64, or the endpoint no base address.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.parts().map(|_| ())
    }

    fn parts(&self) -> Result<(SigningKey, Url), ConfigError> {
        let is_guid = self.workspace_id.len() == 36
            && self
                .workspace_id
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if !is_guid {
            let got = self.workspace_id.clone();
            return Err(ConfigError::WorkspaceId { got });
        }
        let key = STANDARD.decode(self.shared_key.expose_secret());
        let key = key.ok().filter(|key| !key.is_empty());
        let key = Hmac::new_from_slice(&key.ok_or(ConfigError::SharedKey)?)
            .map_err(|_| ConfigError::SharedKey)?;
        let address = address(&self.workspace_id, self.endpoint.clone())?;
        Ok((SigningKey(key), address))
    }
}

impl DataCollectorClient {
    /// A client of this workspace. Nothing is sent yet.
    ///
    /// # Errors
    /// When the id is no GUID, the key no base64, or the endpoint no base address.
    pub fn new(
        config: DataCollectorConfig,
        http: reqwest::Client,
        clock: SharedClock,
    ) -> Result<Self, ConfigError> {
        let (key, address) = config.parts()?;
        Ok(Self {
            http,
            workspace_id: config.workspace_id,
            address,
            key,
            retry: RetryPolicy::default(),
            clock,
        })
    }

    /// Repeats failed calls as this policy says.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sends the rows to the table that the stream names (`Custom-X_CL` is the log type `X`) and says for
    /// every chunk what became of it.
    pub async fn upload(&self, stream: &str, rows: &[Value]) -> Vec<ChunkOutcome> {
        let send = |body| self.send(stream, Bytes::from(body));
        upload_chunks(rows, MAX_CALL_BYTES, send).await
    }

    async fn send(&self, stream: &str, body: Bytes) -> Result<(), UploadError> {
        let log_type = log_type(stream)?;
        let request = || {
            let date = http_date(self.clock.now());
            let signature = self.key.sign(body.len(), &date);
            let authorization = format!("SharedKey {}:{signature}", self.workspace_id);
            self.http
                .post(self.address.clone())
                .header(AUTHORIZATION, authorization)
                .header(CONTENT_TYPE, JSON)
                .header("Log-Type", log_type)
                .header("x-ms-date", date)
                .header("time-generated-field", "TimeGenerated")
                .body(body.clone())
        };
        let response = foretide_http::send(&self.retry, request)
            .await
            .map_err(|error| UploadError::from_transport(&error))?;
        if response.status() == StatusCode::OK {
            return Ok(());
        }
        Err(self.refusal(stream, response).await)
    }

    async fn refusal(&self, stream: &str, response: Response) -> UploadError {
        let status = response.status();
        let retry_after = foretide_http::retry_after(response.headers());
        let message = reason(response).await;
        match status {
            // a closed or unknown workspace concerns every row, whatever is in it
            StatusCode::BAD_REQUEST
                if message.contains("InactiveCustomer")
                    || message.contains("InvalidCustomerId") =>
            {
                UploadError::Unauthorized { message }
            }
            StatusCode::BAD_REQUEST => UploadError::BadPayload {
                stream: stream.to_owned(),
                message,
            },
            StatusCode::FORBIDDEN => UploadError::Unauthorized { message },
            StatusCode::PAYLOAD_TOO_LARGE => UploadError::TooLarge,
            StatusCode::TOO_MANY_REQUESTS => UploadError::Throttled { retry_after },
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                UploadError::Unavailable {
                    reason: format!("HTTP {}", status.as_u16()),
                }
            }
            status => UploadError::Unexpected {
                status: status.as_u16(),
                message,
            },
        }
    }
}

impl SigningKey {
    /// Base64 of the HMAC-SHA256 of what the service also sees.
    fn sign(&self, content_length: usize, date: &str) -> String {
        let message = format!("POST\n{content_length}\n{JSON}\nx-ms-date:{date}\n{RESOURCE}");
        let mac = self.0.clone().chain_update(message.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

fn address(workspace_id: &str, endpoint: Option<Url>) -> Result<Url, ConfigError> {
    let endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None => Url::parse(&format!("https://{workspace_id}.ods.opinsights.azure.com"))
            .expect("a GUID is a part of a host name"),
    };
    let refused = ConfigError::Endpoint {
        got: endpoint.to_string(),
    };
    let mut address = endpoint;
    match address.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(["api", "logs"]),
        Err(()) => return Err(refused),
    };
    address
        .query_pairs_mut()
        .append_pair("api-version", "2016-04-01");
    Ok(address)
}

/// What a refusal says: `{"Error": code, "Message": words}`.
async fn reason(response: Response) -> String {
    const LARGEST_ERROR_BODY: usize = 64 * 1024;
    let body = foretide_http::read_body(response, LARGEST_ERROR_BODY)
        .await
        .unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let words = ["Error", "Message"].map(|name| body[name].as_str().unwrap_or_default());
    let text = match words {
        ["", ""] => "no reason given".to_owned(),
        [code, ""] => code.to_owned(),
        [code, message] => format!("{code}: {message}"),
    };
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The service appends `_CL` itself.
fn log_type(stream: &str) -> Result<&str, UploadError> {
    let name = stream.strip_prefix("Custom-").unwrap_or(stream);
    let name = name.strip_suffix("_CL").unwrap_or(name);
    let is_good = (1..=LONGEST_LOG_TYPE).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_good {
        return Ok(name);
    }
    Err(UploadError::BadPayload {
        stream: stream.to_owned(),
        message: "a log type has letters, digits and '_', at most 100".to_owned(),
    })
}

/// RFC 1123, as HTTP wants it.
fn http_date(moment: DateTime<Utc>) -> String {
    moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_the_documentation_describes() {
        // computed with openssl dgst -sha256 -hmac over the documented string
        let key = Hmac::new_from_slice(b"0123456789abcdef").unwrap();
        let signature = SigningKey(key).sign(42, "Mon, 23 Nov 2026 10:00:00 GMT");
        assert_eq!(signature, "J2VfulwqI841yWcZDuRTZAytPi5HkzBkp2dOVvqMYnU=");
    }

    #[test]
    fn a_stream_names_a_log_type() {
        assert_eq!(
            log_type("Custom-PredictiveAlerting_CL").unwrap(),
            "PredictiveAlerting"
        );
        assert_eq!(log_type("AI_Governance_CL").unwrap(), "AI_Governance");
        log_type("Custom-a-b_CL").unwrap_err();
        log_type("Custom-_CL").unwrap_err();
    }

    #[test]
    fn dates_are_those_of_http() {
        let moment = "2026-11-03T09:05:07Z".parse().unwrap();
        assert_eq!(http_date(moment), "Tue, 03 Nov 2026 09:05:07 GMT");
    }
}
