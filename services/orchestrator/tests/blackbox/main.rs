//! The orchestrator behind its port, between callers on one side and fakes of the six services on
//! the other.

mod calendar;
mod configuration;
mod failures;
mod fakes;
mod hostile;
mod restarts;
mod story;
mod walks;
