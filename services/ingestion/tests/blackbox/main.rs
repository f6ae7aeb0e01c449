//! The service through its gRPC face, on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod bad_input;
mod cluster;
mod crashes;
mod files;
mod no_gap;
mod query_api;
mod replay;
mod workspace;
mod world;
