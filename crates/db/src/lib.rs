//! Database connections, named retried transactions, errors that are decisions.
//!
//! One URL serves both ways to run. `sqlite:<folder>` gives every service a file of its own,
//! `<folder>/<service>.db`; `postgres://…` gives every service a schema of its own, which stands
//! first on the search path. Code above this crate therefore names tables without a schema and
//! never asks which engine it talks to.
//!
//! ```no_run
//! # async fn story() -> Result<(), foretide_db::DbError> {
//! use foretide_db::{Database, DatabaseConfig, DbError};
//! use sea_orm::ConnectionTrait;
//!
//! let database = Database::connect(&DatabaseConfig::new("sqlite:data"), "scorer").await?;
//! database
//!     .transaction("forget everything", |transaction| {
//!         Box::pin(async move {
//!             transaction.execute_unprepared("DELETE FROM forecast").await?;
//!             Ok::<_, DbError>(())
//!         })
//!     })
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod config;
mod connect;
mod error;
mod installation;
mod pool;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;

pub use config::DatabaseConfig;
pub use connect::{Database, Engine};
pub use error::DbError;
