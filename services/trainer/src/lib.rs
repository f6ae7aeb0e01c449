//! Step 3, train: backtests, champions, ONNX artefacts, lineage in MLflow.
//!
//! The service's story: a run asks for a model of a use case as of a moment. The feature store gives
//! the training set that was known then; all series are backtested and each gets the candidate that
//! did best; the whole panel becomes one ONNX graph, which is run once beside the native formulas and
//! refused when the two disagree. The artefact goes to the lake under its own checksum. One
//! transaction then makes the version, moves the alias `champion` to it and enters it into the
//! ledger. The ledger is told to MLflow in the background, in order, for as long as it takes: serving
//! never waits for MLflow. The same run asked for again returns the version it made.

pub mod config;
mod error;
mod grpc;
mod ledger;
mod lineage;
mod metrics;
mod model;
mod panel;
mod service;
mod sources;
mod storage;

use std::sync::Arc;

use foretide_api::outbox::v1::outbox_service_server::{
    OutboxServiceServer, SERVICE_NAME as OUTBOX,
};
use foretide_api::training::v1::training_service_server::{SERVICE_NAME, TrainingServiceServer};
use foretide_db::Database;
use foretide_migrations::trainer::Migrator;
use foretide_outbox::{AuditChain, Courier, OutboxGrpc};
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
use tonic::service::Routes;

use crate::config::Config;
use crate::grpc::TrainingGrpc;
use crate::ledger::Ledger;
use crate::service::Trainer;
use crate::sources::FeatureStore;
use crate::storage::Store;

/// Builds the service: database migrated, ledger ready, routes to be served.
///
/// # Errors
/// When the database cannot be opened or the MLflow address is none. A missing ONNX Runtime is no
/// reason not to start: training then says what is missing.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    let database = Database::connect(&ctx.database, ctx.name)
        .await
        .map_err(|error| BuildError::new("trainer database", error))?;
    foretide_migrations::migrate::<Migrator>(&database)
        .await
        .map_err(|error| BuildError::new("trainer database", error))?;
    let audit = AuditChain::courier(database.clone(), ctx).with_backoff(config.ledger);
    let store = Store::new(database);
    let mlflow = config.mlflow_client()?;
    let is_configured = mlflow.is_some();
    let ledger = mlflow.map(|mlflow| {
        let ledger = Ledger {
            mlflow,
            lake: ctx.lake.clone(),
            store: store.clone(),
        };
        Courier::new(store.ledger(), Arc::new(ledger), Arc::clone(&ctx.clock))
            .with_backoff(config.ledger)
    });
    let outbox = OutboxGrpc::new(
        vec![store.ledger(), audit.outbox().clone()],
        ledger.iter().chain([&audit]).cloned().collect(),
        Arc::clone(&ctx.clock),
    );
    let trainer = Trainer {
        training_sets: Arc::new(FeatureStore::new(ctx.peers.feature_store())),
        lake: ctx.lake.clone(),
        store,
        use_cases: Arc::clone(&ctx.use_cases),
        onnx_library: ctx.onnx_library.clone(),
        clock: Arc::clone(&ctx.clock),
        ledger: ledger.clone(),
        one_at_a_time: tokio::sync::Mutex::new(()),
    };
    let grpc = TrainingGrpc::new(Arc::new(trainer), is_configured);
    let routes = Routes::new(
        TrainingServiceServer::new(grpc).max_decoding_message_size(foretide_api::MAX_MESSAGE_BYTES),
    )
    .add_service(OutboxServiceServer::new(outbox));
    let built = BuiltService::new(routes, vec![SERVICE_NAME, OUTBOX])
        .with_background(audit.run(ctx.shutdown.clone()));
    let Some(ledger) = ledger else {
        tracing::info!("no MLflow is configured: the ledger waits and the local registry serves");
        return Ok(built);
    };
    Ok(built.with_background(ledger.run(ctx.shutdown.clone())))
}
