//! The audit chain.

use chrono::{DateTime, Utc};
use foretide_audit_chain::{AuditRecord, CanonicalJson, Digest, Event, Head};
use foretide_db::DbError;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};

use crate::error::AuditorError;
use crate::storage::entities::{audit_head, audit_record};

const TABLE: &str = "audit_record";
/// The only row of `audit_head`.
const HEAD: i32 = 1;

/// Which records are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilter {
    /// First sequence; from the end when it is 0 and the newest come first.
    pub(crate) from_sequence: u64,
    pub(crate) limit: u64,
    pub(crate) run_id: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) newest_first: bool,
}

/// Makes the head of an empty chain, so that appends only ever update it.
pub(crate) async fn ensure_head(connection: &impl ConnectionTrait) -> Result<(), DbError> {
    let genesis = Head::genesis();
    let row = audit_head::ActiveModel {
        id: Set(HEAD),
        sequence: Set(0),
        hash: Set(genesis.hash.to_string()),
    };
    audit_head::Entity::insert(row)
        .on_conflict(
            OnConflict::column(audit_head::Column::Id)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

pub(crate) async fn head(connection: &impl ConnectionTrait) -> Result<Head, AuditorError> {
    let row = audit_head::Entity::find_by_id(HEAD)
        .one(connection)
        .await?
        .ok_or_else(|| DbError::corrupt("audit_head", "id", HEAD, "the row is missing"))?;
    Ok(Head {
        sequence: unsigned("audit_head", row.sequence)?,
        hash: digest("audit_head", "hash", row.sequence, &row.hash)?,
    })
}

/// Appends an event, or gives back the record it already has.
pub(crate) async fn append(
    connection: &impl ConnectionTrait,
    event: Event,
    now: DateTime<Utc>,
) -> Result<AuditRecord, AuditorError> {
    let known = audit_record::Entity::find()
        .filter(audit_record::Column::EventId.eq(&event.event_id))
        .one(connection)
        .await?;
    if let Some(known) = known {
        let known = record(known)?;
        return if is_record_of(&known, &event) {
            Ok(known)
        } else {
            Err(AuditorError::EventDiffers(event.event_id))
        };
    }
    let before = head(connection).await?;
    let record = foretide_audit_chain::append(&before, event, now);
    move_head(connection, &before, &record.head()).await?;
    audit_record::Entity::insert(row(&record)?)
        .exec_without_returning(connection)
        .await?;
    Ok(record)
}

/// Of two transactions that append at once one fails here with a serialisation failure, and is done
/// again: never in the insert, where it would look like a forged sequence.
async fn move_head(
    connection: &impl ConnectionTrait,
    from: &Head,
    to: &Head,
) -> Result<(), AuditorError> {
    let moved = audit_head::Entity::update_many()
        .col_expr(
            audit_head::Column::Sequence,
            Expr::value(signed(to.sequence)?),
        )
        .col_expr(audit_head::Column::Hash, Expr::value(to.hash.to_string()))
        .filter(audit_head::Column::Id.eq(HEAD))
        .filter(audit_head::Column::Sequence.eq(signed(from.sequence)?))
        .exec(connection)
        .await?;
    if moved.rows_affected == 1 {
        return Ok(());
    }
    Err(DbError::conflict("the head of the audit chain has moved").into())
}

fn is_record_of(record: &AuditRecord, event: &Event) -> bool {
    record.actor == event.actor
        && record.action == event.action
        && record.subject == event.subject
        && record.run_id == event.run_id
        && record.details == event.details
}

pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    filter: &AuditFilter,
) -> Result<Vec<AuditRecord>, AuditorError> {
    let mut query = audit_record::Entity::find();
    let from = signed(filter.from_sequence)?;
    query = match (filter.newest_first, from) {
        (true, 0) => query.order_by_desc(audit_record::Column::Sequence),
        (true, from) => query
            .filter(audit_record::Column::Sequence.lte(from))
            .order_by_desc(audit_record::Column::Sequence),
        (false, from) => query
            .filter(audit_record::Column::Sequence.gte(from))
            .order_by_asc(audit_record::Column::Sequence),
    };
    if let Some(run_id) = &filter.run_id {
        query = query.filter(audit_record::Column::RunId.eq(run_id));
    }
    if let Some(subject) = &filter.subject {
        query = query.filter(audit_record::Column::Subject.eq(subject));
    }
    let rows = query.limit(filter.limit).all(connection).await?;
    rows.into_iter().map(record).collect()
}

/// A record as far as the tree needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) head: Head,
    pub(crate) previous_hash: Digest,
}

