//! What leaves a service arrives: at least once, in order, from one replica at a time, on every database
//! engine that is at hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;
mod leases;
mod order;
mod random;
