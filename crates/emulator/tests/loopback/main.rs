//! The emulator as clients see it: over the wire, on loopback.

mod control;
mod entra;
mod fixture;
mod ingestion;
mod query;
mod teams;
