//! Database connections, named retried transactions, errors that are decisions.
