//! What is laid out, as stories: its shape, and its way into a workspace and out of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arm_types;
mod fixture;
mod foreign;
mod layout;
mod schema;
mod shape;
