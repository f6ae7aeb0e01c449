//! The lake: Parquet in a local folder or an object store, immutable, read as of a moment.
