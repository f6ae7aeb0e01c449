//! Sentinel's control plane as stories: against the emulator, and against answers written by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod incidents;
mod operations;
mod planning;
mod refusals;
mod rules;
mod watchlists;
