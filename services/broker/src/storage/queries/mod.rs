//! Queries, one file a family.

pub(crate) mod audit_outbox;
pub(crate) mod kill_switch;
pub(crate) mod proposals;
