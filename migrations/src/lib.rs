//! One schema a service, add-only: a migration that has landed is never changed.
//!
//! Embedded, every service has an SQLite file of its own; in the cluster, a PostgreSQL schema of its
//! own. Tables are therefore named without a schema.

pub mod auditor;
pub mod broker;
pub mod feature_store;
pub mod ingestion;
pub mod orchestrator;
pub mod scorer;
pub mod trainer;
