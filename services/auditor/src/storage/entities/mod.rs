//! Rows as they are stored, one file a table.

pub(crate) mod audit_checkpoint;
pub(crate) mod audit_head;
pub(crate) mod audit_record;
pub(crate) mod evaluated_forecast;
pub(crate) mod evaluation;
pub(crate) mod phase;
pub(crate) mod settled_window;
