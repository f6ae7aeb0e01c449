//! Step 1, ingest: a workspace's history into hourly buckets in the lake.
