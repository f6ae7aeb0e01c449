#![doc = include_str!("../README.md")]

mod chunks;
mod data_collector;
mod error;
mod moment;
mod probe;
mod sink;
mod tombstone;
mod upload;

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use foretide_entra::TokenSource;
use foretide_http::RetryPolicy;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

pub use data_collector::{DataCollectorClient, DataCollectorConfig};
pub use error::{ConfigError, UploadError};
pub use moment::{ISSUED_AT, TIME_GENERATED, TimelyRows, azure_time};
pub use probe::{ProbePace, RowFinder};
pub use sink::{RowSink, table_of};
pub use tombstone::{IDEMPOTENCY_KEY, WITHDRAWN, tombstone};
pub use upload::ChunkOutcome;
use upload::upload_chunks;

/// Largest body of one call before compression, bytes.
pub const MAX_CHUNK_BYTES: usize = 1024 * 1024;

/// The data collection rule that takes the rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Logs ingestion endpoint of the rule, or of its data collection endpoint.
    pub endpoint: Url,
    /// Immutable id of the rule: `dcr-` and 32 hexadecimal digits.
    pub dcr_immutable_id: String,
    /// Audience of the token; of another cloud, another one.
    #[serde(default = "public_cloud_audience")]
    pub audience: String,
}

impl RuleConfig {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// When the endpoint is no base address or the rule id does not look like one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.endpoint.cannot_be_a_base() {
            let got = self.endpoint.to_string();
            return Err(ConfigError::Endpoint { got });
        }
        if !is_rule_id(&self.dcr_immutable_id) {
            let got = self.dcr_immutable_id.clone();
            return Err(ConfigError::RuleId { got });
        }
        Ok(())
    }
}

/// Audience of the public cloud.
pub const PUBLIC_CLOUD_AUDIENCE: &str = "https://monitor.azure.com";

fn public_cloud_audience() -> String {
    PUBLIC_CLOUD_AUDIENCE.to_owned()
}

/// Writes rows through one data collection rule.
#[derive(Clone)]
pub struct LogsIngestionClient {
    http: reqwest::Client,
    rule: RuleConfig,
    tokens: Arc<dyn TokenSource>,
    retry: RetryPolicy,
}

impl fmt::Debug for LogsIngestionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogsIngestionClient")
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

impl LogsIngestionClient {
    /// A client of this rule. Nothing is sent yet.
    ///
    /// # Errors
    /// When the endpoint is no base address or the rule id does not look like one.
    pub fn new(
        rule: RuleConfig,
        http: reqwest::Client,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Self, ConfigError> {
        rule.validate()?;
        Ok(Self {
            http,
            rule,
            tokens,
            retry: RetryPolicy::default(),
        })
    }

    /// Repeats failed calls as this policy says.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sends the rows to the stream and says for every chunk what became of it, in the order of the
    /// rows. Every row is in exactly one outcome.
    pub async fn upload(&self, stream: &str, rows: &[Value]) -> Vec<ChunkOutcome> {
        upload_chunks(rows, MAX_CHUNK_BYTES, |body| self.send(stream, body)).await
    }

    async fn send(&self, stream: &str, body: Vec<u8>) -> Result<(), UploadError> {
        let token = self
            .tokens
            .token(&self.rule.audience)
            .await
            .map_err(UploadError::Token)?;
        let url = self.address(stream);
        let compressed = compress(&body);
        let request = || {
            self.http
                .post(url.clone())
                .bearer_auth(token.secret.expose_secret())
                .header(CONTENT_TYPE, "application/json")
                .header(CONTENT_ENCODING, "gzip")
                .body(compressed.clone())
        };
        let response = foretide_http::send(&self.retry, request)
            .await
            .map_err(|error| UploadError::from_transport(&error))?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        Err(self.refusal(stream, response).await)
    }

    fn address(&self, stream: &str) -> Url {
        let mut url = self.rule.endpoint.clone();
        url.path_segments_mut()
            .expect("checked in new: the endpoint is a base")
            .pop_if_empty()
            .extend([
                "dataCollectionRules",
                &self.rule.dcr_immutable_id,
                "streams",
                stream,
            ]);
        url.query_pairs_mut()
            .append_pair("api-version", "2023-01-01");
        url
    }

    async fn refusal(&self, stream: &str, response: Response) -> UploadError {
        let status = response.status();
        let retry_after = foretide_http::retry_after(response.headers());
        let message = error_message(response).await;
        match status {
            StatusCode::BAD_REQUEST => UploadError::BadPayload {
                stream: stream.to_owned(),
                message,
            },
            StatusCode::UNAUTHORIZED => UploadError::Unauthorized { message },
            StatusCode::FORBIDDEN => UploadError::Forbidden {
                rule: self.rule.dcr_immutable_id.clone(),
            },
            StatusCode::NOT_FOUND => UploadError::UnknownRule {
                rule: self.rule.dcr_immutable_id.clone(),
            },
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

fn is_rule_id(id: &str) -> bool {
    id.strip_prefix("dcr-")
        .is_some_and(|hex| hex.len() == 32 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

fn compress(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::default());
    encoder.write_all(body).expect("writing to memory");
    Bytes::from(encoder.finish().expect("writing to memory"))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorDetail {
    code: String,
    message: String,
}

/// `code: message` of an error body, shortened; the header's code when the body says nothing.
async fn error_message(response: Response) -> String {
    const LARGEST_ERROR_BODY: usize = 64 * 1024;
    let header = response.headers().get("x-ms-error-code");
    let header = header
        .and_then(|code| code.to_str().ok())
        .unwrap_or("no reason given")
        .to_owned();
    let body = foretide_http::read_body(response, LARGEST_ERROR_BODY)
        .await
        .unwrap_or_default();
    let ErrorBody { error } = serde_json::from_slice(&body).unwrap_or_default();
    let text = match (error.code.is_empty(), error.message.is_empty()) {
        (true, true) => header,
        (false, true) => error.code,
        (true, false) => error.message,
        (false, false) => format!("{}: {}", error.code, error.message),
    };
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
