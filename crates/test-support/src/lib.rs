//! Real counterparts for tests, and conditions instead of sleeps.
//!
//! Foretide is tested against the real thing wherever it can be had on a laptop: a throwaway
//! PostgreSQL cluster ([`Postgres`]), an MLflow server ([`Mlflow`]), Azurite ([`Azurite`]) and a
//! KQL engine ([`KqlEngine`]). `cargo xtask setup` puts them into `<repository>/.tools`; each type
//! here starts one on a free port, waits until it answers, and stops it when dropped, also when
//! the test was killed. [`ForetideProcess`] does the same for the product's own binary.
//!
//! A test that needs a counterpart asks for it with [`or_skip`]: on a machine without it the test
//! says so and ends; under `cargo xtask test` (`FORETIDE_REQUIRE_COUNTERPARTS=1`) its absence is a
//! failure.
//!
//! ```no_run
//! # async fn story() -> anyhow::Result<()> {
//! use foretide_test_support::{Postgres, or_skip};
//!
//! let Some(postgres) = or_skip(Postgres::start().await)? else {
//!     return Ok(());
//! };
//! println!("{}", postgres.url());
//! # Ok(())
//! # }
//! ```

mod azurite;
mod foretide;
mod kql;
mod mlflow;
mod postgres;
mod process;
mod tools;
mod wait;

pub use azurite::Azurite;
pub use foretide::{ForetideOutput, ForetideProcess, foretide, foretide_binary};
pub use kql::KqlEngine;
pub use mlflow::Mlflow;
pub use postgres::Postgres;
pub use process::ManagedProcess;
pub use tools::{StartError, or_skip, python_of, repository_root, require_counterparts, tools_dir};
pub use wait::{free_port, get_ok, wait_until};
