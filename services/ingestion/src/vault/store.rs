//! Statements of the vault.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use foretide_db::{Database, DbError, Engine};
use foretide_domain::SentinelTable;
use foretide_pseudonyms::{EntityKind, EpochId, Pseudonym};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::entities::{pseudonym_alias, pseudonym_epoch, pseudonym_vault};
use crate::pseudonym::Met;
use crate::source::Run;

/// Entities in one statement: below every engine's limit of bound values.
const CHUNK: usize = 500;

pub(super) fn stored_id(epoch: EpochId) -> Result<i32, DbError> {
    i32::try_from(epoch.0).map_err(|_| DbError::not_found("an epoch of this number"))
}

pub(super) fn epoch_id(row: &pseudonym_epoch::Model) -> Result<EpochId, DbError> {
    let id = u32::try_from(row.id);
    id.map(EpochId)
        .map_err(|_| DbError::corrupt("pseudonym_epoch", "id", row.id, "negative"))
}

/// Epochs with the secret of fingerprints (0), oldest first.
pub(super) async fn epochs(
    connection: &impl ConnectionTrait,
) -> Result<Vec<pseudonym_epoch::Model>, DbError> {
    let rows = pseudonym_epoch::Entity::find()
        .order_by_asc(pseudonym_epoch::Column::Id)
        .all(connection)
        .await?;
    Ok(rows)
}

pub(super) async fn add_epoch(
    connection: &impl ConnectionTrait,
    epoch: pseudonym_epoch::ActiveModel,
) -> Result<(), DbError> {
    pseudonym_epoch::Entity::insert(epoch)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Puts the secret of an epoch in as wrapped by another master key.
pub(super) async fn rewrap(
    connection: &impl ConnectionTrait,
    id: i32,
    wrapped: Vec<u8>,
    master_key: &str,
) -> Result<(), DbError> {
    use pseudonym_epoch::Column;
    pseudonym_epoch::Entity::update_many()
        .col_expr(Column::WrappedSecret, Expr::value(wrapped))
        .col_expr(Column::MasterKey, Expr::value(master_key))
        .filter(Column::Id.eq(id))
        .exec(connection)
        .await?;
    Ok(())
}

/// Keeps whom a batch has met. Who is known stays as it is; who was erased in any epoch is not
/// learnt again; of epochs dropped meanwhile nothing is kept.
pub(crate) async fn keep(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
    run: Run,
    met: &[Met],
) -> Result<(), DbError> {
    if met.is_empty() {
        return Ok(());
    }
    let mut alive = HashSet::new();
    for row in epochs(connection).await? {
        if row.wrapped_secret.is_some() {
            alive.insert(epoch_id(&row)?);
        }
    }
    let by_pseudonym: BTreeMap<Pseudonym, &Met> = met
        .iter()
        .filter(|met| alive.contains(&met.pseudonym.epoch))
        .map(|met| (met.pseudonym, met))
        .collect();
    let met: Vec<&Met> = by_pseudonym.into_values().collect();
    for met in met.chunks(CHUNK) {
        keep_chunk(connection, table, run, met).await?;
    }
    Ok(())
}

async fn keep_chunk(
    connection: &impl ConnectionTrait,
    table: SentinelTable,
    run: Run,
    met: &[&Met],
) -> Result<(), DbError> {
    let mut known = HashMap::new();
    let asked: Vec<String> = met
        .iter()
        .flat_map(|met| std::iter::once(&met.pseudonym).chain(&met.elsewhere))
        .map(ToString::to_string)
        .collect();
    for asked in asked.chunks(CHUNK) {
        known.extend(known_of(connection, asked).await?);
    }
    let erased = |met: &Met| {
        let mut others = met.elsewhere.iter();
        others.find_map(|other| known.get(&other.to_string()).copied().flatten())
    };
    let mut rows = Vec::new();
    let mut added = HashMap::new();
    for met in met {
        let pseudonym = met.pseudonym.to_string();
        if known.contains_key(&pseudonym) {
            continue;
        }
        let erased_at = erased(met);
        added.insert(pseudonym.clone(), erased_at);
        let sealed = met.sealed.as_bytes().to_vec();
        rows.push(pseudonym_vault::ActiveModel {
            pseudonym: Set(pseudonym),
            epoch: Set(stored_id(met.pseudonym.epoch)?),
            kind: Set(met.pseudonym.kind.name().to_owned()),
            sealed: Set(erased_at.is_none().then_some(sealed)),
            table_name: Set(table.name().to_owned()),
            known_at: Set(run.as_of),
            run_id: Set(run.run_id.as_uuid()),
            erased_at: Set(erased_at),
        });
    }
    if rows.is_empty() {
        return Ok(());
    }
    let as_it_is = OnConflict::column(pseudonym_vault::Column::Pseudonym)
        .do_nothing()
        .to_owned();
    pseudonym_vault::Entity::insert_many(rows)
        .on_conflict(as_it_is)
        .exec_without_returning(connection)
        .await?;
    let fresh = met
        .iter()
        .filter(|met| added.get(&met.pseudonym.to_string()) == Some(&None));
    let mut aliases = Vec::new();
    for met in fresh {
        for other in &met.elsewhere {
            let name = other.to_string();
            let present = known.get(&name).or_else(|| added.get(&name));
            if present == Some(&None) {
                aliases.push(alias(met.pseudonym, *other)?);
            }
        }
    }
    link(connection, aliases).await
}

/// Those that are known, and when they were erased.
async fn known_of(
    connection: &impl ConnectionTrait,
    pseudonyms: &[String],
) -> Result<Vec<(String, Option<DateTime<Utc>>)>, DbError> {
    use pseudonym_vault::Column;
    let rows = pseudonym_vault::Entity::find()
        .select_only()
        .columns([Column::Pseudonym, Column::ErasedAt])
        .filter(Column::Pseudonym.is_in(pseudonyms))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows)
}

