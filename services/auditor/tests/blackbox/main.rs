//! The auditor as its callers see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod audit_log;
mod checkpoints;
mod configuration;
mod evaluations;
mod fakes;
mod phases;
mod soc;
mod windows;
mod write_back;
