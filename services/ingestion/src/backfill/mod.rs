//! Reading a span of the past: quoted beforehand, in parts, to be paused, resumed and retried.
//!
//! A backfill is planned first. The source is surveyed table by table, nothing is read into the lake,
//! and what it would take is written down as a quote with its parts: days of a table, a window of the
//! query API, or an object whose path tells no day. Started, a job of the queue reads one part after
//! the other, newest first, so that forecasts can begin before the oldest is there. What became of a
//! part is written down before the next one is begun, and a part is recorded like everything else
//! that is ingested: killed anywhere, the job is picked up and reads that part again.

mod messages;
mod model;
mod planning;
mod work;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{RunId, SharedClock};
use foretide_jobs::{PushOptions, Queue};

pub(crate) use self::messages::{
    accepted, backfill_message, parse_id, parse_plan, summary_message,
};
pub use self::model::{
    Backfill, BackfillState, Expected, Origin, Part, PartState, PlannedPart, Scope, Survey, Taken,
};
pub(crate) use self::model::{PartEnd, Plan};
pub(crate) use self::work::BackfillHandler;
use self::work::BackfillJob;
use crate::error::IngestionError;
use crate::service::Ingestion;
use crate::storage::{Ledger, Refused, Transition};

/// How long a quote can be started.
const QUOTE_HOLDS: TimeDelta = TimeDelta::days(1);
/// Most backfills that are listed at once.
const MAX_LISTED: u64 = 100;

/// The use cases about backfills.
#[derive(Clone)]
pub(crate) struct Backfills {
    ingestion: Ingestion,
    ledger: Ledger,
    queue: Queue,
    clock: SharedClock,
}

impl Backfills {
    pub(crate) fn new(
        ingestion: Ingestion,
        ledger: Ledger,
        queue: Queue,
        clock: SharedClock,
    ) -> Self {
        Self {
            ingestion,
            ledger,
            queue,
            clock,
        }
    }

    /// What reading the span would take. Kept as a quote.
    pub(crate) async fn plan(&self, plan: Plan) -> Result<Backfill, IngestionError> {
        let now = self.clock.now();
        let (quote, parts) = self.ingestion.quote(plan, RunId::new()).await?;
        self.ledger
            .enter_quote(&quote, Arc::new(parts), now - QUOTE_HOLDS)
            .await?;
        self.get(quote.id).await
    }

    /// Starts what was quoted, unless it goes beyond the budget and is not accepted.
    pub(crate) async fn start(
        &self,
        id: RunId,
        accepted_gigabytes: Option<f64>,
    ) -> Result<Backfill, IngestionError> {
        let quote = self.get(id).await?;
        if quote.state == BackfillState::Quoted {
            if quote.quoted_at + QUOTE_HOLDS < self.clock.now() {
                return Err(IngestionError::QuoteExpired(id));
            }
            self.ingestion
                .check_cost(&quote.expected(), accepted_gigabytes)
                .await?;
        }
        let transition = Transition::Start { accepted_gigabytes };
        self.change(id, transition).await
    }

    /// Begins no further part.
    pub(crate) async fn pause(&self, id: RunId) -> Result<Backfill, IngestionError> {
        self.change(id, Transition::Pause).await
    }

    /// Goes on after a pause.
    pub(crate) async fn resume(
        &self,
        id: RunId,
        accepted_gigabytes: Option<f64>,
    ) -> Result<Backfill, IngestionError> {
        self.change(id, Transition::Resume { accepted_gigabytes })
            .await
    }

    /// Reads the failed parts again.
    pub(crate) async fn retry(&self, id: RunId) -> Result<Backfill, IngestionError> {
        let backfill = self.get(id).await?;
        if backfill.count(PartState::Failed) == 0 {
            return Err(IngestionError::NothingFailed(id));
        }
        self.change(id, Transition::Retry).await
    }

    /// Ends it for good.
    pub(crate) async fn cancel(&self, id: RunId) -> Result<Backfill, IngestionError> {
        self.change(id, Transition::Cancel).await
    }

    /// A backfill with its parts.
    pub(crate) async fn get(&self, id: RunId) -> Result<Backfill, IngestionError> {
        let known = self.ledger.backfill(id).await?;
        known.ok_or(IngestionError::UnknownBackfill(id))
    }

    /// Backfills with their parts, newest first. A limit of 0 means 20.
    pub(crate) async fn list(&self, limit: u32) -> Result<Vec<Backfill>, IngestionError> {
        let limit = match limit {
            0 => 20,
            limit => u64::from(limit).min(MAX_LISTED),
        };
        Ok(self.ledger.backfills(limit).await?)
    }

    /// Puts the jobs of running backfills on the queue, should a crash have come in between.
    pub(crate) async fn take_up(&self) -> Result<(), IngestionError> {
        if let Some((id, turn)) = self.ledger.running_backfill().await? {
            self.push(id, turn).await?;
        }
        Ok(())
    }

    /// A handler of its jobs, which stops between two parts when the process is to end.
    pub(crate) fn handler(&self, shutdown: tokio_util::sync::CancellationToken) -> BackfillHandler {
        BackfillHandler::new(self.ingestion.clone(), self.ledger.clone(), shutdown)
    }

    async fn change(&self, id: RunId, change: Transition) -> Result<Backfill, IngestionError> {
        let now: DateTime<Utc> = self.clock.now();
        match self.ledger.change_backfill(id, change, now).await? {
            Ok(Some(turn)) => self.push(id, turn).await?,
            Ok(None) => {}
            Err(Refused::Unknown) => return Err(IngestionError::UnknownBackfill(id)),
            Err(Refused::State(state)) => {
                let wanted = change.word();
                return Err(IngestionError::WrongState { id, state, wanted });
            }
            Err(Refused::OtherRuns(other)) => return Err(IngestionError::OtherRuns(other)),
        }
        tracing::info!(backfill = %id, change = change.word(), "backfill changed");
        self.get(id).await
    }

    async fn push(&self, id: RunId, turn: i32) -> Result<(), IngestionError> {
        let options = PushOptions {
            run_id: Some(id),
            ..PushOptions::once(format!("backfill/{id}/{turn}"))
        };
        self.queue.push(&BackfillJob { id, turn }, options).await?;
        Ok(())
    }
}
