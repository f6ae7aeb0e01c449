//! Queries, one file a family.

pub(crate) mod audit;
pub(crate) mod checkpoints;
pub(crate) mod evaluations;
pub(crate) mod phases;
pub(crate) mod windows;
