//! The job queue; the only crate that names apalis.
//!
//! A [`Job`] is a named, versioned payload with a budget of attempts and a deadline. [`Queue::push`]
//! puts it into the service's own database (SQLite or PostgreSQL), once for each dedup key. A
//! [`Worker`] picks jobs up, runs their [`Handler`], and does what the handler decided: [`Outcome`]
//! is done, retry or fail. A job that fails or has used up its attempts becomes a dead letter, which
//! a person can look at and retry.
//!
//! # What holds
//! - A job whose process is killed is picked up by another worker within seconds: workers send
//!   heartbeats, and every process start has a worker name of its own.
//! - What a handler decided is written in one transaction with the end of the job, and only by the
//!   worker that still holds it. A worker that was believed dead cannot write a second ending.
//! - So a handler can run more than once, but its job ends once. Handlers make their effects
//!   idempotent.
//! - Deaths of the process count as attempts: a job that kills its process becomes a dead letter.
//!
//! # What is apalis and what is ours
//! Tables, claiming, heartbeats, orphan detection and dedup are apalis' queries. The loop around them
//! is ours: apalis' own stops sending heartbeats while it drains, parks a half-done fetch (and with
//! it SQLite's write lock) when it is paused, ends silently when the connection is lost, and cannot
//! write a retry and the end of a job in one transaction.

mod backoff;
mod dead_letter;
mod envelope;
mod error;
mod handler;
mod job;
mod queue;
mod store;
mod worker;

pub use backoff::Backoff;
pub use dead_letter::DeadLetter;
pub use error::QueueError;
pub use handler::Handler;
pub use job::{Job, JobContext, Outcome, PayloadError};
pub use queue::{PushOptions, Pushed, Queue};
pub use worker::{Worker, WorkerOptions};
