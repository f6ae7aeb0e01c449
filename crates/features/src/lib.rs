//! Feature view declarations and their computation from hourly buckets. Pure.
