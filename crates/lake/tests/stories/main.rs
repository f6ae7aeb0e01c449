//! The lake as its readers and writers know it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod arrivals_as_of;
mod azure_blobs;
mod buckets_as_of;
mod immutable_objects;
