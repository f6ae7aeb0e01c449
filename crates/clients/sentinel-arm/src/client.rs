//! Calls of Azure Resource Manager: reading, writing, deleting, lists.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use foretide_domain::SharedClock;
use foretide_entra::TokenSource;
use foretide_http::RetryPolicy;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::config::{ArmConfigError, WorkspaceConfig};
use crate::content::ContentBody;
use crate::error::ArmError;
use crate::operations::OperationPace;
use crate::read::{body_of, message_of, unreadable};

/// Pages of a list that are followed: far more than any workspace has.
const MOST_PAGES: usize = 2_000;
/// Codes of a 404 that speak of something above what was asked for.
const PARENT_MISSING: [&str; 6] = [
    "SubscriptionNotFound",
    "InvalidSubscriptionId",
    "ResourceGroupNotFound",
    "ParentResourceNotFound",
    "WorkspaceNotFound",
    "MissingSubscription",
];

/// What Azure says is left of its token buckets, as of the newest answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Reads of the subscription.
    pub reads: Option<u32>,
    /// Writes of the subscription.
    pub writes: Option<u32>,
    /// Deletions of the subscription.
    pub deletes: Option<u32>,
}

/// Sentinel's control plane of one workspace. Cheap to clone.
#[derive(Clone)]
pub struct ArmClient {
    http: reqwest::Client,
    workspace: Arc<WorkspaceConfig>,
    tokens: Arc<dyn TokenSource>,
    retry: RetryPolicy,
    pace: OperationPace,
    clock: SharedClock,
    allowance: Arc<Mutex<Allowance>>,
}

impl fmt::Debug for ArmClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmClient")
            .field("workspace", &self.workspace)
            .finish_non_exhaustive()
    }
}

/// One resource or collection, and how errors speak of it.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) url: Url,
    pub(crate) what: String,
    pub(crate) role: &'static str,
}

impl ArmClient {
    /// A client of this workspace. Nothing is sent yet.
    ///
    /// # Errors
    /// When a name of the workspace is none.
    pub fn new(
        workspace: WorkspaceConfig,
        http: reqwest::Client,
        tokens: Arc<dyn TokenSource>,
        clock: SharedClock,
    ) -> Result<Self, ArmConfigError> {
        workspace.validate()?;
        Ok(Self {
            http,
            workspace: Arc::new(workspace),
            tokens,
            retry: RetryPolicy::default(),
            pace: OperationPace::default(),
            clock,
            allowance: Arc::default(),
        })
    }

    /// Repeats failed calls as this policy says.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Looks after long-running operations at this pace.
    #[must_use]
    pub fn with_pace(mut self, pace: OperationPace) -> Self {
        self.pace = pace;
        self
    }

    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> &WorkspaceConfig {
        &self.workspace
    }

    /// What was left of Azure's token buckets after the newest answers.
    #[must_use]
    pub fn allowance(&self) -> Allowance {
        *self
            .allowance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    pub(crate) fn pace(&self) -> &OperationPace {
        &self.pace
    }

    /// A resource, or nothing when there is none.
    pub(crate) async fn get(&self, address: &Address) -> Result<Option<Value>, ArmError> {
        let response = self.send(Method::GET, address, None).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return self.absent(address, response).await.map(|()| None);
        }
        let response = self.expect_success(address, response).await?;
        body_of(&address.what, response).await.map(Some)
    }

    /// Writes a resource and gives it as it then is.
    ///
    /// After a conflict the resource is read: when it already is as wanted, the write that conflicts
    /// is our own, whose answer was lost.
    pub(crate) async fn put(
        &self,
        address: &Address,
        body: &ContentBody,
    ) -> Result<Value, ArmError> {
        let response = self.send(Method::PUT, address, Some(body.value())).await?;
        let written = match self.expect_success(address, response).await {
            Ok(response) => self.settled(address, response).await?,
            Err(error @ ArmError::Conflict { .. }) => {
                let current = self.get(address).await?;
                return current
                    .filter(|current| holds(current, body.value()))
                    .ok_or(error);
            }
            Err(error) => return Err(error),
        };
        match written {
            Some(written @ Value::Object(_)) => Ok(written),
            // an empty answer says only that it was taken
            _ => self.existing(address).await,
        }
    }

