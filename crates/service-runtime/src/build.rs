//! What a service hands over once it is built.

use futures::future::BoxFuture;
use tonic::service::Routes;

/// A service ready to be served.
pub struct BuiltService {
    pub(crate) routes: Routes,
    pub(crate) names: Vec<&'static str>,
    pub(crate) background: Vec<BoxFuture<'static, ()>>,
}

impl std::fmt::Debug for BuiltService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuiltService")
            .field("names", &self.names)
            .field("background", &self.background.len())
            .finish_non_exhaustive()
    }
}

impl BuiltService {
    /// A service with its routes and the full names of its gRPC services, for health checks.
    #[must_use]
    pub fn new(routes: Routes, names: Vec<&'static str>) -> Self {
        Self {
            routes,
            names,
            background: Vec::new(),
        }
    }

    /// Adds work that runs beside the server until the context's shutdown.
    #[must_use]
    pub fn with_background(mut self, work: impl Future<Output = ()> + Send + 'static) -> Self {
        self.background.push(Box::pin(work));
        self
    }
}

/// A service that cannot start.
#[derive(Debug, thiserror::Error)]
#[error("{context}: {source}")]
pub struct BuildError {
    context: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl BuildError {
    /// Says what was being set up when `source` happened.
    pub fn new(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            context: context.into(),
            source: source.into(),
        }
    }
}
