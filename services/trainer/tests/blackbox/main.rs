//! The trainer from outside: over gRPC, with a fake feature store, a real lake, SQLite, ONNX Runtime
//! and an MLflow in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod configuration;
mod ledger;
mod registry;
mod unusable;
mod world;