    /// Deletes a resource; false when there was none.
    pub(crate) async fn delete(&self, address: &Address) -> Result<bool, ArmError> {
        let response = self.send(Method::DELETE, address, None).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(false),
            StatusCode::NOT_FOUND => self.absent(address, response).await.map(|()| false),
            _ => {
                let response = self.expect_success(address, response).await?;
                self.settled(address, response).await?;
                Ok(true)
            }
        }
    }

    /// Every element of a list, along its pages.
    pub(crate) async fn list(&self, address: &Address) -> Result<Vec<Value>, ArmError> {
        let mut items = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(address.url.clone());
        while let Some(url) = next {
            if seen.len() >= MOST_PAGES || !seen.insert(url.clone()) {
                return Err(ArmError::ForeignLink {
                    what: address.what.clone(),
                    reason: "the pages go in a circle",
                });
            }
            let page = Address {
                url,
                ..address.clone()
            };
            let mut body = self.existing(&page).await?;
            let Some(Value::Array(page_items)) = body.get_mut("value").map(Value::take) else {
                return Err(unreadable(&address.what, "value must be a list"));
            };
            items.extend(page_items);
            next = match body.get("nextLink") {
                Some(Value::String(link)) if !link.is_empty() => Some(self.own(&page, link)?),
                _ => None,
            };
        }
        Ok(items)
    }

    /// A resource that must be there.
    pub(crate) async fn existing(&self, address: &Address) -> Result<Value, ArmError> {
        self.get(address).await?.ok_or_else(|| ArmError::NotFound {
            what: address.what.clone(),
        })
    }

    /// A link out of an answer, if it leads where the token may go.
    pub(crate) fn own(&self, address: &Address, link: &str) -> Result<Url, ArmError> {
        let url =
            Url::parse(link).map_err(|_| unreadable(&address.what, "a link is no address"))?;
        if url.origin() == self.workspace.endpoint.origin() {
            return Ok(url);
        }
        Err(ArmError::ForeignLink {
            what: address.what.clone(),
            reason: "it is another host than the configured endpoint",
        })
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        address: &Address,
        body: Option<&Value>,
    ) -> Result<Response, ArmError> {
        let token = self
            .tokens
            .token(&self.workspace.audience)
            .await
            .map_err(ArmError::Token)?;
        let request_id = Uuid::new_v4().to_string();
        let request = || {
            let request = self
                .http
                .request(method.clone(), address.url.clone())
                .bearer_auth(token.secret.expose_secret())
                .header("x-ms-client-request-id", &request_id);
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        let response = foretide_http::send(&self.retry, request)
            .await
            .map_err(|error| ArmError::from_transport(&error))?;
        self.note_allowance(response.headers());
        tracing::debug!(
            %method,
            what = address.what,
            status = response.status().as_u16(),
            request_id,
            correlation_id = header(response.headers(), "x-ms-correlation-request-id"),
            "azure resource manager answered"
        );
        Ok(response)
    }

    fn note_allowance(&self, headers: &HeaderMap) {
        let left = |kind: &str| -> Option<u32> {
            let name = format!("x-ms-ratelimit-remaining-subscription-{kind}");
            header(headers, &name).parse().ok()
        };
        let mut allowance = self
            .allowance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        allowance.reads = left("reads").or(allowance.reads);
        allowance.writes = left("writes").or(allowance.writes);
        allowance.deletes = left("deletes").or(allowance.deletes);
    }

    /// Whether a 404 speaks of the resource itself.
    async fn absent(&self, address: &Address, response: Response) -> Result<(), ArmError> {
        let message = message_of(response).await;
        if PARENT_MISSING.contains(&message.code.as_str()) {
            return Err(ArmError::UnknownWorkspace {
                message: message.text,
            });
        }
        tracing::debug!(what = address.what, message = message.text, "not there");
        Ok(())
    }

    /// The answer, if it is one of success.
    pub(crate) async fn expect_success(
        &self,
        address: &Address,
        response: Response,
    ) -> Result<Response, ArmError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let what = address.what.clone();
        let retry_after = foretide_http::retry_after(response.headers());
        let message = message_of(response).await;
        let parent_missing = PARENT_MISSING.contains(&message.code.as_str());
        let message = message.text;
        Err(match status {
            StatusCode::BAD_REQUEST => ArmError::BadRequest { what, message },
            StatusCode::UNAUTHORIZED => ArmError::Unauthorized { message },
            StatusCode::FORBIDDEN => ArmError::Forbidden {
                what,
                role: address.role,
            },
            StatusCode::NOT_FOUND if parent_missing => ArmError::UnknownWorkspace { message },
            StatusCode::NOT_FOUND => ArmError::NotFound { what },
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {
                ArmError::Conflict { what, message }
            }
            StatusCode::TOO_MANY_REQUESTS => ArmError::Throttled { retry_after },
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                ArmError::Unavailable {
                    reason: format!("HTTP {}: {message}", status.as_u16()),
                }
            }
            status => ArmError::Unexpected {
                what,
                status: status.as_u16(),
                message,
            },
        })
    }
}

pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Whether a resource holds everything that was written. Its etag differs by nature.
fn holds(current: &Value, written: &Value) -> bool {
    match (current, written) {
        (Value::Object(current), Value::Object(written)) => {
            let mut fields = written.iter().filter(|(name, _)| *name != "etag");
            fields.all(|(name, value)| match current.get(name) {
                Some(found) => holds(found, value),
                None => value.is_null(),
            })
        }
        (Value::Array(current), Value::Array(written)) => {
            let pairs = || current.iter().zip(written);
            current.len() == written.len() && pairs().all(|(one, other)| holds(one, other))
        }
        _ => current == written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_holds_what_was_written_whatever_azure_adds() {
        let written = json!({"etag": "a", "properties": {"title": "x", "labels": [{"labelName": "l"}], "owner": null}});
        let current = json!({"etag": "b", "id": "/x", "properties": {"title": "x", "number": 1,
            "labels": [{"labelName": "l", "labelType": "User"}]}});
        assert!(holds(&current, &written));
        let mut other = current.clone();
        other["properties"]["title"] = json!("y");
        assert!(!holds(&other, &written));
        let mut fewer = current;
        fewer["properties"]["labels"] = json!([]);
        assert!(!holds(&fewer, &written));
    }
}
