//! Logs, traces and metrics set up once.
