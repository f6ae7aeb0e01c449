//! Statements about what the query API was asked.

use chrono::{DateTime, NaiveDate, Utc};
use foretide_db::DbError;
use foretide_domain::{ArrivalLag, Measure, RunId, SentinelTable, TimeSpan};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::entities::{arrival_lag, pending_day, query_cost, query_watermark};
use super::queries::{CHUNK, signed, unsigned};
use crate::cost::Spent;
use crate::source::Run;

/// Outcome of a query that was answered.
pub(crate) const ANSWERED: &str = "answered";
/// Queries of a statement from which the size of its answers is told.
const LATEST_QUERIES: u64 = 100;

/// One query and what it has cost.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryCost {
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// The table it reads.
    pub table: String,
    /// Which statement, by its path under `kql/`.
    pub statement: String,
    /// The span it was asked over.
    pub span: TimeSpan,
    /// `answered`, or the kind of failure.
    pub outcome: String,
    /// Plan of the table.
    pub plan: String,
    /// Rows of the answer.
    pub rows_answered: u64,
    /// Bytes of the answer.
    pub bytes_answered: u64,
    /// Bytes scanned.
    pub bytes_scanned: u64,
    /// Whether the bytes scanned are an estimate, since the service did not tell.
    pub is_estimated: bool,
    /// Time the service worked, milliseconds.
    pub execution_ms: Option<u64>,
    /// Price.
    pub price: f64,
    /// Its currency.
    pub currency: String,
    /// The run that asked.
    pub run_id: RunId,
}

pub(super) async fn ingested_until(
    connection: &impl ConnectionTrait,
    scope: &str,
) -> Result<Option<DateTime<Utc>>, DbError> {
    let row = query_watermark::Entity::find_by_id(scope.to_owned())
        .one(connection)
        .await?;
    Ok(row.map(|row| row.ingested_until))
}

/// Moves a watermark on; false when it has moved since `before` was read.
async fn move_on(
    connection: &impl ConnectionTrait,
    scope: &str,
    run: Run,
    before: Option<DateTime<Utc>>,
) -> Result<bool, DbError> {
    use query_watermark::Column;
    if ingested_until(connection, scope).await? != before {
        return Ok(false);
    }
    let row = query_watermark::ActiveModel {
        scope: Set(scope.to_owned()),
        ingested_until: Set(run.as_of),
        run_id: Set(run.run_id.as_uuid()),
    };
    let replace = OnConflict::column(Column::Scope)
        .update_columns([Column::IngestedUntil, Column::RunId])
        .to_owned();
    query_watermark::Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(connection)
        .await?;
    Ok(true)
}

/// Moves the watermark on and notes the days that have to be asked for, in one.
pub(super) async fn plan_days(
    connection: &impl ConnectionTrait,
    measure: Measure,
    run: Run,
    before: Option<DateTime<Utc>>,
    days: &[NaiveDate],
) -> Result<bool, DbError> {
    use pending_day::Column;
    if !move_on(connection, measure.name(), run, before).await? {
        return Ok(false);
    }
    let replace = OnConflict::columns([Column::Measure, Column::Day])
        .update_columns([Column::PlannedAsOf, Column::RunId])
        .to_owned();
    for days in days.chunks(CHUNK) {
        let rows = days.iter().map(|day| pending_day::ActiveModel {
            measure: Set(measure.name().to_owned()),
            day: Set(*day),
            planned_as_of: Set(run.as_of),
            run_id: Set(run.run_id.as_uuid()),
        });
        pending_day::Entity::insert_many(rows)
            .on_conflict(replace.clone())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(true)
}

/// Days of a measure that were planned by a run of this moment or before, oldest first.
pub(super) async fn pending_days(
    connection: &impl ConnectionTrait,
    measure: Measure,
    as_of: DateTime<Utc>,
) -> Result<Vec<NaiveDate>, DbError> {
    let rows = pending_day::Entity::find()
        .filter(pending_day::Column::Measure.eq(measure.name()))
        .filter(pending_day::Column::PlannedAsOf.lte(as_of))
        .order_by_asc(pending_day::Column::Day)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.day).collect())
}

