//! The orchestrator behind its port, between callers on one side and fakes of the six services on
//! the other.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod calendar;
mod configuration;
mod failures;
mod fakes;
mod hostile;
mod postgres;
mod restarts;
mod story;
mod walks;
