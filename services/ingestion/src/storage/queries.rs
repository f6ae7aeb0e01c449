//! Statements of the ledger.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use foretide_db::DbError;
use foretide_domain::{RunId, SentinelTable};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::entities::{event_file, first_seen, quarantined_row, source_object, table_state};
use super::{Entry, EventFile, ObjectState, QuarantinedRow, Watermark};
use crate::source::Run;

/// Rows in one statement: below every engine's limit of bound values.
pub(super) const CHUNK: usize = 500;

pub(super) fn unsigned(
    table: &'static str,
    column: &'static str,
    row: &str,
    value: i64,
) -> Result<u64, DbError> {
    u64::try_from(value).map_err(|_| DbError::corrupt(table, column, row, "negative"))
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) async fn objects(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
) -> Result<HashMap<String, ObjectState>, DbError> {
    let rows = source_object::Entity::find()
        .filter(source_object::Column::TableName.eq(table.name()))
        .all(connection)
        .await?;
    rows.into_iter().map(to_object).collect()
}

pub(super) async fn objects_at(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
    paths: &[&str],
) -> Result<HashMap<String, ObjectState>, DbError> {
    let mut known = HashMap::with_capacity(paths.len());
    for paths in paths.chunks(CHUNK) {
        let rows = source_object::Entity::find()
            .filter(source_object::Column::TableName.eq(table.name()))
            .filter(source_object::Column::Path.is_in(paths.iter().copied()))
            .all(connection)
            .await?;
        for row in rows {
            let (path, state) = to_object(row)?;
            known.insert(path, state);
        }
    }
    Ok(known)
}

fn to_object(row: source_object::Model) -> Result<(String, ObjectState), DbError> {
    let number = |column, value| unsigned("source_object", column, row.path.as_str(), value);
    let state = ObjectState {
        size: number("size", row.size)?,
        consumed: number("consumed", row.consumed)?,
        seen: number("seen", row.seen)?,
        lines: number("lines", row.lines)?,
        path: row.path.clone(),
        etag: row.etag,
        head: row.head,
        read_as_of: row.read_as_of,
    };
    Ok((row.path, state))
}

pub(super) async fn event_files(
    connection: &impl ConnectionTrait,
    stream: &str,
    days: &[NaiveDate],
    known_at: DateTime<Utc>,
) -> Result<Vec<EventFile>, DbError> {
    let mut files = Vec::new();
    for days in days.chunks(CHUNK) {
        let rows = event_file::Entity::find()
            .filter(event_file::Column::Stream.eq(stream))
            .filter(event_file::Column::Day.is_in(days.iter().copied()))
            .filter(event_file::Column::KnownAt.lte(known_at))
            .order_by_asc(event_file::Column::KnownAt)
            .order_by_asc(event_file::Column::Path)
            .all(connection)
            .await?;
        for row in rows {
            files.push(EventFile {
                rows: unsigned("event_file", "rows", &row.path, row.rows)?,
                path: row.path,
                stream: row.stream,
                day: row.day,
                known_at: row.known_at,
                sha256: row.sha256,
            });
        }
    }
    Ok(files)
}

fn key_text(key: u128) -> String {
    format!("{key:032x}")
}

pub(super) async fn first_seen(
    connection: &impl ConnectionTrait,
    stream: &str,
    keys: &[u128],
) -> Result<HashMap<u128, DateTime<Utc>>, DbError> {
    let mut seen = HashMap::new();
    for keys in keys.chunks(CHUNK) {
        let rows = first_seen::Entity::find()
            .filter(first_seen::Column::Stream.eq(stream))
            .filter(first_seen::Column::EventKey.is_in(keys.iter().map(|key| key_text(*key))))
            .all(connection)
            .await?;
        for row in rows {
            let key = u128::from_str_radix(&row.event_key, 16).map_err(|error| {
                DbError::corrupt("first_seen", "event_key", &row.event_key, error)
            })?;
            seen.insert(key, row.event_time);
        }
    }
    Ok(seen)
}

fn to_watermark(row: &table_state::Model) -> Result<Watermark, DbError> {
    let number = |column, value| unsigned("table_state", column, row.table_name.as_str(), value);
    Ok(Watermark {
        rows_total: number("rows_total", row.rows_total)?,
        rows_duplicate: number("rows_duplicate", row.rows_duplicate)?,
        rows_quarantined: number("rows_quarantined", row.rows_quarantined)?,
        table: row.table_name.clone(),
        event_time: row.event_time,
        known_at: row.known_at,
    })
}

pub(super) async fn watermark(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
) -> Result<Option<Watermark>, DbError> {
    table_state::Entity::find_by_id(table.name().to_owned())
        .one(connection)
        .await?
        .as_ref()
        .map(to_watermark)
        .transpose()
}

pub(super) async fn watermarks(
    connection: &impl ConnectionTrait,
) -> Result<Vec<Watermark>, DbError> {
    let rows = table_state::Entity::find()
        .order_by_asc(table_state::Column::TableName)
        .all(connection)
        .await?;
    rows.iter().map(to_watermark).collect()
}

