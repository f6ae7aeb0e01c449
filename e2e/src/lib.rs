//! End-to-end stories over real binaries and real counterparts.
