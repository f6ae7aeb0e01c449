//! A fresh database on every engine that is at hand, for tests.
//!
//! SQLite is always there. PostgreSQL is used when the variable [`POSTGRES_URL`] names a server on
//! which databases may be created; the server is expected to be thrown away afterwards.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tempfile::TempDir;

use crate::{DatabaseConfig, Engine};

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
