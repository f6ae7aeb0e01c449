//! Hash-chained audit records and their offline verification. Pure.
