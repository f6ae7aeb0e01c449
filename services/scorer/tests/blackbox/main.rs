//! The scorer from outside: over gRPC, with fakes of the services it calls and of the ingestion
//! endpoint, a real lake, SQLite and ONNX Runtime.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adaptation;
mod configuration;
mod fakes;
mod forecasts;
mod outboxes;
mod reading;
mod risk;
mod standing;
mod unusable;
mod watchlist;
mod world;
