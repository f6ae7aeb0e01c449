//! Generated gRPC code, conversions to domain types, and the one map from errors to status codes.
