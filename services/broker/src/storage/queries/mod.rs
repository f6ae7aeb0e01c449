//! Queries, one file a family.

pub(crate) mod kill_switch;
pub(crate) mod proposals;
