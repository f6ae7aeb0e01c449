//! Opening a service's database.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait,
};

use crate::config::Location;
use crate::pool::{open_file, open_server};
use crate::{DatabaseConfig, DbError};

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
                let schema = schema_of(service);
                let server = open_server(*options, service, &schema).await?;
                (server, Engine::Postgres)
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
