//! Requests and answers about backfills.

use std::collections::BTreeSet;

use chrono::{NaiveDate, TimeDelta};
use foretide_api::ingestion::v1 as api;
use foretide_api::{FieldError, span as span_field, span_message, timestamp, uuid_field};
use foretide_domain::{RunId, SentinelTable, TimeSpan, floor_day};

use super::model::{Backfill, BackfillState, Expected, Part, PartState, Plan, as_real};
use crate::cost::CostConfig;
use crate::grpc::parse_table;

/// One day.
const DAY: TimeDelta = TimeDelta::days(1);
/// Longest span, days: two years and what a leap year adds.
const MAX_DAYS: i64 = 732;
/// Failed parts that are listed.
const MAX_FAILED: usize = 50;

/// A request to plan.
pub(crate) fn parse_plan(request: api::PlanBackfillRequest) -> Result<Plan, FieldError> {
    let api::PlanBackfillRequest {
        span,
        tables,
        source,
    } = request;
    let span = span_field("span", span)?;
    let is_whole = [span.start, span.end]
        .iter()
        .all(|end| floor_day(*end) == *end);
    let days = (span.end - span.start).num_days();
    if !is_whole || !(1..=MAX_DAYS).contains(&days) {
        let problem = format!("must be from 1 to {MAX_DAYS} whole UTC days");
        return Err(FieldError::new("span", problem));
    }
    let tables: BTreeSet<SentinelTable> = tables
        .iter()
        .map(|table| parse_table("tables", table))
        .collect::<Result<_, _>>()?;
    let origin = match source.as_str() {
        "" => None,
        word => Some(
            word.parse()
                .map_err(|problem: String| FieldError::new("source", problem))?,
        ),
    };
    Ok(Plan {
        span,
        tables: tables.into_iter().collect(),
        origin,
    })
}

/// The id of a backfill.
pub(crate) fn parse_id(id: &str) -> Result<RunId, FieldError> {
    uuid_field("backfill_id", id)
}

/// GB that are accepted.
pub(crate) fn accepted(gigabytes: Option<f64>) -> Result<Option<f64>, FieldError> {
    match gigabytes {
        Some(gigabytes) if !gigabytes.is_finite() || gigabytes < 0.0 => Err(FieldError::new(
            "accepted_gigabytes",
            "must be a number that is not negative",
        )),
        gigabytes => Ok(gigabytes),
    }
}

/// A backfill with its tables and failed parts.
pub(crate) fn backfill_message(backfill: &Backfill, cost: &CostConfig) -> api::Backfill {
    let failed = backfill.parts.iter();
    let failed = failed.filter(|part| part.state == PartState::Failed);
    let tables = backfill.by_table();
    let tables = tables.into_iter();
    api::Backfill {
        tables: tables
            .map(|(table, parts)| table_message(table, &parts, cost))
            .collect(),
        failed_parts: failed.take(MAX_FAILED).map(part_message).collect(),
        ..summary_message(backfill)
    }
}

/// A backfill without its tables.
pub(crate) fn summary_message(backfill: &Backfill) -> api::Backfill {
    api::Backfill {
        backfill_id: backfill.id.to_string(),
        state: state_message(backfill.state).into(),
        span: span_message(backfill.span),
        source: backfill
            .origin
            .map_or_else(String::new, |origin| origin.to_string()),
        quoted_at: timestamp(backfill.quoted_at),
        started_at: backfill.started_at.and_then(timestamp),
        finished_at: backfill.finished_at.and_then(timestamp),
        quote: Some(quote_message(backfill)),
        progress: Some(progress_message(backfill)),
        tables: Vec::new(),
        failed_parts: Vec::new(),
        accepted_gigabytes: backfill.accepted_gigabytes,
        note: backfill.note.clone(),
    }
}

fn state_message(state: BackfillState) -> api::BackfillState {
    match state {
        BackfillState::Quoted => api::BackfillState::Quoted,
        BackfillState::Running => api::BackfillState::Running,
        BackfillState::Paused => api::BackfillState::Paused,
        BackfillState::Done => api::BackfillState::Done,
        BackfillState::Failed => api::BackfillState::Failed,
        BackfillState::Cancelled => api::BackfillState::Cancelled,
    }
}

fn quote_message(backfill: &Backfill) -> api::BackfillQuote {
    let Expected {
        queries,
        rows,
        bytes,
        price,
    } = backfill.expected();
    api::BackfillQuote {
        parts: number(backfill.parts.len()),
        queries,
        rows,
        bytes,
        price,
        currency: backfill.currency.clone(),
        seconds: backfill.quoted_seconds,
        is_measured: backfill.is_measured,
        beyond_budget: backfill.beyond_budget.clone(),
        remarks: backfill.remarks.clone(),
    }
}

fn progress_message(backfill: &Backfill) -> api::BackfillProgress {
    let taken = backfill.taken();
    api::BackfillProgress {
        parts_done: number(backfill.count(PartState::Done)),
        parts_failed: number(backfill.count(PartState::Failed)),
        parts_left: number(backfill.left()),
        rows: taken.rows,
        rows_duplicate: taken.duplicates,
        rows_quarantined: taken.quarantined,
        bytes: taken.bytes,
        seconds: as_real(taken.elapsed_ms) / 1e3,
        seconds_left: backfill.seconds_left(),
    }
}

fn table_message(table: SentinelTable, parts: &[&Part], cost: &CostConfig) -> api::BackfillTable {
    let count = |state| number(parts.iter().filter(|part| part.state == state).count());
    let expected = parts
        .iter()
        .map(|part| part.expected)
        .fold(Expected::default(), Expected::and);
    let days: BTreeSet<NaiveDate> = parts
        .iter()
        .filter(|part| part.scope.object.is_empty())
        .flat_map(|part| days_of(part.scope.span))
        .collect();
    api::BackfillTable {
        table: table.name().to_owned(),
        days: number(days.len()),
        parts: number(parts.len()),
        parts_done: count(PartState::Done),
        parts_failed: count(PartState::Failed),
        queries: expected.queries,
        expected_rows: expected.rows,
        expected_bytes: expected.bytes,
        expected_price: expected.price,
        plan: match expected.queries {
            0 => String::new(),
            _ => cost.plan(table).name().to_owned(),
        },
        rows: parts.iter().map(|part| part.taken.rows).sum(),
    }
}

fn days_of(span: TimeSpan) -> impl Iterator<Item = NaiveDate> {
    let days = usize::try_from((span.end - span.start + DAY - TimeDelta::seconds(1)).num_days());
    let first = span.start.date_naive();
    first.iter_days().take(days.unwrap_or(0))
}

fn part_message(part: &Part) -> api::BackfillPart {
    api::BackfillPart {
        table: part.scope.table.name().to_owned(),
        span: span_message(part.scope.span),
        source: part.scope.origin.to_string(),
        object: part.scope.object.clone(),
        attempts: part.attempts,
        error: part.error.clone(),
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
