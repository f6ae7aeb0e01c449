//! What a service is given.

use std::path::PathBuf;
use std::sync::Arc;

use foretide_db::DatabaseConfig;
use foretide_domain::{SharedClock, UseCase, UseCaseId};
use foretide_lake::Lake;
use tokio_util::sync::CancellationToken;

use crate::peers::Peers;

/// Everything a service gets from outside. Nothing is read from statics or the environment.
#[derive(Clone)]
pub struct ServiceContext {
    /// The service's name: `ingestion`, `feature-store` ...
    pub name: &'static str,
    /// Where "now" comes from.
    pub clock: SharedClock,
    /// Cancelled when the process is asked to stop: take no new work, finish what runs.
    pub shutdown: CancellationToken,
    /// The other services.
    pub peers: Peers,
    /// Where the service's own schema lies.
    pub database: DatabaseConfig,
    /// The lake.
    pub lake: Lake,
    /// The declared use cases.
    pub use_cases: Arc<Vec<UseCase>>,
    /// ONNX Runtime's library, when it has been found.
    pub onnx_library: Option<PathBuf>,
}

impl ServiceContext {
    /// The declaration of a use case.
    #[must_use]
    pub fn use_case(&self, id: &UseCaseId) -> Option<&UseCase> {
        self.use_cases.iter().find(|use_case| use_case.id == *id)
    }
}

impl std::fmt::Debug for ServiceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceContext")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