/// Crosses days off, unless a later run has planned them anew.
pub(super) async fn settle_days(
    connection: &impl ConnectionTrait,
    measure: Measure,
    as_of: DateTime<Utc>,
    days: &[NaiveDate],
) -> Result<(), DbError> {
    for days in days.chunks(CHUNK) {
        pending_day::Entity::delete_many()
            .filter(pending_day::Column::Measure.eq(measure.name()))
            .filter(pending_day::Column::Day.is_in(days.iter().copied()))
            .filter(pending_day::Column::PlannedAsOf.lte(as_of))
            .exec(connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn enter_cost(
    connection: &impl ConnectionTrait,
    cost: &QueryCost,
) -> Result<(), DbError> {
    let row = query_cost::ActiveModel {
        id: Set(Uuid::now_v7()),
        asked_at: Set(cost.asked_at),
        table_name: Set(cost.table.clone()),
        statement: Set(cost.statement.clone()),
        span_start: Set(cost.span.start),
        span_end: Set(cost.span.end),
        outcome: Set(cost.outcome.clone()),
        plan: Set(cost.plan.clone()),
        rows_answered: Set(signed(cost.rows_answered)),
        bytes_answered: Set(signed(cost.bytes_answered)),
        bytes_scanned: Set(signed(cost.bytes_scanned)),
        is_estimated: Set(cost.is_estimated),
        execution_ms: Set(cost.execution_ms.map(signed)),
        price: Set(cost.price),
        currency: Set(cost.currency.clone()),
        run_id: Set(cost.run_id.as_uuid()),
    };
    query_cost::Entity::insert(row)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// What was spent since a moment.
pub(super) async fn spent_since(
    connection: &impl ConnectionTrait,
    since: DateTime<Utc>,
) -> Result<Spent, DbError> {
    let sums: Option<(i64, Option<i64>, Option<f64>)> = query_cost::Entity::find()
        .select_only()
        .column_as(query_cost::Column::Id.count(), "queries")
        // PostgreSQL sums whole numbers to a decimal
        .column_as(
            query_cost::Column::BytesScanned.sum().cast_as("BIGINT"),
            "bytes",
        )
        .column_as(query_cost::Column::Price.sum(), "price")
        .filter(query_cost::Column::AskedAt.gte(since))
        .into_tuple()
        .one(connection)
        .await?;
    let (queries, bytes, price) = sums.unwrap_or_default();
    let number = |column, value| unsigned("query_cost", column, "all", value);
    Ok(Spent {
        queries: number("id", queries)?,
        bytes: number("bytes_scanned", bytes.unwrap_or_default())?,
        price: price.unwrap_or_default(),
    })
}

/// Bytes that a run's queries have scanned.
pub(super) async fn scanned_by(
    connection: &impl ConnectionTrait,
    run_id: RunId,
) -> Result<u64, DbError> {
    let sum: Option<Option<i64>> = query_cost::Entity::find()
        .select_only()
        .column_as(
            query_cost::Column::BytesScanned.sum().cast_as("BIGINT"),
            "bytes",
        )
        .filter(query_cost::Column::RunId.eq(run_id.as_uuid()))
        .into_tuple()
        .one(connection)
        .await?;
    let bytes = sum.flatten().unwrap_or_default();
    unsigned("query_cost", "bytes_scanned", &run_id.to_string(), bytes)
}

/// How long an answered query took on the average.
pub(super) async fn mean_execution_ms(
    connection: &impl ConnectionTrait,
) -> Result<Option<f64>, DbError> {
    let mean: Option<Option<f64>> = query_cost::Entity::find()
        .select_only()
        // PostgreSQL takes the mean of whole numbers as a decimal
        .column_as(
            query_cost::Column::ExecutionMs
                .avg()
                .cast_as("DOUBLE PRECISION"),
            "mean",
        )
        .filter(query_cost::Column::Outcome.eq(ANSWERED))
        .into_tuple()
        .one(connection)
        .await?;
    Ok(mean.flatten())
}

/// Rows a day of the answers to a statement.
pub(super) async fn rows_a_day(
    connection: &impl ConnectionTrait,
    statement: &str,
) -> Result<Option<f64>, DbError> {
    let latest: Vec<query_cost::Model> = query_cost::Entity::find()
        .filter(query_cost::Column::Statement.eq(statement))
        .filter(query_cost::Column::Outcome.eq(ANSWERED))
        .order_by_desc(query_cost::Column::AskedAt)
        .limit(LATEST_QUERIES)
        .all(connection)
        .await?;
    let (mut rows, mut days) = (0.0, 0.0);
    for query in latest {
        let cost = to_cost(query)?;
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let answered = cost.rows_answered as f64;
        rows += answered;
        days += (cost.span.end - cost.span.start).as_seconds_f64() / 86_400.0;
    }
    Ok((days > 0.0).then(|| rows / days))
}

/// The latest queries since a moment, newest first.
pub(super) async fn costs(
    connection: &impl ConnectionTrait,
    since: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<QueryCost>, DbError> {
    let rows = query_cost::Entity::find()
        .filter(query_cost::Column::AskedAt.gte(since))
        .order_by_desc(query_cost::Column::AskedAt)
        .order_by_desc(query_cost::Column::Id)
        .limit(limit)
        .all(connection)
        .await?;
    rows.into_iter().map(to_cost).collect()
}

fn to_cost(row: query_cost::Model) -> Result<QueryCost, DbError> {
    let id = row.id.to_string();
    let number = |column, value| unsigned("query_cost", column, &id, value);
    Ok(QueryCost {
        rows_answered: number("rows_answered", row.rows_answered)?,
        bytes_answered: number("bytes_answered", row.bytes_answered)?,
        bytes_scanned: number("bytes_scanned", row.bytes_scanned)?,
        execution_ms: row
            .execution_ms
            .map(|time| number("execution_ms", time))
            .transpose()?,
        span: TimeSpan::new(row.span_start, row.span_end).ok_or_else(|| {
            DbError::corrupt("query_cost", "span_end", &id, "it lies before span_start")
        })?,
        asked_at: row.asked_at,
        table: row.table_name,
        statement: row.statement,
        outcome: row.outcome,
        plan: row.plan,
        is_estimated: row.is_estimated,
        price: row.price,
        currency: row.currency,
        run_id: RunId::from(row.run_id),
    })
}

pub(super) async fn arrival_lag(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
) -> Result<ArrivalLag, DbError> {
    let rows = arrival_lag::Entity::find()
        .filter(arrival_lag::Column::TableName.eq(table.name()))
        .all(connection)
        .await?;
    let classes = rows.into_iter().map(|row| {
        let upper = u32::try_from(row.up_to_minutes);
        let negative =
            |_| DbError::corrupt("arrival_lag", "up_to_minutes", table.name(), "negative");
        Ok((upper.map_err(negative)?, row.weight))
    });
    Ok(ArrivalLag::new(
        classes.collect::<Result<Vec<_>, DbError>>()?,
    ))
}

/// Puts a distribution in place of the one there, and moves on until when it was learnt.
pub(super) async fn enter_lag(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
    run: Run,
    before: Option<DateTime<Utc>>,
    lag: &ArrivalLag,
) -> Result<bool, DbError> {
    if !move_on(connection, table.name(), run, before).await? {
        return Ok(false);
    }
    arrival_lag::Entity::delete_many()
        .filter(arrival_lag::Column::TableName.eq(table.name()))
        .exec(connection)
        .await?;
    let rows: Vec<_> = lag
        .classes()
        .iter()
        .map(|(upper, weight)| arrival_lag::ActiveModel {
            table_name: Set(table.name().to_owned()),
            up_to_minutes: Set(i32::try_from(*upper).unwrap_or(i32::MAX)),
            weight: Set(*weight),
            run_id: Set(run.run_id.as_uuid()),
        })
        .collect();
    if !rows.is_empty() {
        arrival_lag::Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(true)
}