pub(super) async fn quarantine(
    connection: &impl ConnectionTrait,
    table: Option<SentinelTable>,
    limit: u64,
) -> Result<Vec<QuarantinedRow>, DbError> {
    let mut query = quarantined_row::Entity::find();
    if let Some(table) = table {
        query = query.filter(quarantined_row::Column::TableName.eq(table.name()));
    }
    let rows = query
        .order_by_desc(quarantined_row::Column::KnownAt)
        .order_by_asc(quarantined_row::Column::Id)
        .limit(limit)
        .all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(QuarantinedRow {
                line: unsigned("quarantined_row", "line", &row.id.to_string(), row.line)?,
                table: row.table_name,
                object: row.object,
                reason: row.reason,
                sample: row.sample,
                known_at: row.known_at,
                run_id: RunId::from(row.run_id),
            })
        })
        .collect()
}

pub(super) async fn enter(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
    run: Run,
    rows_before: Option<u64>,
    entry: &Entry,
) -> Result<bool, DbError> {
    let present = watermark(connection, table).await?;
    if present.as_ref().map(|watermark| watermark.rows_total) != rows_before {
        return Ok(false);
    }
    enter_objects(connection, table, run, &entry.objects).await?;
    enter_event_files(connection, run, &entry.event_files).await?;
    enter_first_seen(connection, run, &entry.first_seen).await?;
    enter_quarantine(connection, &entry.quarantined).await?;
    crate::vault::keep(connection, table, run, &entry.met).await?;
    enter_state(connection, table, run, present, entry).await?;
    Ok(true)
}

async fn enter_objects(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
    run: Run,
    objects: &[ObjectState],
) -> Result<(), DbError> {
    use source_object::Column;
    let replace = OnConflict::columns([Column::TableName, Column::Path])
        .update_columns([
            Column::Size,
            Column::Etag,
            Column::Consumed,
            Column::Seen,
            Column::Lines,
            Column::Head,
            Column::ReadAsOf,
            Column::RunId,
        ])
        .to_owned();
    for objects in objects.chunks(CHUNK) {
        let rows = objects.iter().map(|object| source_object::ActiveModel {
            table_name: Set(table.name().to_owned()),
            path: Set(object.path.clone()),
            size: Set(signed(object.size)),
            etag: Set(object.etag.clone()),
            consumed: Set(signed(object.consumed)),
            seen: Set(signed(object.seen)),
            lines: Set(signed(object.lines)),
            head: Set(object.head.clone()),
            read_as_of: Set(object.read_as_of),
            run_id: Set(run.run_id.as_uuid()),
        });
        source_object::Entity::insert_many(rows)
            .on_conflict(replace.clone())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

async fn enter_event_files(
    connection: &impl ConnectionTrait,
    run: Run,
    files: &[EventFile],
) -> Result<(), DbError> {
    for files in files.chunks(CHUNK) {
        let rows = files.iter().map(|file| event_file::ActiveModel {
            path: Set(file.path.clone()),
            stream: Set(file.stream.clone()),
            day: Set(file.day),
            known_at: Set(file.known_at),
            rows: Set(signed(file.rows)),
            sha256: Set(file.sha256.clone()),
            run_id: Set(run.run_id.as_uuid()),
        });
        event_file::Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

async fn enter_first_seen(
    connection: &impl ConnectionTrait,
    run: Run,
    seen: &[(String, u128, DateTime<Utc>)],
) -> Result<(), DbError> {
    for seen in seen.chunks(CHUNK) {
        let rows = seen
            .iter()
            .map(|(stream, key, event_time)| first_seen::ActiveModel {
                stream: Set(stream.clone()),
                event_key: Set(key_text(*key)),
                event_time: Set(*event_time),
                run_id: Set(run.run_id.as_uuid()),
            });
        first_seen::Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

async fn enter_quarantine(
    connection: &impl ConnectionTrait,
    refused: &[QuarantinedRow],
) -> Result<(), DbError> {
    for refused in refused.chunks(CHUNK) {
        let rows = refused.iter().map(|row| quarantined_row::ActiveModel {
            id: Set(Uuid::now_v7()),
            table_name: Set(row.table.clone()),
            object: Set(row.object.clone()),
            line: Set(signed(row.line)),
            reason: Set(row.reason.clone()),
            sample: Set(row.sample.clone()),
            known_at: Set(row.known_at),
            run_id: Set(row.run_id.as_uuid()),
        });
        quarantined_row::Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

async fn enter_state(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
    run: Run,
    present: Option<Watermark>,
    entry: &Entry,
) -> Result<(), DbError> {
    use table_state::Column;
    let (event_time, rows, duplicates, refused) = match present {
        Some(present) => (
            present.event_time.max(entry.watermark),
            present.rows_total + entry.rows,
            present.rows_duplicate + entry.duplicates,
            present.rows_quarantined + entry.refused,
        ),
        None => (entry.watermark, entry.rows, entry.duplicates, entry.refused),
    };
    let row = table_state::ActiveModel {
        table_name: Set(table.name().to_owned()),
        event_time: Set(event_time),
        known_at: Set(run.as_of),
        rows_total: Set(signed(rows)),
        rows_duplicate: Set(signed(duplicates)),
        rows_quarantined: Set(signed(refused)),
        run_id: Set(run.run_id.as_uuid()),
    };
    let replace = OnConflict::column(Column::TableName)
        .update_columns([
            Column::EventTime,
            Column::KnownAt,
            Column::RowsTotal,
            Column::RowsDuplicate,
            Column::RowsQuarantined,
            Column::RunId,
        ])
        .to_owned();
    table_state::Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}
