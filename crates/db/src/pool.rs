//! The pools behind a database: what every connection is set to, and which ones are never used again.
//!
//! A connection whose commit, rollback or savepoint failed may still stand inside its transaction,
//! while the driver counts otherwise (or the other way round). Whoever got it next would write into
//! that old transaction and be told "committed". So each connection is asked when it comes back, and
//! closed unless it stands outside a transaction.

use std::io;
use std::path::Path;
use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection, Row as _};

use crate::DbError;

/// Readers run beside the one writer that SQLite allows.
const SQLITE_CONNECTIONS: u32 = 4;
/// Seven services with two replicas each stay below PostgreSQL's default of 100 connections.
const POSTGRES_CONNECTIONS: u32 = 6;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn open_file(folder: &Path, service: &str) -> Result<DatabaseConnection, DbError> {
    make_folder(folder).await.map_err(|error| {
        DbError::unavailable(
            format!("cannot create the folder {}", folder.display()),
            error,
        )
    })?;
    let file = folder.join(format!("{service}.db"));
    make_file(&file)
        .await
        .map_err(|error| DbError::unavailable(format!("cannot make {}", file.display()), error))?;
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(SQLITE_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_release(|connection, _| {
            Box::pin(async move { Ok(kept(sqlite_is_idle(connection).await)) })
        })
        .connect_with(options)
        .await
        .map_err(|error| DbError::unavailable(format!("cannot open {}", file.display()), error))?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

async fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await
}

/// Makes the file when it is missing, for its user only; SQLite makes the files beside it alike. A file
/// that is there is not opened: closing it would end SQLite's own locks on it.
async fn make_file(file: &Path) -> io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(file).await {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome.map(drop),
    }
}

pub(crate) async fn open_server(
    options: PgConnectOptions,
    service: &str,
    schema: &str,
) -> Result<DatabaseConnection, DbError> {
    // `apalis` holds a type of the queue's tables, which all services share; `public` stays on the
    // path for extensions an administrator has put there.
    let options = options
        .application_name(&format!("foretide-{service}"))
        .options([("search_path", format!("{schema},apalis,public"))])
        .disable_statement_logging();
    let address = format!("{}:{}", options.get_host(), options.get_port());
    let refused = |error: sqlx::Error| {
        DbError::unavailable(format!("cannot connect to PostgreSQL at {address}"), error)
    };
    // The pool would only say that it timed out; a connection of its own says why.
    let probe = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect())
        .await
        .map_err(|_| refused(sqlx::Error::PoolTimedOut))?
        .map_err(refused)?;
    probe.close().await.map_err(refused)?;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(wait_for_the_disk(connection)))
        .after_release(|connection, _| {
            Box::pin(async move { Ok(kept(postgres_is_idle(connection).await)) })
        })
        .connect_lazy_with(options);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// Whether the connection may go back to its pool.
fn kept(is_idle: Result<bool, sqlx::Error>) -> bool {
    match is_idle {
        Ok(true) => true,
        Ok(false) => {
            tracing::warn!("closed a connection that came back inside a transaction");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "closed a connection that came back unusable");
            false
        }
    }
}

/// SQLite refuses to change this setting inside a transaction, however that was begun, so setting it
/// is the question; whoever weakened it meanwhile (apalis' own set-up turns it off) has done so for
/// nobody else. A rollback the driver has queued runs before. The driver's own count must agree:
/// SQLite ends a transaction by itself when it runs out of space, which the driver does not see.
async fn sqlite_is_idle(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql("PRAGMA synchronous = FULL")
        .execute(&mut *connection)
        .await?;
    Ok(!connection.is_in_transaction())
}

/// A role or a server may have commits acknowledged before they are written. What is stricter stays.
async fn wait_for_the_disk(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A transaction's time stands still, a statement's does not; an aborted transaction answers with an
/// error.
async fn postgres_is_idle(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT transaction_timestamp() = statement_timestamp()")
        .fetch_one(&mut *connection)
        .await?;
    Ok(row.try_get::<bool, _>(0)? && !connection.is_in_transaction())
}
