//! The emulator as clients see it: over the wire, on loopback.

mod arm;
mod assertions;
mod control;
mod entra;
mod faults;
mod fixture;
mod ingestion;
mod machine;
mod own_client;
mod query;
mod teams;
