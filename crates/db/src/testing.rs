//! A fresh database on every engine that is at hand, for tests.
//!
//! SQLite is always there. PostgreSQL is used when the variable [`POSTGRES_URL`] names a server on
//! which databases may be created; the server is expected to be thrown away afterwards.

use std::str::FromStr;

use sea_orm::DatabaseConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tempfile::TempDir;

use crate::{Database, DatabaseConfig, Engine};

/// Names the variable that holds the URL of a throw-away PostgreSQL server.
pub const POSTGRES_URL: &str = "FORETIDE_TEST_POSTGRES_URL";

/// A place for the tables of one test. The SQLite folder goes away with it.
#[derive(Debug)]
pub struct TestDatabase {
    /// What to connect to.
    pub config: DatabaseConfig,
    /// Which engine it is.
    pub engine: Engine,
    folder: Option<TempDir>,
}

impl TestDatabase {
    /// An empty folder for SQLite.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = DatabaseConfig::new(format!("sqlite:{}", folder.path().display()));
        Self {
            config,
            engine: Engine::Sqlite,
            folder: Some(folder),
        }
    }

    /// An empty PostgreSQL database, or nothing, with a line that says so, when no server is named.
    ///
    /// # Panics
    /// When a server is named but no database can be made on it.
    pub async fn postgres() -> Option<Self> {
        let Ok(url) = std::env::var(POSTGRES_URL) else {
            eprintln!("skipped on PostgreSQL: set {POSTGRES_URL} to run this test there too");
            return None;
        };
        let name = format!("foretide_test_{}", uuid::Uuid::now_v7().simple());
        let options = PgConnectOptions::from_str(&url).expect("a usable test URL");
        let mut admin = options
            .clone()
            .connect()
            .await
            .expect("a test server that answers");
        // The name is made of letters and digits of our own choice.
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        admin
            .execute(statement)
            .await
            .expect("the right to create databases");
        let url = options.database(&name).to_url_lossy();
        Some(Self {
            config: DatabaseConfig::new(url),
            engine: Engine::Postgres,
            folder: None,
        })
    }

    /// One for each engine that is at hand.
    pub async fn every_engine() -> Vec<Self> {
        [Some(Self::sqlite()), Self::postgres().await]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The folder of the SQLite files, if this is SQLite.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_ref().map(TempDir::path)
    }
}

/// Lets a database on SQLite run out of space: what it holds fits, one page more does not. Connections
/// that are replaced afterwards have space again, so this is said again before each write.
pub async fn without_space(database: &Database) {
    limit_pages(database.connection(), 1).await;
}

/// Gives it space again.
pub async fn with_space(database: &Database) {
    limit_pages(database.connection(), 1_000_000).await;
}

/// SQLite keeps the limit in the connection and never sets it below what is used.
async fn limit_pages(connection: &DatabaseConnection, pages: u32) {
    let pool = connection.get_sqlite_connection_pool();
    let mut all = Vec::new();
    while all.len() < pool.options().get_max_connections() as usize {
        all.push(pool.acquire().await.expect("a connection"));
    }
    for connection in &mut all {
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        connection.execute(limit).await.expect("the limit");
    }
}
