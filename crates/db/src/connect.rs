//! Opening a service's database.

use std::path::Path;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqlxPostgresConnector,
    SqlxSqliteConnector, Statement, TransactionTrait,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::config::Location;
use crate::{DatabaseConfig, DbError};

/// Readers run beside the one writer that SQLite allows.
const SQLITE_CONNECTIONS: u32 = 4;
/// Seven services with two replicas each stay below PostgreSQL's default of 100 connections.
const POSTGRES_CONNECTIONS: u32 = 6;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Which engine carries the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file a service.
    Sqlite,
    /// One schema a service.
    Postgres,
}

/// A service's own database: a pool of connections that see only this service's tables. Cheap to
/// clone.
#[derive(Clone)]
pub struct Database {
    connection: DatabaseConnection,
    engine: Engine,
    service: String,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("engine", &self.engine)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database of a service. An SQLite file is created when it is missing; a PostgreSQL
    /// schema is created by the migrations, because only they need the right to do so.
    ///
    /// # Errors
    /// [`DbError::BadUrl`] when the URL cannot be used, [`DbError::Unavailable`] when the folder or
    /// the server cannot be reached. Neither contains the URL.
    ///
    /// # Panics
    /// When `service` is not lower-case letters, digits and dashes: service names are constants.
    pub async fn connect(config: &DatabaseConfig, service: &str) -> Result<Self, DbError> {
        let is_name = !service.is_empty()
            && service
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(
            is_name,
            "service name {service:?} must be lower-case letters, digits and dashes"
        );
        let (connection, engine) = match config.location()? {
            Location::SqliteFolder(folder) => (open_file(&folder, service).await?, Engine::Sqlite),
            Location::Postgres(options) => {
                (open_server(*options, service).await?, Engine::Postgres)
            }
        };
        Ok(Self {
            connection,
            engine,
            service: service.to_owned(),
        })
    }

    /// The connections, for sea-orm.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Which engine carries the tables.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The service this database belongs to.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Name of the service's PostgreSQL schema: the service name with underscores.
    #[must_use]
    pub fn schema(&self) -> String {
        schema_of(&self.service)
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.connection
            .ping()
            .await
            .map_err(|error| DbError::unavailable("the database does not answer", error))
    }

    /// Closes the connections of this and all its clones, after the running statements.
    ///
    /// # Errors
    /// When the driver cannot close them.
    pub async fn close(&self) -> Result<(), DbError> {
        self.connection.close_by_ref().await.map_err(DbError::from)
    }

    /// Begins the transaction in which this service's schema may be changed: alone, and with the
    /// schema there.
    ///
    /// # Errors
    /// When the schema is missing and the user may not create it, or the database is unavailable.
    pub async fn begin_schema_change(&self) -> Result<DatabaseTransaction, DbError> {
        if self.engine == Engine::Sqlite {
            return self.begin().await;
        }
        // Read committed, so that what others did while we waited for the lock is seen.
        let transaction = self.connection.begin().await?;
        self.claim_schema(&transaction).await?;
        Ok(transaction)
    }

    async fn claim_schema(&self, transaction: &DatabaseTransaction) -> Result<(), DbError> {
        let schema = self.schema();
        let lock = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_advisory_xact_lock(hashtext($1))",
            [format!("foretide schema {schema}").into()],
        );
        transaction.execute_raw(lock).await?;
        // Asked first: a user without the right to create schemas can still migrate one that is there.
        let lookup = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT 1 FROM pg_namespace WHERE nspname = $1",
            [schema.clone().into()],
        );
        if transaction.query_one_raw(lookup).await?.is_none() {
            transaction
                .execute_unprepared(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""))
                .await?;
        }
        Ok(())
    }
}

fn schema_of(service: &str) -> String {
    service.replace('-', "_")
}

async fn open_file(folder: &Path, service: &str) -> Result<DatabaseConnection, DbError> {
    let unreachable = |error| {
        DbError::unavailable(
            format!("cannot create the folder {}", folder.display()),
            error,
        )
    };
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(unreachable)?;
    let file = folder.join(format!("{service}.db"));
    // With a write-ahead log, NORMAL loses nothing when the process is killed.
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(SQLITE_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(|error| DbError::unavailable(format!("cannot open {}", file.display()), error))?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

async fn open_server(
    options: PgConnectOptions,
    service: &str,
) -> Result<DatabaseConnection, DbError> {
    // `apalis` holds a type of the queue's tables, which all services share; `public` stays on the
    // path for extensions an administrator has put there.
    let options = options
        .application_name(&format!("foretide-{service}"))
        .options([(
            "search_path",
            format!("{},apalis,public", schema_of(service)),
        )])
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
        .connect_lazy_with(options);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}
