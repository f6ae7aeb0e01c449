//! The web face: forecasts, high-risk periods, runs, approvals, audit.
