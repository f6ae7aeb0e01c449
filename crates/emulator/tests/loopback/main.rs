//! The emulator as clients see it: over the wire, on loopback.

mod assertions;
mod control;
mod entra;
mod faults;
mod fixture;
mod ingestion;
mod machine;
mod query;
mod teams;
