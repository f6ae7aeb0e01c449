#![doc = include_str!("../README.md")]

mod audit;
mod backoff;
mod courier;
mod grpc;
mod item;
mod metrics;
mod table;

pub use audit::{AUDIT, AuditChain, AuditEvent};
pub use backoff::Backoff;
pub use courier::{Courier, Destination};
pub use grpc::OutboxGrpc;
pub use item::{Item, NewItem, Outcome, State};
pub use table::{Counts, Outbox, Undelivered, insert};
