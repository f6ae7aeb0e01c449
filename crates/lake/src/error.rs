//! What can go wrong, as decisions for the caller.

/// An operation on the lake that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The location cannot be a lake.
    #[error("lake url {url:?} cannot be used: {problem}")]
    Config {
        /// The location as configured; never carries credentials.
        url: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A path that could leave the lake or cannot be stored.
    #[error("lake path {path:?} is refused: {problem}")]
    InvalidPath {
        /// The path, cut to 256 characters.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing is stored there.
    #[error("lake object {path} does not exist")]
    NotFound {
        /// Which object.
        path: String,
    },
    /// Other bytes are already stored there. Objects are immutable.
    #[error("lake object {path} already exists with other content")]
    Conflict {
        /// Which object.
        path: String,
    },
    /// The bytes are not those that were written.
    #[error("lake object {path} is damaged: expected sha256 {expected}, found {found}")]
    ChecksumMismatch {
        /// Which object.
        path: String,
        /// The checksum the caller knows, hex.
        expected: String,
        /// The checksum of what is stored, hex.
        found: String,
    },
    /// The object is not the Parquet table it should be.
    #[error("lake object {path} is not a readable table: {problem}")]
    Corrupt {
        /// Which object.
        path: String,
        /// What the reader said.
        problem: String,
    },
    /// The object is larger than is ever written.
    #[error("lake object {path} has {size} bytes, more than the {limit} that are read")]
    TooLarge {
        /// Which object.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A bucket that must not be stored.
    #[error("bucket of {measure} at {at} is refused: {problem}")]
    InvalidBucket {
        /// Which measure.
        measure: String,
        /// The bucket's event time, RFC 3339.
        at: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The store did not answer or refused. Worth another try later.
    #[error("lake store failed at {path}")]
    Store {
        /// Which object or prefix.
        path: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
}

impl LakeError {
    pub(crate) fn store(path: &str, source: object_store::Error) -> Self {
        match source {
            object_store::Error::NotFound { .. } => Self::NotFound {
                path: path.to_owned(),
            },
            source => Self::Store {
                path: path.to_owned(),
                source,
            },
        }
    }
}
