//! Outgoing HTTP: TLS, time-outs, retries with Retry-After, request ids.
