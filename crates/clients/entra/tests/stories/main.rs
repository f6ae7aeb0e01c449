//! Each way to a token, against endpoints on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caching;
mod certificate;
mod client_secret;
mod environment;
mod fake;
mod managed_identity;
mod platforms;
mod secrecy_of_tokens;
mod workload_identity;
