//! The eight services, and how each is built from the configuration.

use clap::ValueEnum;
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};

use crate::config::Config;

/// A service that can be run on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum ServiceName {
    /// Step 1: a workspace's history into hourly buckets.
    Ingestion,
    /// Step 2: feature rows, training sets, online values.
    FeatureStore,
    /// Step 3: champions as ONNX artefacts.
    Trainer,
    /// Step 4: forecasts, written back to the workspace.
    Scorer,
    /// Step 5: evaluations, phases, the audit chain.
    Auditor,
    /// Step 6: proposals, approvals, executions.
    Broker,
    /// The calendar and the queue.
    Orchestrator,
    /// The web face.
    Console,
}

impl ServiceName {
    /// All services; the order in which they are built.
    pub(crate) const ALL: [Self; 8] = [
        Self::Auditor,
        Self::Ingestion,
        Self::FeatureStore,
        Self::Trainer,
        Self::Scorer,
        Self::Broker,
        Self::Orchestrator,
        Self::Console,
    ];

    /// The name used for databases, logs and the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingestion => "ingestion",
            Self::FeatureStore => "feature-store",
            Self::Trainer => "trainer",
            Self::Scorer => "scorer",
            Self::Auditor => "auditor",
            Self::Broker => "broker",
            Self::Orchestrator => "orchestrator",
            Self::Console => "console",
        }
    }

    /// Whether it stores something.
    pub(crate) fn has_database(self) -> bool {
        !matches!(self, Self::Console)
    }

    /// Whether it runs models.
    pub(crate) fn needs_onnx(self) -> bool {
        matches!(self, Self::Trainer | Self::Scorer)
    }
}

/// What a service is once built: gRPC, or web pages.
pub(crate) enum Built {
    Grpc(BuiltService),
    Web(axum::Router),
}

/// Builds one service from its section of the configuration.
pub(crate) async fn build(
    service: ServiceName,
    ctx: &ServiceContext,
    config: &Config,
) -> Result<Built, BuildError> {
    let config = config.clone();
    let built = match service {
        ServiceName::Ingestion => foretide_ingestion::build(ctx, config.ingestion).await?,
        ServiceName::FeatureStore => {
            foretide_feature_store::build(ctx, config.feature_store).await?
        }
        ServiceName::Trainer => foretide_trainer::build(ctx, config.trainer).await?,
        ServiceName::Scorer => foretide_scorer::build(ctx, config.scorer).await?,
        ServiceName::Auditor => foretide_auditor::build(ctx, config.auditor).await?,
        ServiceName::Broker => foretide_broker::build(ctx, config.broker).await?,
        ServiceName::Orchestrator => foretide_orchestrator::build(ctx, config.orchestrator).await?,
        ServiceName::Console => {
            return foretide_console::build(ctx, config.console)
                .await
                .map(Built::Web);
        }
    };
    Ok(Built::Grpc(built))
}
