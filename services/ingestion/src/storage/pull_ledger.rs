//! The ledger's part about the query API.

use chrono::{DateTime, NaiveDate, Utc};
use foretide_domain::{ArrivalLag, Measure, RunId, SentinelTable};

use super::{Ledger, LedgerError, QueryCost, pulls};
use crate::cost::Spent;
use crate::source::Run;

impl Ledger {
    /// Until when what was ingested has been looked at for a measure.
    pub(crate) async fn counted_until(
        &self,
        measure: Measure,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        pulls::ingested_until(self.database.connection(), measure.name()).await
    }

    /// Until when the lag of a table has been learnt.
    pub(crate) async fn learnt_until(
        &self,
        table: SentinelTable,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        pulls::ingested_until(self.database.connection(), table.name()).await
    }

    /// Notes the days of a measure that have to be asked for, and that what was ingested until the
    /// run's moment has been looked at. False when another run has done so since `before` was read.
    pub(crate) async fn plan_days(
        &self,
        measure: Measure,
        run: Run,
        before: Option<DateTime<Utc>>,
        days: Vec<NaiveDate>,
    ) -> Result<bool, LedgerError> {
        let days = std::sync::Arc::new(days);
        self.database
            .transaction("plan days", move |transaction| {
                let days = std::sync::Arc::clone(&days);
                Box::pin(
                    async move { pulls::plan_days(transaction, measure, run, before, &days).await },
                )
            })
            .await
    }

    /// The days of a measure that have to be asked for, oldest first.
    pub(crate) async fn pending_days(
        &self,
        measure: Measure,
        as_of: DateTime<Utc>,
    ) -> Result<Vec<NaiveDate>, LedgerError> {
        pulls::pending_days(self.database.connection(), measure, as_of).await
    }

    /// Crosses off days whose buckets are in the lake.
    pub(crate) async fn settle_days(
        &self,
        measure: Measure,
        as_of: DateTime<Utc>,
        days: &[NaiveDate],
    ) -> Result<(), LedgerError> {
        pulls::settle_days(self.database.connection(), measure, as_of, days).await
    }

    /// Enters what a query has cost.
    pub(crate) async fn enter_cost(&self, cost: &QueryCost) -> Result<(), LedgerError> {
        pulls::enter_cost(self.database.connection(), cost).await
    }

    /// What was spent since a moment.
    pub(crate) async fn spent_since(&self, since: DateTime<Utc>) -> Result<Spent, LedgerError> {
        pulls::spent_since(self.database.connection(), since).await
    }

    /// Bytes that a run's queries have scanned.
    pub(crate) async fn scanned_by(&self, run_id: RunId) -> Result<u64, LedgerError> {
        pulls::scanned_by(self.database.connection(), run_id).await
    }

    /// How long an answered query took on the average, milliseconds; nothing before the first.
    pub(crate) async fn mean_execution_ms(&self) -> Result<Option<f64>, LedgerError> {
        pulls::mean_execution_ms(self.database.connection()).await
    }

    /// Rows a day of the answers to a statement, over its latest queries; nothing before the first.
    pub(crate) async fn rows_a_day(&self, statement: &str) -> Result<Option<f64>, LedgerError> {
        pulls::rows_a_day(self.database.connection(), statement).await
    }

    /// The latest queries since a moment, newest first.
    pub(crate) async fn costs(
        &self,
        since: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<QueryCost>, LedgerError> {
        pulls::costs(self.database.connection(), since, limit).await
    }

    /// How late the rows of a table come in.
    pub(crate) async fn arrival_lag(
        &self,
        table: SentinelTable,
    ) -> Result<ArrivalLag, LedgerError> {
        pulls::arrival_lag(self.database.connection(), table).await
    }

    /// Enters how late the rows of a table come in, as learnt by the run's moment. False when
    /// another run has done so since `before` was read.
    pub(crate) async fn enter_lag(
        &self,
        table: SentinelTable,
        run: Run,
        before: Option<DateTime<Utc>>,
        lag: ArrivalLag,
    ) -> Result<bool, LedgerError> {
        let lag = std::sync::Arc::new(lag);
        self.database
            .transaction("enter arrival lag", move |transaction| {
                let lag = std::sync::Arc::clone(&lag);
                Box::pin(
                    async move { pulls::enter_lag(transaction, table, run, before, &lag).await },
                )
            })
            .await
    }
}
