//! Long-running operations.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::client::{Address, ArmClient, header};
use crate::error::ArmError;
use crate::read::{body_of, message_in};

/// How long-running operations are looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationPace {
    /// Wait between two looks when Azure names none.
    pub between: Duration,
    /// Longest wait between two looks, whatever Azure names.
    pub longest_between: Duration,
    /// How long in all.
    pub patience: Duration,
}

impl Default for OperationPace {
    fn default() -> Self {
        Self {
            between: Duration::from_secs(2),
            longest_between: Duration::from_secs(30),
            patience: Duration::from_secs(600),
        }
    }
}

/// Also when Azure says `Retry-After: 0`.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// How an operation is followed.
enum Trail {
    /// A status of its own: `{"status":"InProgress"}`.
    Status(Address),
    /// 202 until done.
    Place(Address),
}

impl ArmClient {
    /// Waits until what an answer has begun is done. Gives the resource if the answer or the
    /// operation holds it.
    pub(crate) async fn settled(
        &self,
        address: &Address,
        response: Response,
    ) -> Result<Option<Value>, ArmError> {
        let Some(trail) = self.trail(address, &response)? else {
            return body_of(&address.what, response).await.map(Some);
        };
        let mut wait = self.asked_wait(&response);
        let mut waited = Duration::ZERO;
        loop {
            if waited + wait > self.pace().patience {
                return Err(ArmError::OperationSlow {
                    what: address.what.clone(),
                    waited_seconds: waited.as_secs(),
                });
            }
            tokio::time::sleep(wait).await;
            waited += wait;
            let (Trail::Status(place) | Trail::Place(place)) = &trail;
            let response = self.send(Method::GET, place, None).await?;
            let response = self.expect_success(place, response).await?;
            wait = self.asked_wait(&response);
            if let Some(outcome) = self.look(&trail, address, response).await? {
                return Ok(outcome);
            }
        }
    }

    /// The outcome, once there is one.
    async fn look(
        &self,
        trail: &Trail,
        address: &Address,
        response: Response,
    ) -> Result<Option<Option<Value>>, ArmError> {
        if let Trail::Place(_) = trail {
            if response.status() == StatusCode::ACCEPTED {
                return Ok(None);
            }
            let body = body_of(&address.what, response).await?;
            return Ok(Some(Some(body)));
        }
        let body = body_of(&address.what, response).await?;
        let status = body["status"].as_str().unwrap_or_default();
        match status.to_ascii_lowercase().as_str() {
            // what the operation made is read where it lies
            "succeeded" => Ok(Some(None)),
            "failed" | "canceled" | "cancelled" => Err(ArmError::OperationFailed {
                what: address.what.clone(),
                message: format!("{status}: {}", message_in(&body).text),
            }),
            _ => Ok(None),
        }
    }

    fn trail(&self, address: &Address, response: &Response) -> Result<Option<Trail>, ArmError> {
        let headers = response.headers();
        let followed = |link: &str| {
            Ok::<_, ArmError>(Address {
                url: self.own(address, link)?,
                ..address.clone()
            })
        };
        let operation = header(headers, "azure-asyncoperation");
        if !operation.is_empty() {
            return Ok(Some(Trail::Status(followed(operation)?)));
        }
        let place = header(headers, "location");
        if response.status() == StatusCode::ACCEPTED && !place.is_empty() {
            return Ok(Some(Trail::Place(followed(place)?)));
        }
        Ok(None)
    }

    fn asked_wait(&self, response: &Response) -> Duration {
        let pace = self.pace();
        foretide_http::retry_after(response.headers())
            .unwrap_or(pace.between)
            .clamp(SHORTEST_WAIT, pace.longest_between.max(SHORTEST_WAIT))
    }
}
