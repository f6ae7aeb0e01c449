//! One query, one answer.

use std::fmt;
use std::sync::Arc;

use foretide_domain::SharedClock;
use foretide_entra::TokenSource;
use foretide_http::{BodyError, RetryPolicy};
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use crate::answer::{clip, innermost_message};
use crate::{AnswerError, QueryError, Table, parse_answer};

/// Largest answer that is read, bytes. The service itself stops at about 100 MB.
pub const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Seconds that the service may work on a query.
const PREFER: &str = "wait=180";

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
    tokens: Arc<dyn TokenSource>,
    retry: RetryPolicy,
    clock: SharedClock,
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
        clock: SharedClock,
    ) -> Result<Self, QueryError> {
        let unknown = || QueryError::UnknownWorkspace {
            workspace: clip(&workspace.workspace_id),
        };
        let mut address = workspace.endpoint.clone();
        address
            .path_segments_mut()
            .map_err(|()| unknown())?
            .pop_if_empty()
            .extend(["v1", "workspaces", &workspace.workspace_id, "query"]);
        Ok(Self {
            http,
            workspace,
            address,
            tokens,
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

    /// Runs a query and gives all its rows, or an error.
    ///
    /// # Errors
    /// See [`QueryError`]; [`QueryError::asks_for_less`] tells when a shorter time may help.
    pub async fn query(&self, kql: &str) -> Result<Table, QueryError> {
        let token = self
            .tokens
            .token(&self.workspace.audience)
            .await
            .map_err(QueryError::Token)?;
        let body = json!({ "query": kql });
        let request = || {
            self.http
                .post(self.address.clone())
                .bearer_auth(token.secret.expose_secret())
                .header("Prefer", PREFER)
                .json(&body)
        };
        let response = foretide_http::send(&self.retry, request)
            .await
            .map_err(|error| QueryError::Unavailable {
                reason: clip(&error.to_string()),
            })?;
        match response.status() {
            StatusCode::OK => read_table(response).await,
            // a workspace that has never had any data
            StatusCode::NO_CONTENT => Ok(Table {
                columns: Vec::new(),
                rows: Vec::new(),
            }),
            _ => Err(self.refusal(response).await),
        }
    }

    async fn refusal(&self, response: Response) -> QueryError {
        let status = response.status();
        let retry_after = foretide_http::retry_after(response.headers(), self.clock.now());
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
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                QueryError::Unavailable {
                    reason: format!("HTTP {}", status.as_u16()),
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

async fn read_table(response: Response) -> Result<Table, QueryError> {
    let body = foretide_http::read_body(response, MAX_ANSWER_BYTES)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge { .. } => QueryError::TooLarge {
                message: error.to_string(),
            },
            BodyError::Broken(_) => QueryError::Unavailable {
                reason: error.to_string(),
            },
        })?;
    parse_answer(&body).map_err(|error| match error {
        AnswerError::Partial(message) => QueryError::Partial { message },
        error => QueryError::Unreadable(error),
    })
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
