//! Rows as they are stored, one file a table.

pub(crate) mod decision;
pub(crate) mod kill_switch;
pub(crate) mod proposal;
