//! The wire of withdrawals.

use std::sync::Arc;

use foretide_api::writeback::v1 as wire;
use foretide_api::writeback::v1::withdrawal_service_server::WithdrawalService;
use foretide_api::{FieldError, into_status, text, timestamp, use_case_id, uuid_field};
use foretide_domain::{ForecastId, Role, SharedClock, UseCaseId};
use foretide_outbox::Courier;
use foretide_service_runtime::require;
use tonic::{Request, Response, Status};

use crate::error::ScoreError;
use crate::storage::{Store, Withdrawal};
use crate::write_back::WriteBack;

const LONGEST_REASON: usize = 500;

/// Takes forecasts back.
pub(crate) struct WithdrawalGrpc {
    pub(crate) store: Store,
    pub(crate) write_back: Arc<WriteBack>,
    pub(crate) audit: Courier,
    pub(crate) clock: SharedClock,
}

/// Which forecast, and why.
struct Asked {
    use_case: UseCaseId,
    forecast: ForecastId,
    reason: String,
}

fn asked(request: wire::WithdrawForecastRequest) -> Result<Asked, FieldError> {
    let wire::WithdrawForecastRequest {
        use_case,
        forecast_id,
        reason,
    } = request;
    let reason = text("reason", &reason, LONGEST_REASON)?;
    if reason.trim().is_empty() {
        return Err(FieldError::new("reason", "must say why"));
    }
    Ok(Asked {
        use_case: use_case_id("use_case", &use_case)?,
        forecast: uuid_field("forecast_id", &forecast_id)?,
        reason,
    })
}

#[tonic::async_trait]
impl WithdrawalService for WithdrawalGrpc {
    async fn withdraw_forecast(
        &self,
        request: Request<wire::WithdrawForecastRequest>,
    ) -> Result<Response<wire::WithdrawForecastResponse>, Status> {
        let caller = require(&request, Role::Operator)?;
        let asked = asked(request.into_inner()).map_err(into_status)?;
        let id = asked.forecast;
        let kept = self
            .withdraw(asked, caller.name)
            .await
            .map_err(into_status)?;
        Ok(Response::new(wire::WithdrawForecastResponse {
            forecast_id: id.to_string(),
            withdrawn_at: timestamp(kept.at),
            withdrawn_by: kept.by,
            reason: kept.reason,
        }))
    }
}

impl WithdrawalGrpc {
    async fn withdraw(&self, asked: Asked, by: String) -> Result<Withdrawal, ScoreError> {
        let found = self.store.forecast(asked.forecast).await?;
        let forecast = found
            .filter(|forecast| forecast.use_case == asked.use_case)
            .ok_or(ScoreError::UnknownForecast {
                id: asked.forecast,
                use_case: asked.use_case,
            })?;
        let withdrawal = Withdrawal {
            // a row's tombstone has to be newer than the row
            at: self
                .clock
                .now()
                .max(forecast.issued_at + chrono::TimeDelta::milliseconds(1)),
            by,
            reason: asked.reason,
        };
        let kept = self.write_back.withdraw(&forecast, &withdrawal).await?;
        self.audit.wake();
        Ok(kept)
    }
}
