//! Accepted rows are looked for through the query API of an Azure of one's own, and what was found out
//! is in the table, on every database engine that is at hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;
mod looking;
