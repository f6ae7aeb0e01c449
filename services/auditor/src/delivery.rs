//! `AI_Governance_CL`: rows into the workspace, from an outbox, at least once.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use foretide_domain::{Phase, SharedClock};
use foretide_logs_ingestion::{RowSink, azure_time, table_of};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::AuditorError;
use crate::metrics::Metrics;
use crate::model::Evaluation;
use crate::storage::{RowFate, Storage};

const BATCH: u64 = 500;
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);
/// How often the outbox is looked at.
const PERIOD: Duration = Duration::from_secs(15);

/// The row of one evaluation. Its `IdempotencyKey` is the same whenever it is sent.
pub(crate) fn row(evaluation: &Evaluation, phase: Phase) -> Value {
    let score = evaluation.score;
    json!({
        "TimeGenerated": azure_time(evaluation.evaluated_at),
        "IssuedAt": azure_time(evaluation.evaluated_at),
        "RunId": evaluation.run_id.to_string(),
        "UseCase": evaluation.use_case.as_str(),
        "SeriesId": evaluation.series_id.to_string(),
        "EvaluationId": evaluation.id.to_string(),
        "Mae": score.mae,
        "Pinball": score.pinball,
        "NaivePinball": score.naive_pinball,
        "Coverage80": score.coverage_80,
        "Coverage95": score.coverage_95,
        "ModelName": evaluation.model_name,
        "ModelVersion": evaluation.model_version.to_string(),
        "Phase": phase.name(),
        "IdempotencyKey": evaluation.id.to_string(),
    })
}

/// Where rows go.
pub(crate) struct Sink {
    pub(crate) client: Arc<dyn RowSink>,
    pub(crate) stream: String,
    /// Whether accepted rows are looked for.
    pub(crate) watched: bool,
}

/// Sends what waits in the outbox.
pub(crate) struct Delivery {
    storage: Storage,
    sink: Sink,
    clock: SharedClock,
    metrics: Metrics,
    /// One delivery at a time, so that no row is sent by two.
    turn: Mutex<()>,
}

impl Delivery {
    pub(crate) fn new(storage: Storage, sink: Sink, clock: SharedClock, metrics: Metrics) -> Self {
        Self {
            storage,
            sink,
            clock,
            metrics,
            turn: Mutex::default(),
        }
    }

    /// Sends rows that are due, until none is left or the workspace does not take them.
    pub(crate) async fn deliver(&self) -> Result<(), AuditorError> {
        let _turn = self.turn.lock().await;
        loop {
            let rows = self.storage.due_rows(self.clock.now(), BATCH).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let values: Vec<Value> = rows.iter().map(|row| row.row.clone()).collect();
            let mut must_wait = false;
            for chunk in self.sink.client.upload(&self.sink.stream, &values).await {
                let sent = &rows[chunk.rows.clone()];
                let attempts = sent.iter().map(|row| row.attempts).max().unwrap_or(0);
                let fate = match chunk.result {
                    Ok(()) => {
                        self.metrics.rows_delivered(sent.len() as u64);
                        RowFate::Delivered {
                            at: self.clock.now(),
                            table: table_of(&self.sink.stream),
                            watched: self.sink.watched,
                        }
                    }
                    Err(error) if error.worth_another_try() => {
                        must_wait = true;
                        tracing::warn!(%error, rows = sent.len(), "rows wait for the next try");
                        let asked = error
                            .retry_after()
                            .and_then(|wait| TimeDelta::from_std(wait).ok());
                        let pause = asked.unwrap_or_default().max(pause_after(attempts));
                        RowFate::TryAgain {
                            at: self.clock.now() + pause,
                            error: error.to_string(),
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, rows = sent.len(), "rows are refused for good");
                        RowFate::Refused {
                            error: error.to_string(),
                        }
                    }
                };
                self.storage.settle_rows(sent, &fate).await?;
            }
            if must_wait {
                return Ok(());
            }
        }
    }

    /// Delivers from time to time until shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.deliver().await {
                tracing::warn!(error = ?error, "the outbox could not be delivered");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }
}

fn pause_after(attempts: u32) -> TimeDelta {
    let doubled = FIRST_PAUSE * 2_i32.saturating_pow(attempts.min(10));
    doubled.min(LONGEST_PAUSE)
}
