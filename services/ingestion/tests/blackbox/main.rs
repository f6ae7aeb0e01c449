//! The service through its gRPC face, on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod auditor;
mod backfill;
mod bad_input;
mod cluster;
mod config_example;
mod crashes;
mod files;
mod foreign_files;
mod kql_agrees;
mod no_gap;
mod portal;
mod pseudonyms;
mod query_api;
mod real_input;
mod replay;
mod row_sets;
mod soc;
mod workspace;
mod world;
