//! One bootstrap for every service: gRPC server, health, reflection, deadlines, size limits, trace context, callers, drain.
