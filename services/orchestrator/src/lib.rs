//! The calendar and the queue: runs, their steps, states and timings.
//!
//! A *run* is one walk along the way of the data, or a part of it: ingest, features, train, score,
//! audit, act. It is started by the calendar, from the command line or by the demo, and stays in the
//! table `run` with one row a step in `run_step`.
//!
//! Each step is one job on the queue. The job calls the step's service over gRPC, writes down the
//! progress it streams, and puts the next step's job on the queue under a key of its own. So a run
//! goes on where it was when the process is killed at any moment: the queue hands the job to the
//! next process, steps that have succeeded are passed over, and a use case that a step has already
//! done is not done again.
//!
//! What a service answers decides: *unavailable* and *deadline exceeded* are retried with back-off,
//! *invalid argument* and *failed precondition* end the run with the service's words. A run that has
//! failed can be taken up again at its step by retrying its dead letter.

mod calendar;
pub mod config;
mod error;
mod grpc;
mod metrics;
mod model;
mod peers;
mod pipeline;
mod reconcile;
mod report;
mod service;
mod steps;
mod storage;

use std::sync::Arc;
use std::time::Duration;

use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::orchestration::v1::orchestration_service_server::{
    OrchestrationServiceServer, SERVICE_NAME,
};
use foretide_db::Database;
use foretide_jobs::{Queue, Worker, WorkerOptions};
use foretide_migrations::orchestrator::Migrator;
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
use tonic::service::Routes;

use calendar::Calendar;
use config::Config;
use grpc::OrchestrationGrpc;
use metrics::Metrics;
use peers::PeerSteps;
use service::Orchestrator;
use steps::StepHandler;
use storage::Storage;

/// Checks the configuration, brings the schema up to date and makes the service with its workers
/// and its calendar.
///
/// # Errors
/// When the configuration is not allowed or the database cannot be used.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    config
        .check()
        .map_err(|error| BuildError::new("configuration", error))?;
    let calendar =
        Calendar::new(&config.calendar).map_err(|error| BuildError::new("configuration", error))?;
    let database = Database::connect(&ctx.database, ctx.name)
        .await
        .map_err(|error| BuildError::new("database", error))?;
    foretide_migrations::migrate::<Migrator>(&database)
        .await
        .map_err(|error| BuildError::new("schema", error))?;
    let queue = Queue::open(&database, Arc::clone(&ctx.clock))
        .await
        .map_err(|error| BuildError::new("job queue", error))?;
    let storage = Storage::new(database);
    let orchestrator = Orchestrator::new(
        storage,
        queue.clone(),
        calendar,
        Arc::clone(&ctx.clock),
        Arc::clone(&ctx.use_cases),
        Metrics::new(),
    );
    let services = PeerSteps::new(ctx.peers.clone(), config.retrain_after_days);
    let worker = Worker::new(&queue, worker_options(&config))
        .with(StepHandler::new(orchestrator.clone(), services));
    let grpc = OrchestrationGrpc::new(orchestrator.clone(), ctx.shutdown.clone());
    let server = OrchestrationServiceServer::new(grpc)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(BuiltService::new(Routes::new(server), vec![SERVICE_NAME])
        .with_background(worker.run(ctx.shutdown.clone()))
        .with_background(calendar::keep(orchestrator.clone(), ctx.shutdown.clone()))
        .with_background(reconcile::keep(orchestrator, ctx.shutdown.clone())))
}

fn worker_options(config: &Config) -> WorkerOptions {
    WorkerOptions {
        concurrency: config.concurrency,
        drain: Duration::from_secs(config.drain_seconds),
        backoff: config.backoff.into(),
    }
}
