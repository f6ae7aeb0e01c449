#![doc = include_str!("../README.md")]

mod answer;
mod client;
mod error;
mod limits;
mod statistics;

pub use answer::{Answer, AnswerError, Cell, Column, Table, parse_answer};
pub use client::{MAX_ANSWER_BYTES, MAX_WAIT, Patience, QueryClient, WorkspaceConfig};
pub use error::QueryError;
pub use limits::{MAX_CONCURRENT, MAX_CONCURRENT_SEARCHES, QueryLimits};
pub use statistics::Statistics;
