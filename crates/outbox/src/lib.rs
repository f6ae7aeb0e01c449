#![doc = include_str!("../README.md")]

mod audit;
mod backoff;
mod courier;
mod item;
mod metrics;
mod table;

pub use audit::{AUDIT, AuditChain, AuditEvent};
pub use backoff::Backoff;
pub use courier::{Courier, Destination};
pub use item::{Item, NewItem, Outcome, State};
pub use table::{Counts, Outbox, Undelivered, insert};
