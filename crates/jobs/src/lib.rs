//! The job queue; the only crate that names apalis.
