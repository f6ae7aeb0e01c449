//! One query, one answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use foretide_domain::TimeSpan;
use foretide_entra::TokenSource;
use foretide_http::{BodyError, RetryPolicy};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::answer::{clip, innermost_message};
use crate::{Answer, AnswerError, QueryError, QueryLimits, Statistics, Table, parse_answer};

/// Largest answer that is read, bytes. The service itself stops at about 100 MB.
pub const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Most rows of an answer, by the service's limits.
const MAX_ROWS: usize = 500_000;
/// Longest that the service works on a query.
pub const MAX_WAIT: Duration = Duration::from_secs(600);
/// Time for the answer to travel, beside the work on it.
const TRANSPORT: Duration = Duration::from_secs(20);

/// How long is waited for an answer, and how often it is asked for.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Time the service may work on a query, at most [`MAX_WAIT`].
    pub work: Duration,
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Wait before the second try; doubles from there, with jitter of up to half.
    pub base: Duration,
    /// Longest single wait. A `Retry-After` beyond it ends the tries.
    pub longest: Duration,
}

impl Default for Patience {
    /// Three minutes of work, as the service has it by default; waits as long as its own queue.
    fn default() -> Self {
        Self {
            work: Duration::from_secs(180),
            attempts: 6,
            base: Duration::from_millis(500),
            longest: Duration::from_secs(180),
        }
    }
}

impl Patience {
    fn wait_seconds(&self) -> u64 {
        self.work.min(MAX_WAIT).as_secs().max(1)
    }

    fn wait(&self, error: &QueryError, attempt: u32) -> Option<Duration> {
        let backoff = RetryPolicy {
            attempts: self.attempts,
            base: self.base,
            max_wait: self.longest,
        };
        match error {
            QueryError::Throttled { retry_after } | QueryError::Unavailable { retry_after, .. } => {
                match retry_after {
                    Some(asked) => (*asked <= self.longest).then_some(*asked),
                    None => Some(backoff.backoff(attempt)),
                }
            }
            _ => None,
        }
    }
}

/// The workspace that is queried.
#[derive(Debug, Clone)]
pub struct WorkspaceConfig {
    /// Address of the API, `https://api.loganalytics.azure.com`.
    pub endpoint: Url,
    /// The workspace's GUID.
    pub workspace_id: String,
    /// Audience of the token, `https://api.loganalytics.io`.
    pub audience: String,
}

/// Queries one workspace. Cheap to clone.
#[derive(Clone)]
pub struct QueryClient {
    http: reqwest::Client,
    workspace: WorkspaceConfig,
    address: Url,
    search_address: Url,
    tokens: Arc<dyn TokenSource>,
    patience: Patience,
    limits: QueryLimits,
}

impl fmt::Debug for QueryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryClient")
            .field("workspace", &self.workspace)
            .finish_non_exhaustive()
    }
}

