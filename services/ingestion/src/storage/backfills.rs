//! Statements about backfills.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::{RunId, TimeSpan};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::backfill_ledger::{Next, Pace, Refused, Transition};
use super::entities::{backfill, backfill_part};
use super::queries::{CHUNK, signed, unsigned};
use crate::backfill::{
    Backfill, BackfillState, Expected, Origin, Part, PartEnd, PartState, PlannedPart, Scope, Taken,
};

/// Parts in one statement: each binds twenty values, and engines limit those of a statement.
const PARTS: usize = CHUNK / 5;

pub(super) async fn forget_quotes(
    connection: &impl ConnectionTrait,
    before: DateTime<Utc>,
) -> Result<(), DbError> {
    let old = backfill::Entity::find()
        .filter(backfill::Column::State.eq(BackfillState::Quoted.name()))
        .filter(backfill::Column::QuotedAt.lt(before))
        .all(connection)
        .await?;
    for quote in old {
        backfill_part::Entity::delete_many()
            .filter(backfill_part::Column::RunId.eq(quote.run_id))
            .exec(connection)
            .await?;
        backfill::Entity::delete_by_id(quote.run_id)
            .exec(connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn enter_quote(
    connection: &impl ConnectionTrait,
    quote: &Backfill,
    parts: &[PlannedPart],
) -> Result<(), DbError> {
    let row = backfill::ActiveModel {
        run_id: Set(quote.id.as_uuid()),
        state: Set(quote.state.name().to_owned()),
        span_start: Set(quote.span.start),
        span_end: Set(quote.span.end),
        source: Set(quote.origin.map_or("", Origin::name).to_owned()),
        quoted_at: Set(quote.quoted_at),
        quoted_seconds: Set(quote.quoted_seconds),
        is_measured: Set(quote.is_measured),
        currency: Set(quote.currency.clone()),
        beyond_budget: Set(quote.beyond_budget.clone()),
        remarks: Set(quote.remarks.join("\n")),
        accepted_gigabytes: Set(None),
        turn: Set(0),
        started_at: Set(None),
        finished_at: Set(None),
        note: Set(String::new()),
    };
    backfill::Entity::insert(row)
        .exec_without_returning(connection)
        .await?;
    let rows: Vec<_> = (0_i32..)
        .zip(parts)
        .map(|(ordinal, part)| planned(quote.id, ordinal, part))
        .collect();
    for rows in rows.chunks(PARTS) {
        backfill_part::Entity::insert_many(rows.to_vec())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

fn planned(id: RunId, ordinal: i32, part: &PlannedPart) -> backfill_part::ActiveModel {
    let PlannedPart { scope, expected } = part;
    backfill_part::ActiveModel {
        run_id: Set(id.as_uuid()),
        ordinal: Set(ordinal),
        table_name: Set(scope.table.name().to_owned()),
        span_start: Set(scope.span.start),
        span_end: Set(scope.span.end),
        source: Set(scope.origin.name().to_owned()),
        object: Set(scope.object.clone()),
        queries: Set(signed(expected.queries)),
        expected_rows: Set(expected.rows.map(signed)),
        expected_bytes: Set(expected.bytes.map(signed)),
        expected_price: Set(expected.price),
        state: Set(PartState::Waiting.name().to_owned()),
        attempts: Set(0),
        rows_read: Set(0),
        rows_duplicate: Set(0),
        rows_quarantined: Set(0),
        bytes: Set(0),
        elapsed_ms: Set(0),
        error: Set(String::new()),
        ended_at: Set(None),
    }
}

pub(super) async fn backfill(
    connection: &impl ConnectionTrait,
    id: RunId,
) -> Result<Option<Backfill>, DbError> {
    let found = backfill::Entity::find_by_id(id.as_uuid())
        .one(connection)
        .await?;
    match found {
        Some(row) => Ok(Some(with_parts(connection, row).await?)),
        None => Ok(None),
    }
}

pub(super) async fn backfills(
    connection: &impl ConnectionTrait,
    limit: u64,
) -> Result<Vec<Backfill>, DbError> {
    let rows = backfill::Entity::find()
        .order_by_desc(backfill::Column::QuotedAt)
        .order_by_desc(backfill::Column::RunId)
        .limit(limit)
        .all(connection)
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(with_parts(connection, row).await?);
    }
    Ok(all)
}

async fn with_parts(
    connection: &impl ConnectionTrait,
    row: backfill::Model,
) -> Result<Backfill, DbError> {
    let parts = backfill_part::Entity::find()
        .filter(backfill_part::Column::RunId.eq(row.run_id))
        .order_by_asc(backfill_part::Column::Ordinal)
        .all(connection)
        .await?;
    let id = RunId::from(row.run_id);
    Ok(Backfill {
        id,
        state: state_of(&row)?,
        span: span("backfill", id, row.span_start, row.span_end)?,
        origin: match row.source.as_str() {
            "" => None,
            word => Some(origin("backfill", id, word)?),
        },
        quoted_at: row.quoted_at,
        quoted_seconds: row.quoted_seconds,
        is_measured: row.is_measured,
        currency: row.currency,
        beyond_budget: row.beyond_budget,
        remarks: row.remarks.lines().map(str::to_owned).collect(),
        accepted_gigabytes: row.accepted_gigabytes,
        started_at: row.started_at,
        finished_at: row.finished_at,
        note: row.note,
        parts: parts.into_iter().map(part).collect::<Result<_, _>>()?,
    })
}

fn state_of(row: &backfill::Model) -> Result<BackfillState, DbError> {
    BackfillState::stored(&row.state).ok_or_else(|| {
        let id = row.run_id.to_string();
        DbError::corrupt("backfill", "state", &id, "an unknown word")
    })
}

fn span(
    table: &'static str,
    id: RunId,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Result<TimeSpan, DbError> {
    TimeSpan::new(start, end).ok_or_else(|| {
        DbError::corrupt(
            table,
            "span_end",
            id.to_string(),
            "it lies before span_start",
        )
    })
}

fn origin(table: &'static str, id: RunId, word: &str) -> Result<Origin, DbError> {
    word.parse()
        .map_err(|problem: String| DbError::corrupt(table, "source", id.to_string(), problem))
}

fn part(row: backfill_part::Model) -> Result<Part, DbError> {
    let id = RunId::from(row.run_id);
    let place = format!("{id}/{}", row.ordinal);
    let number = |column, value| unsigned("backfill_part", column, &place, value);
    let table = row.table_name.parse().map_err(|problem: String| {
        DbError::corrupt("backfill_part", "table_name", &place, problem)
    })?;
    let state = PartState::stored(&row.state)
        .ok_or_else(|| DbError::corrupt("backfill_part", "state", &place, "an unknown word"))?;
    let optional =
        |column, value: Option<i64>| value.map(|value| number(column, value)).transpose();
    Ok(Part {
        ordinal: row.ordinal,
        scope: Scope {
            table,
            span: span("backfill_part", id, row.span_start, row.span_end)?,
            origin: origin("backfill_part", id, &row.source)?,
            object: row.object,
        },
        expected: Expected {
            queries: number("queries", row.queries)?,
            rows: optional("expected_rows", row.expected_rows)?,
            bytes: optional("expected_bytes", row.expected_bytes)?,
            price: row.expected_price,
        },
        state,
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        taken: Taken {
            rows: number("rows_read", row.rows_read)?,
            duplicates: number("rows_duplicate", row.rows_duplicate)?,
            quarantined: number("rows_quarantined", row.rows_quarantined)?,
            bytes: number("bytes", row.bytes)?,
            elapsed_ms: number("elapsed_ms", row.elapsed_ms)?,
        },
        error: row.error,
    })
}

pub(super) async fn running(
    connection: &impl ConnectionTrait,
) -> Result<Option<(RunId, i32)>, DbError> {
    let row = backfill::Entity::find()
        .filter(backfill::Column::State.eq(BackfillState::Running.name()))
        .one(connection)
        .await?;
    Ok(row.map(|row| (RunId::from(row.run_id), row.turn)))
}

pub(super) async fn change(
    connection: &impl ConnectionTrait,
    id: RunId,
    change: Transition,
    now: DateTime<Utc>,
) -> Result<Result<Option<i32>, Refused>, DbError> {
    let found = backfill::Entity::find_by_id(id.as_uuid())
        .one(connection)
        .await?;
    let Some(row) = found else {
        return Ok(Err(Refused::Unknown));
    };
    let state = state_of(&row)?;
    if !change.is_allowed_from(state) {
        return Ok(Err(Refused::State(state)));
    }
    if change.runs()
        && let Some((other, _)) = running(connection).await?
    {
        return Ok(Err(Refused::OtherRuns(other)));
    }
    if change == Transition::Retry {
        wait_again(connection, id).await?;
    }
    let turn = row.turn + 1;
    let mut row = row.into_active_model();
    row.note = Set(String::new());
    match change {
        Transition::Start { accepted_gigabytes } => {
            row.started_at = Set(Some(now));
            row.accepted_gigabytes = Set(accepted_gigabytes);
        }
        Transition::Resume {
            accepted_gigabytes: Some(accepted),
        } => row.accepted_gigabytes = Set(Some(accepted)),
        Transition::Retry => row.finished_at = Set(None),
        Transition::Cancel => row.finished_at = Set(Some(now)),
        Transition::Resume { .. } | Transition::Pause => {}
    }
    let next = match change {
        Transition::Pause => BackfillState::Paused,
        Transition::Cancel => BackfillState::Cancelled,
        Transition::Start { .. } | Transition::Resume { .. } | Transition::Retry => {
            row.turn = Set(turn);
            BackfillState::Running
        }
    };
    row.state = Set(next.name().to_owned());
    row.update(connection).await?;
    Ok(Ok(change.runs().then_some(turn)))
}

/// Failed parts wait as if they had never been begun.
async fn wait_again(connection: &impl ConnectionTrait, id: RunId) -> Result<(), DbError> {
    use backfill_part::Column;
    backfill_part::Entity::update_many()
        .col_expr(Column::State, PartState::Waiting.name().into())
        .col_expr(Column::Attempts, 0.into())
        .filter(Column::RunId.eq(id.as_uuid()))
        .filter(Column::State.eq(PartState::Failed.name()))
        .exec(connection)
        .await?;
    Ok(())
}

pub(super) async fn begin_part(
    connection: &impl ConnectionTrait,
    id: RunId,
    turn: i32,
    max_attempts: u32,
    now: DateTime<Utc>,
) -> Result<Next, DbError> {
    use backfill_part::Column;
    let found = backfill::Entity::find_by_id(id.as_uuid())
        .one(connection)
        .await?;
    let Some(row) = found else {
        return Ok(Next::Nothing);
    };
    if row.turn != turn || state_of(&row)? != BackfillState::Running {
        return Ok(Next::Nothing);
    }
    let open = [PartState::Waiting.name(), PartState::Reading.name()];
    let next = backfill_part::Entity::find()
        .filter(Column::RunId.eq(id.as_uuid()))
        .filter(Column::State.is_in(open))
        .order_by_asc(Column::Attempts)
        .order_by_asc(Column::Ordinal)
        .one(connection)
        .await?;
    let Some(next) = next else {
        finish(connection, row, now).await?;
        return Ok(Next::Nothing);
    };
    let attempts = u32::try_from(next.attempts).unwrap_or_default();
    let is_spent = attempts >= max_attempts;
    let mut changed = next.into_active_model();
    if is_spent {
        // its reader died in every try, or it would not be open any more
        changed.state = Set(PartState::Failed.name().to_owned());
        changed.error = Set(format!("the process ended in {attempts} tries to read it"));
        changed.ended_at = Set(Some(now));
        changed.update(connection).await?;
        return Ok(Next::Again);
    }
    changed.state = Set(PartState::Reading.name().to_owned());
    changed.attempts = Set(i32::try_from(attempts + 1).unwrap_or(i32::MAX));
    let begun = changed.update(connection).await?;
    Ok(Next::Part(Box::new(part(begun)?)))
}

async fn finish(
    connection: &impl ConnectionTrait,
    row: backfill::Model,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let failed = backfill_part::Entity::find()
        .filter(backfill_part::Column::RunId.eq(row.run_id))
        .filter(backfill_part::Column::State.eq(PartState::Failed.name()))
        .one(connection)
        .await?;
    let state = match failed {
        Some(_) => BackfillState::Failed,
        None => BackfillState::Done,
    };
    let mut row = row.into_active_model();
    row.state = Set(state.name().to_owned());
    row.finished_at = Set(Some(now));
    row.update(connection).await?;
    Ok(())
}

pub(super) async fn end_part(
    connection: &impl ConnectionTrait,
    id: RunId,
    ordinal: i32,
    end: &PartEnd,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let key = (id.as_uuid(), ordinal);
    let found = backfill_part::Entity::find_by_id(key)
        .one(connection)
        .await?;
    let Some(row) = found else { return Ok(()) };
    let (attempts, before) = (row.attempts, part(row.clone())?.taken);
    let sum = |before: u64, more: u64| Set(signed(before.saturating_add(more)));
    let mut row = row.into_active_model();
    row.state = Set(end.state.name().to_owned());
    row.attempts = Set(attempts - i32::from(!end.is_try));
    row.rows_read = sum(before.rows, end.taken.rows);
    row.rows_duplicate = sum(before.duplicates, end.taken.duplicates);
    row.rows_quarantined = sum(before.quarantined, end.taken.quarantined);
    row.bytes = sum(before.bytes, end.taken.bytes);
    row.elapsed_ms = sum(before.elapsed_ms, end.taken.elapsed_ms);
    row.error = Set(end.error.clone());
    row.ended_at = Set(Some(now));
    row.update(connection).await?;
    if let Some(reason) = &end.pause {
        rest(connection, id, reason).await?;
    }
    Ok(())
}

/// Pauses a running backfill by itself.
async fn rest(connection: &impl ConnectionTrait, id: RunId, reason: &str) -> Result<(), DbError> {
    use backfill::Column;
    backfill::Entity::update_many()
        .col_expr(Column::State, BackfillState::Paused.name().into())
        .col_expr(Column::Note, reason.into())
        .filter(Column::RunId.eq(id.as_uuid()))
        .filter(Column::State.eq(BackfillState::Running.name()))
        .exec(connection)
        .await?;
    Ok(())
}

pub(super) async fn accepted_gigabytes(
    connection: &impl ConnectionTrait,
    id: RunId,
) -> Result<Option<f64>, DbError> {
    let row = backfill::Entity::find_by_id(id.as_uuid())
        .one(connection)
        .await?;
    Ok(row.and_then(|row| row.accepted_gigabytes))
}

pub(super) async fn pace(
    connection: &impl ConnectionTrait,
    origin: Origin,
) -> Result<Pace, DbError> {
    use backfill_part::Column;
    let sums: Option<(Option<i64>, Option<i64>, Option<i64>)> = backfill_part::Entity::find()
        .select_only()
        // PostgreSQL sums whole numbers to a decimal
        .column_as(Column::Bytes.sum().cast_as("BIGINT"), "bytes")
        .column_as(Column::Queries.sum().cast_as("BIGINT"), "queries")
        .column_as(Column::ElapsedMs.sum().cast_as("BIGINT"), "elapsed_ms")
        .filter(Column::Source.eq(origin.name()))
        .filter(Column::State.eq(PartState::Done.name()))
        .into_tuple()
        .one(connection)
        .await?;
    let (bytes, queries, elapsed) = sums.unwrap_or_default();
    let number = |column, value: Option<i64>| {
        unsigned("backfill_part", column, "all", value.unwrap_or_default())
    };
    Ok(Pace {
        bytes: number("bytes", bytes)?,
        queries: number("queries", queries)?,
        elapsed_ms: number("elapsed_ms", elapsed)?,
    })
}
