//! Step 2, features: bitemporal feature rows, training sets as of a moment, online values.
