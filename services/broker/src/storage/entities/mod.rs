//! Rows as they are stored, one file a table.

pub(crate) mod audit_outbox;
pub(crate) mod decision;
pub(crate) mod kill_switch;
pub(crate) mod proposal;