fn alias(one: Pseudonym, other: Pseudonym) -> Result<pseudonym_alias::ActiveModel, DbError> {
    let (older, newer) = if one.epoch < other.epoch {
        (one, other)
    } else {
        (other, one)
    };
    Ok(pseudonym_alias::ActiveModel {
        newer: Set(newer.to_string()),
        older: Set(older.to_string()),
        newer_epoch: Set(stored_id(newer.epoch)?),
        older_epoch: Set(stored_id(older.epoch)?),
    })
}

async fn link(
    connection: &impl ConnectionTrait,
    aliases: Vec<pseudonym_alias::ActiveModel>,
) -> Result<(), DbError> {
    use pseudonym_alias::Column;
    let as_it_is = OnConflict::columns([Column::Newer, Column::Older])
        .do_nothing()
        .to_owned();
    for aliases in aliases.chunks(CHUNK) {
        pseudonym_alias::Entity::insert_many(aliases.to_vec())
            .on_conflict(as_it_is.clone())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn entry(
    connection: &impl ConnectionTrait,
    pseudonym: Pseudonym,
) -> Result<Option<pseudonym_vault::Model>, DbError> {
    let row = pseudonym_vault::Entity::find_by_id(pseudonym.to_string())
        .one(connection)
        .await?;
    Ok(row)
}

pub(super) async fn list(
    connection: &impl ConnectionTrait,
    kind: Option<EntityKind>,
    limit: u64,
) -> Result<Vec<pseudonym_vault::Model>, DbError> {
    use pseudonym_vault::Column;
    let mut query = pseudonym_vault::Entity::find();
    if let Some(kind) = kind {
        query = query.filter(Column::Kind.eq(kind.name()));
    }
    let rows = query
        .order_by_desc(Column::KnownAt)
        .order_by_asc(Column::Pseudonym)
        .limit(limit)
        .all(connection)
        .await?;
    Ok(rows)
}

/// How many names an epoch still holds.
pub(super) async fn names(connection: &impl ConnectionTrait, epoch: i32) -> Result<u64, DbError> {
    use pseudonym_vault::Column;
    let count = pseudonym_vault::Entity::find()
        .filter(Column::Epoch.eq(epoch))
        .filter(Column::ErasedAt.is_null())
        .count(connection)
        .await?;
    Ok(count)
}

/// The other pseudonyms of an entity.
pub(super) async fn linked(
    connection: &impl ConnectionTrait,
    pseudonym: &str,
) -> Result<BTreeSet<String>, DbError> {
    let rows = pseudonym_alias::Entity::find()
        .filter(either(pseudonym))
        .all(connection)
        .await?;
    let both = rows.into_iter().flat_map(|row| [row.older, row.newer]);
    Ok(both.filter(|other| other != pseudonym).collect())
}

fn either(pseudonym: &str) -> Condition {
    use pseudonym_alias::Column;
    Condition::any()
        .add(Column::Newer.eq(pseudonym))
        .add(Column::Older.eq(pseudonym))
}

/// Drops an epoch: its secret, its names, its links. Returns how many names went.
pub(super) async fn drop_epoch(
    connection: &impl ConnectionTrait,
    epoch: i32,
    now: DateTime<Utc>,
    by: &str,
) -> Result<u64, DbError> {
    let names = names(connection, epoch).await?;
    pseudonym_alias::Entity::delete_many()
        .filter(
            Condition::any()
                .add(pseudonym_alias::Column::NewerEpoch.eq(epoch))
                .add(pseudonym_alias::Column::OlderEpoch.eq(epoch)),
        )
        .exec(connection)
        .await?;
    pseudonym_vault::Entity::delete_many()
        .filter(pseudonym_vault::Column::Epoch.eq(epoch))
        .exec(connection)
        .await?;
    use pseudonym_epoch::Column;
    pseudonym_epoch::Entity::update_many()
        .col_expr(Column::WrappedSecret, Expr::value(Option::<Vec<u8>>::None))
        .col_expr(Column::DroppedAt, Expr::value(now))
        .col_expr(Column::DroppedBy, Expr::value(by))
        .filter(Column::Id.eq(epoch))
        .exec(connection)
        .await?;
    Ok(names)
}

/// Erases what stands behind these pseudonyms, and their links. The pseudonyms stay, so that nobody
/// is learnt again.
pub(super) async fn erase(
    connection: &impl ConnectionTrait,
    pseudonyms: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    use pseudonym_vault::Column;
    for pseudonym in pseudonyms {
        pseudonym_alias::Entity::delete_many()
            .filter(either(pseudonym))
            .exec(connection)
            .await?;
        pseudonym_vault::Entity::update_many()
            .col_expr(Column::Sealed, Expr::value(Option::<Vec<u8>>::None))
            .col_expr(Column::ErasedAt, Expr::value(now))
            .filter(Column::Pseudonym.eq(pseudonym))
            .exec(connection)
            .await?;
    }
    Ok(())
}

/// Has SQLite overwrite what is deleted in this transaction. PostgreSQL does so when it vacuums.
pub(super) async fn overwrite_deleted(
    connection: &impl ConnectionTrait,
    engine: Engine,
) -> Result<(), DbError> {
    if engine == Engine::Sqlite {
        let pragma = "PRAGMA secure_delete = ON";
        connection.execute_unprepared(pragma).await?;
    }
    Ok(())
}

/// Empties SQLite's log, in which what was deleted still stands. When readers are in the way that
/// happens at a later checkpoint.
pub(super) async fn forget_log(database: &Database) -> Result<(), DbError> {
    let connection = database.connection();
    match database.engine() {
        Engine::Sqlite => {
            let pragma = "PRAGMA wal_checkpoint(TRUNCATE)";
            connection.execute_unprepared(pragma).await?;
        }
        Engine::Postgres => {
            let vacuum = "VACUUM pseudonym_epoch, pseudonym_vault, pseudonym_alias";
            connection.execute_unprepared(vacuum).await?;
        }
    }
    Ok(())
}
