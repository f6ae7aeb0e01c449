//! Errors that leave the service.

use foretide_api::{ErrorCode, ServiceError};
use foretide_db::DbError;
use foretide_domain::SentinelTable;

use crate::source::IngestError;
use crate::vault::VaultError;

/// A call that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum IngestionError {
    /// The table is known but not read here.
    #[error("the table {0} is not configured: add it to tables")]
    NotConfigured(SentinelTable),
    /// The source cannot be reached.
    #[error("the source cannot be reached")]
    Source(#[source] IngestError),
    /// The keys of pseudonyms.
    #[error("the keys of pseudonyms cannot be had")]
    Vault(#[from] VaultError),
    /// The ledger.
    #[error("the ledger does not answer")]
    Ledger(#[from] DbError),
}

impl ServiceError for IngestionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotConfigured(_) => ErrorCode::InvalidArgument,
            Self::Source(_) => ErrorCode::Unavailable,
            Self::Vault(error) => error.code(),
            Self::Ledger(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Ledger(_) => ErrorCode::Internal,
        }
    }
}
