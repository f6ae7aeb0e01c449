//! The ledger's part about backfills.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use foretide_domain::RunId;

use super::{Ledger, LedgerError, backfills};
use crate::backfill::{Backfill, BackfillState, Origin, Part, PartEnd, PlannedPart};

/// A change of a backfill that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Transition {
    /// Of a quote.
    Start {
        /// GB it may scan, whatever the budget says.
        accepted_gigabytes: Option<f64>,
    },
    /// Of a running one.
    Pause,
    /// Of a paused one.
    Resume {
        /// Replaces what was accepted at the start.
        accepted_gigabytes: Option<f64>,
    },
    /// Of one that has ended with failed parts.
    Retry,
    /// Of one that has not ended well.
    Cancel,
}

impl Transition {
    /// What was asked for, as a verb's participle.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start { .. } => "started",
            Self::Pause => "paused",
            Self::Resume { .. } => "resumed",
            Self::Retry => "retried",
            Self::Cancel => "cancelled",
        }
    }

    pub(super) fn is_allowed_from(self, state: BackfillState) -> bool {
        match self {
            Self::Start { .. } => state == BackfillState::Quoted,
            Self::Pause => state == BackfillState::Running,
            Self::Resume { .. } => state == BackfillState::Paused,
            Self::Retry => state == BackfillState::Failed,
            Self::Cancel => !matches!(state, BackfillState::Done | BackfillState::Cancelled),
        }
    }

    pub(super) fn runs(self) -> bool {
        matches!(self, Self::Start { .. } | Self::Resume { .. } | Self::Retry)
    }
}

/// A change that was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such backfill.
    Unknown,
    /// It is in a state from which there is no such change.
    State(BackfillState),
    /// Another one runs.
    OtherRuns(RunId),
}

/// What a job does next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// It reads this part.
    Part(Box<Part>),
    /// It looks again: a part was given up.
    Again,
    /// Nothing: paused, ended, or taken over by a later turn.
    Nothing,
}

/// What reading took in earlier backfills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) bytes: u64,
    pub(crate) queries: u64,
    pub(crate) elapsed_ms: u64,
}

impl Ledger {
    /// Keeps a quote, and forgets those that are older and were not started.
    pub(crate) async fn enter_quote(
        &self,
        quote: &Backfill,
        parts: Arc<Vec<PlannedPart>>,
        forget_before: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let quote = Arc::new(quote.clone());
        self.database
            .transaction("keep a quote", move |transaction| {
                let (quote, parts) = (Arc::clone(&quote), Arc::clone(&parts));
                Box::pin(async move {
                    backfills::forget_quotes(transaction, forget_before).await?;
                    backfills::enter_quote(transaction, &quote, &parts).await
                })
            })
            .await
    }

    /// A backfill with its parts.
    pub(crate) async fn backfill(&self, id: RunId) -> Result<Option<Backfill>, LedgerError> {
        backfills::backfill(self.database.connection(), id).await
    }

    /// Backfills with their parts, newest first.
    pub(crate) async fn backfills(&self, limit: u64) -> Result<Vec<Backfill>, LedgerError> {
        backfills::backfills(self.database.connection(), limit).await
    }

    /// The backfill that runs, and its turn.
    pub(crate) async fn running_backfill(&self) -> Result<Option<(RunId, i32)>, LedgerError> {
        backfills::running(self.database.connection()).await
    }

    /// Changes a backfill. Gives the turn whose job is to be put on the queue, if one is.
    pub(crate) async fn change_backfill(
        &self,
        id: RunId,
        change: Transition,
        now: DateTime<Utc>,
    ) -> Result<Result<Option<i32>, Refused>, LedgerError> {
        self.database
            .transaction("change a backfill", move |transaction| {
                Box::pin(backfills::change(transaction, id, change, now))
            })
            .await
    }

    /// Begins the next part of a turn: those that were never begun first. Ends the backfill when
    /// there is none.
    pub(crate) async fn begin_part(
        &self,
        id: RunId,
        turn: i32,
        max_attempts: u32,
        now: DateTime<Utc>,
    ) -> Result<Next, LedgerError> {
        self.database
            .transaction("begin a part", move |transaction| {
                Box::pin(backfills::begin_part(
                    transaction,
                    id,
                    turn,
                    max_attempts,
                    now,
                ))
            })
            .await
    }

    /// Writes down what became of a part.
    pub(crate) async fn end_part(
        &self,
        id: RunId,
        ordinal: i32,
        end: &PartEnd,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let end = Arc::new(end.clone());
        self.database
            .transaction("end a part", move |transaction| {
                let end = Arc::clone(&end);
                Box::pin(
                    async move { backfills::end_part(transaction, id, ordinal, &end, now).await },
                )
            })
            .await
    }

    /// GB that a run may scan whatever the budget says, if it is a backfill that was accepted so.
    pub(crate) async fn accepted_gigabytes(&self, id: RunId) -> Result<Option<f64>, LedgerError> {
        backfills::accepted_gigabytes(self.database.connection(), id).await
    }

    /// What reading from there took in earlier backfills.
    pub(crate) async fn pace(&self, origin: Origin) -> Result<Pace, LedgerError> {
        backfills::pace(self.database.connection(), origin).await
    }
}
