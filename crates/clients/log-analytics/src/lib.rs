#![doc = include_str!("../README.md")]

mod answer;
mod client;
mod error;

pub use answer::{AnswerError, Cell, Column, Table, parse_answer};
pub use client::{MAX_ANSWER_BYTES, QueryClient, WorkspaceConfig};
pub use error::QueryError;
