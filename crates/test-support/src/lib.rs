//! Real counterparts for tests: PostgreSQL, MLflow, Azurite, the KQL engine; conditions instead of sleeps.