/// The records from a sequence on, in order.
pub(crate) async fn links(
    connection: &impl ConnectionTrait,
    from_sequence: u64,
    limit: u64,
) -> Result<Vec<Link>, AuditorError> {
    use audit_record::Column::{Hash, PreviousHash, Sequence};
    let rows: Vec<(i64, String, String)> = audit_record::Entity::find()
        .select_only()
        .columns([Sequence, PreviousHash, Hash])
        .filter(Sequence.gte(signed(from_sequence)?))
        .order_by_asc(Sequence)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    let link = |(row, previous_hash, hash): (i64, String, String)| -> Result<Link, AuditorError> {
        let head = Head {
            sequence: unsigned(TABLE, row)?,
            hash: digest(TABLE, "hash", row, &hash)?,
        };
        let previous_hash = digest(TABLE, "previous_hash", row, &previous_hash)?;
        Ok(Link {
            head,
            previous_hash,
        })
    };
    rows.into_iter().map(link).collect()
}

/// The lowest sequence below 1, where no record can be.
pub(crate) async fn before_the_first(
    connection: &impl ConnectionTrait,
) -> Result<Option<i64>, AuditorError> {
    let row = audit_record::Entity::find()
        .filter(audit_record::Column::Sequence.lt(1))
        .order_by_asc(audit_record::Column::Sequence)
        .one(connection)
        .await?;
    Ok(row.map(|row| row.sequence))
}

fn row(record: &AuditRecord) -> Result<audit_record::ActiveModel, AuditorError> {
    Ok(audit_record::ActiveModel {
        sequence: Set(signed(record.sequence)?),
        event_id: Set(record.event_id.clone()),
        recorded_at: Set(record.recorded_at),
        actor: Set(record.actor.clone()),
        action: Set(record.action.clone()),
        subject: Set(record.subject.clone()),
        run_id: Set(record.run_id.clone()),
        details: Set(record.details.to_string()),
        previous_hash: Set(record.previous_hash.to_string()),
        hash: Set(record.hash.to_string()),
    })
}

fn record(row: audit_record::Model) -> Result<AuditRecord, AuditorError> {
    Ok(AuditRecord {
        sequence: unsigned(TABLE, row.sequence)?,
        event_id: row.event_id,
        recorded_at: row.recorded_at,
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        run_id: row.run_id,
        details: CanonicalJson::from_stored(row.details),
        previous_hash: digest(TABLE, "previous_hash", row.sequence, &row.previous_hash)?,
        hash: digest(TABLE, "hash", row.sequence, &row.hash)?,
    })
}

fn digest(
    table: &'static str,
    column: &'static str,
    row: i64,
    text: &str,
) -> Result<Digest, DbError> {
    text.parse()
        .map_err(|error| DbError::corrupt(table, column, row, error))
}

pub(super) fn unsigned(table: &'static str, sequence: i64) -> Result<u64, DbError> {
    u64::try_from(sequence).map_err(|_| DbError::corrupt(table, "sequence", sequence, "below zero"))
}

pub(super) fn signed(sequence: u64) -> Result<i64, AuditorError> {
    i64::try_from(sequence).map_err(|_| {
        foretide_api::FieldError::new("from_sequence", "is larger than any sequence").into()
    })
}