impl QueryClient {
    /// A client of this workspace. Nothing is sent yet.
    ///
    /// # Errors
    /// [`QueryError::UnknownWorkspace`] when the endpoint and the id make no address.
    pub fn new(
        workspace: WorkspaceConfig,
        http: reqwest::Client,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Self, QueryError> {
        let unknown = || QueryError::UnknownWorkspace {
            workspace: clip(&workspace.workspace_id),
        };
        let address = |last| {
            let mut address = workspace.endpoint.clone();
            address
                .path_segments_mut()
                .map_err(|()| unknown())?
                .pop_if_empty()
                .extend(["v1", "workspaces", &workspace.workspace_id, last]);
            Ok(address)
        };
        let (address, search_address) = (address("query")?, address("search")?);
        Ok(Self {
            http,
            workspace,
            address,
            search_address,
            tokens,
            patience: Patience::default(),
            limits: QueryLimits::default(),
        })
    }

    /// Is as patient as this.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Keeps within these limits, which all clients of the same identity share.
    #[must_use]
    pub fn with_limits(mut self, limits: QueryLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs a query and gives all its rows, or an error. 429 and most 5xx are waited for and tried
    /// again, as long as `Retry-After` says or with growing, jittered waits; a time-out is not, since
    /// the same query would run into it again.
    ///
    /// # Errors
    /// See [`QueryError`]; [`QueryError::asks_for_less`] tells when a shorter time may help.
    pub async fn query(&self, kql: &str) -> Result<Answer, QueryError> {
        let _running = self.limits.start().await;
        let body = json!({ "query": kql });
        self.ask(&self.address, &body).await
    }

    /// As [`QueryClient::query`], of a table on the basic or auxiliary plan, which is asked by an API
    /// of its own: one table a query, two queries at once, and only rows whose `TimeGenerated` lies in
    /// the span (without one the service looks at eight days).
    ///
    /// # Errors
    /// As [`QueryClient::query`].
    pub async fn search(&self, kql: &str, span: TimeSpan) -> Result<Answer, QueryError> {
        let _running = self.limits.start_search().await;
        let written = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
        let timespan = format!("{}/{}", written(span.start), written(span.end));
        let body = json!({ "query": kql, "timespan": timespan });
        self.ask(&self.search_address, &body).await
    }

    async fn ask(&self, address: &Url, body: &Value) -> Result<Answer, QueryError> {
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(address, body).await;
            let wait = match &outcome {
                Err(error) if attempt < self.patience.attempts => {
                    self.patience.wait(error, attempt)
                }
                _ => None,
            };
            let Some(wait) = wait else { return outcome };
            tracing::debug!(attempt, wait_ms = wait.as_millis(), "the query is repeated");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// One try, with a second token when the first has ended meanwhile.
    async fn attempt(&self, address: &Url, body: &Value) -> Result<Answer, QueryError> {
        let token = self.token().await?;
        match self.send(address, body, &token).await {
            Err(refused @ QueryError::Unauthorized { .. }) => {
                let fresh = self.token().await?;
                if fresh.expose_secret() == token.expose_secret() {
                    return Err(refused);
                }
                self.send(address, body, &fresh).await
            }
            outcome => outcome,
        }
    }

    async fn token(&self) -> Result<SecretString, QueryError> {
        let token = self.tokens.token(&self.workspace.audience).await;
        Ok(token.map_err(QueryError::Token)?.secret)
    }

    async fn send(
        &self,
        address: &Url,
        body: &Value,
        token: &SecretString,
    ) -> Result<Answer, QueryError> {
        let wait = self.patience.wait_seconds();
        let response = self
            .http
            .post(address.clone())
            .bearer_auth(token.expose_secret())
            .header("Prefer", format!("wait={wait}, include-statistics=true"))
            .header("x-ms-client-request-id", Uuid::new_v4().to_string())
            .timeout(Duration::from_secs(wait) + TRANSPORT)
            .json(body)
            .send()
            .await
            .map_err(lost)?;
        let id = response.headers().get("x-ms-request-id");
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
        tracing::debug!(status = response.status().as_u16(), request_id = %clip(id), "query answered");
        match response.status() {
            StatusCode::OK => read_answer(response).await,
            // a workspace that has never had any data
            StatusCode::NO_CONTENT => Ok(Answer {
                table: Table {
                    columns: Vec::new(),
                    rows: Vec::new(),
                },
                statistics: Statistics::default(),
            }),
            _ => Err(self.refusal(response).await),
        }
    }

    async fn refusal(&self, response: Response) -> QueryError {
        let status = response.status();
        let retry_after = foretide_http::retry_after(response.headers());
        let message = error_message(response).await;
        match status {
            StatusCode::BAD_REQUEST if is_size_limit(&message) => QueryError::TooLarge { message },
            StatusCode::BAD_REQUEST => QueryError::BadQuery { message },
            StatusCode::UNAUTHORIZED => QueryError::Unauthorized { message },
            StatusCode::FORBIDDEN => QueryError::Forbidden { message },
            StatusCode::NOT_FOUND => QueryError::UnknownWorkspace {
                workspace: clip(&self.workspace.workspace_id),
            },
            StatusCode::PAYLOAD_TOO_LARGE => QueryError::TooLarge { message },
            StatusCode::TOO_MANY_REQUESTS => QueryError::Throttled { retry_after },
            StatusCode::GATEWAY_TIMEOUT => QueryError::Timeout,
            status
                if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
                    || status == StatusCode::REQUEST_TIMEOUT =>
            {
                QueryError::Unavailable {
                    reason: format!("HTTP {}", status.as_u16()),
                    retry_after,
                }
            }
            status => QueryError::Unexpected {
                status: status.as_u16(),
                message,
            },
        }
    }
}

fn is_size_limit(message: &str) -> bool {
    [
        "ResponseSizeError",
        "ResponsePayloadTooLarge",
        "exceed the set limit",
    ]
    .iter()
    .any(|mark| message.contains(mark))
}

/// What has become of a request without an answer.
fn lost(error: reqwest::Error) -> QueryError {
    if error.is_timeout() && !error.is_connect() {
        return QueryError::Timeout;
    }
    QueryError::Unavailable {
        reason: clip(&error.without_url().to_string()),
        retry_after: None,
    }
}

async fn read_answer(response: Response) -> Result<Answer, QueryError> {
    let body = foretide_http::read_body(response, MAX_ANSWER_BYTES)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge { .. } => QueryError::TooLarge {
                message: error.to_string(),
            },
            BodyError::Broken(_) => QueryError::Unavailable {
                reason: error.to_string(),
                retry_after: None,
            },
        })?;
    let answer = parse_answer(&body).map_err(|error| match error {
        AnswerError::Partial(message) => QueryError::Partial { message },
        error => QueryError::Unreadable(error),
    })?;
    // an answer that is full to the brim may have been cut without a word
    if answer.table.rows.len() >= MAX_ROWS {
        return Err(QueryError::TooLarge {
            message: format!("{MAX_ROWS} rows, the most there can be"),
        });
    }
    Ok(answer)
}

async fn error_message(response: Response) -> String {
    let body = foretide_http::read_body(response, MAX_ERROR_BYTES)
        .await
        .unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = body.get("error").map(innermost_message).unwrap_or_default();
    if message.is_empty() {
        "no reason given".to_owned()
    } else {
        message
    }
}
