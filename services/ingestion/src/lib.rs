//! Step 1, ingest: a workspace's history into hourly buckets in the lake.
//!
//! A [`source`] is read table by table: exported tables on disk or in an object store, or the Log
//! Analytics query API. What is kept of a row is the little that is counted; users and addresses
//! become pseudonyms on the way in, and what stands behind those lies sealed in a vault. From the events of a day its buckets are computed anew
//! whenever one of them is new, and written beside the older ones, so that what was known at any
//! earlier moment can still be read. The ledger remembers what was read, how far, and what was
//! refused and why: nothing is dropped without a trace.
//!
//! A long past is brought in by a [`Backfill`]: quoted first, then read in parts by a job of the queue.
//!
//! Every call carries `as_of`, the moment the run counts as. Rows that were logged later wait, so
//! that a simulated clock can replay a recorded workspace.

mod backfill;
pub mod config;
pub mod cost;
mod days;
mod error;
mod event;
mod files;
mod grpc;
mod log_analytics;
mod metrics;
mod pseudonym;
mod recorder;
mod rows;
mod service;
pub mod source;
mod storage;
mod tables;
mod vault;

use std::sync::Arc;
use std::time::Duration;

pub use backfill::{
    Backfill, BackfillState, Expected, Origin, Part, PartState, PlannedPart, Scope, Survey, Taken,
};
pub use config::Config;
pub use error::IngestionError;
use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::ingestion::v1::ingestion_service_server::{IngestionServiceServer, SERVICE_NAME};
use foretide_api::ingestion::v1::pseudonym_service_server::{
    PseudonymServiceServer, SERVICE_NAME as PSEUDONYM_SERVICE_NAME,
};
use foretide_db::Database;
use foretide_domain::SharedClock;
use foretide_jobs::{Backoff, Queue, Worker, WorkerOptions};
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
pub use service::{
    IngestOutcome, Ingestion, MAX_HOURS, MAX_LISTED, Progress, QueryCosts, TableCompleteness,
    TableOutcome,
};
pub use storage::{QuarantinedRow, QueryCost, Watermark};
use tonic::service::Routes;
pub use vault::{MasterKeyError, VaultError};

use crate::backfill::Backfills;
use crate::files::FilesSource;
use crate::log_analytics::LogAnalyticsSource;
use crate::pseudonym::Pseudonyms;
use crate::recorder::Recorder;
use crate::source::HistorySource;
use crate::storage::Ledger;
use crate::vault::{AuditLog, MasterKeys, Vault};

/// Longest pause before a backfill goes on that could not: its source may be back at any time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Builds the service.
///
/// # Errors
/// When the configuration, the database, the pseudonym key or the source cannot be used.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    let (ingestion, vault, database) = Box::pin(open_all(ctx, config)).await?;
    let queue = Queue::open(&database, Arc::clone(&ctx.clock))
        .await
        .map_err(|error| BuildError::new("the job queue of ingestion", error))?;
    let backfills = Backfills::new(
        ingestion.clone(),
        Ledger::new(database),
        queue.clone(),
        Arc::clone(&ctx.clock),
    );
    backfills
        .take_up()
        .await
        .map_err(|error| BuildError::new("the backfill that runs", error))?;
    let one_at_a_time = WorkerOptions {
        concurrency: 1,
        backoff: Backoff {
            longest: LONGEST_PAUSE,
            ..Backoff::default()
        },
        ..WorkerOptions::default()
    };
    let worker = Worker::new(&queue, one_at_a_time).with(backfills.handler(ctx.shutdown.clone()));
    let server = IngestionServiceServer::new(grpc::Grpc::new(ingestion, backfills))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let pseudonyms = PseudonymServiceServer::new(vault::Grpc::new(vault.clone()));
    let routes = Routes::new(server).add_service(pseudonyms);
    let names = vec![SERVICE_NAME, PSEUDONYM_SERVICE_NAME];
    Ok(BuiltService::new(routes, names)
        .with_background(vault.tell_of_master_key(ctx.shutdown.clone()))
        .with_background(worker.run(ctx.shutdown.clone())))
}

/// Opens the use cases without a server, for benchmarks and embedding.
///
/// # Errors
/// As [`build`].
pub async fn open(ctx: &ServiceContext, config: Config) -> Result<Ingestion, BuildError> {
    let (ingestion, _, _) = Box::pin(open_all(ctx, config)).await?;
    Ok(ingestion)
}

async fn open_all(
    ctx: &ServiceContext,
    config: Config,
) -> Result<(Ingestion, Vault, Database), BuildError> {
    config
        .validate()
        .map_err(|problem| BuildError::new("the configuration of ingestion", problem))?;
    let database = Database::connect(&ctx.database, ctx.name)
        .await
        .map_err(|error| BuildError::new("the database of ingestion", error))?;
    foretide_migrations::migrate::<foretide_migrations::ingestion::Migrator>(&database)
        .await
        .map_err(|error| BuildError::new("the schema of ingestion", error))?;
    let masters = MasterKeys::load(&config)
        .map_err(|error| BuildError::new("the master key of pseudonyms", error))?;
    let audit: Arc<dyn AuditLog> = Arc::new(ctx.peers.clone());
    let clock = SharedClock::clone(&ctx.clock);
    let tries = config.tries_an_hour();
    let vault = Vault::open(database.clone(), masters, audit, clock, tries)
        .await
        .map_err(|error| BuildError::new("the vault of pseudonyms", error))?;
    let ledger = Ledger::new(database.clone());
    let recorder = Recorder::new(ctx.lake.clone(), ledger.clone());
    let tables = config.tables();
    let cost = config.log_analytics.as_ref();
    let cost = cost
        .map(|workspace| workspace.cost.clone())
        .unwrap_or_default();
    let source = open_source(ctx, config, recorder, vault.pseudonyms())?;
    let clock = SharedClock::clone(&ctx.clock);
    let ingestion = Ingestion::new(source, ledger, tables, cost, clock, vault.clone());
    Ok((ingestion, vault, database))
}

fn open_source(
    ctx: &ServiceContext,
    config: Config,
    recorder: Recorder,
    pseudonyms: Pseudonyms,
) -> Result<Arc<dyn HistorySource>, BuildError> {
    if let Some(workspace) = config.log_analytics {
        let source = LogAnalyticsSource::open(workspace, ctx.lake.clone(), recorder, &ctx.clock)
            .map_err(|error| BuildError::new("the Log Analytics source", error))?;
        return Ok(Arc::new(source));
    }
    let files = config.files.unwrap_or_default();
    let source = FilesSource::open(files, pseudonyms, recorder)
        .map_err(|error| BuildError::new("the files source", error))?;
    Ok(Arc::new(source))
}
