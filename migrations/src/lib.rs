//! One schema a service, add-only: a migration that has landed is never changed.
//!
//! Embedded, every service has an SQLite file of its own; in the cluster, a PostgreSQL schema of its
//! own. Tables are therefore named without a schema.
//!
//! A service calls [`migrate`] with its own `Migrator` before it does anything else. Replicas that
//! start together take turns; a database that a newer Foretide has already migrated is refused
//! rather than written to.

use foretide_db::{Database, DbError};
use sea_orm_migration::MigratorTrait;

mod accepted_batch;
pub mod auditor;
mod backfill;
pub mod broker;
pub mod feature_store;
pub mod ingestion;
pub mod orchestrator;
mod outbox;
mod pseudonyms;
pub mod queue;
pub mod scorer;
pub mod trainer;

/// Why a schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer Foretide was here. Nothing was changed.
    #[error(
        "the schema of {service} has migration {unknown:?}, which this version of foretide does not \
         know: run the newer version again or restore a backup"
    )]
    NewerSchema {
        /// Whose schema.
        service: String,
        /// The first migration this version does not know.
        unknown: String,
    },
    /// The database refused. Nothing was changed.
    #[error("cannot migrate the schema of {service}")]
    Database {
        /// Whose schema.
        service: String,
        /// Why.
        source: DbError,
    },
}

/// Brings the schema of the database's service up to date, all or nothing, and returns the names of
/// the migrations applied now.
///
/// # Errors
/// [`MigrateError`]; the schema is then as it was.
pub async fn migrate<M: MigratorTrait>(database: &Database) -> Result<Vec<String>, MigrateError> {
    let failed = |source: DbError| MigrateError::Database {
        service: database.service().to_owned(),
        source,
    };
    let transaction = database.begin_schema_change().await.map_err(failed)?;
    let applied = M::get_migration_models(&transaction)
        .await
        .map_err(DbError::from)
        .map_err(failed)?;
    let known: Vec<String> = M::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    if let Some(unknown) = applied.iter().find(|row| !known.contains(&row.version)) {
        return Err(MigrateError::NewerSchema {
            service: database.service().to_owned(),
            unknown: unknown.version.clone(),
        });
    }
    let pending: Vec<String> = known
        .into_iter()
        .filter(|name| applied.iter().all(|row| row.version != *name))
        .collect();
    if !pending.is_empty() {
        M::up(&transaction, None)
            .await
            .map_err(DbError::from)
            .map_err(failed)?;
    }
    database
        .make_installation_table(&transaction)
        .await
        .map_err(failed)?;
    transaction
        .commit()
        .await
        .map_err(DbError::from)
        .map_err(failed)?;
    tracing::debug!(service = database.service(), applied = ?pending, "schema is up to date");
    Ok(pending)
}
