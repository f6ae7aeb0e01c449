//! The broker as its callers, and the channel, see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod approvals;
mod configuration;
mod executions;
mod fakes;
mod kill_switch;
mod planning;
mod proposals;
mod soc;
