//! Log Analytics query API client.
