//! Step 5, audit: settled forecasts evaluated, phases kept, the audit chain.
