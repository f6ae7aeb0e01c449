//! Step 1, ingest: a workspace's history into hourly buckets in the lake.
//!
//! A [`source`] is read table by table: exported tables on disk or in an object store, or the Log
//! Analytics query API. What is kept of a row is the little that is counted; users and addresses
//! become keyed hashes on the way in. From the events of a day its buckets are computed anew
//! whenever one of them is new, and written beside the older ones, so that what was known at any
//! earlier moment can still be read. The ledger remembers what was read, how far, and what was
//! refused and why: nothing is dropped without a trace.
//!
//! Every call carries `as_of`, the moment the run counts as. Rows that were logged later wait, so
//! that a simulated clock can replay a recorded workspace.

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

use std::sync::Arc;

pub use config::Config;
pub use error::IngestionError;
use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::ingestion::v1::ingestion_service_server::{IngestionServiceServer, SERVICE_NAME};
use foretide_db::Database;
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
pub use pseudonym::{KeyError, Pseudonyms};
pub use service::{
    Ingestion, MAX_HOURS, MAX_LISTED, Progress, QueryCosts, TableCompleteness, TableOutcome,
};
pub use storage::{QuarantinedRow, QueryCost, Watermark};
use tonic::service::Routes;

use crate::files::FilesSource;
use crate::log_analytics::LogAnalyticsSource;
use crate::recorder::Recorder;
use crate::source::HistorySource;
use crate::storage::Ledger;

/// Builds the service.
///
/// # Errors
/// When the configuration, the database, the pseudonym key or the source cannot be used.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    let ingestion = open(ctx, config).await?;
    let server = IngestionServiceServer::new(grpc::Grpc::new(ingestion))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(BuiltService::new(Routes::new(server), vec![SERVICE_NAME]))
}

/// Opens the use cases without a server, for benchmarks and embedding.
///
/// # Errors
/// As [`build`].
pub async fn open(ctx: &ServiceContext, config: Config) -> Result<Ingestion, BuildError> {
    config
        .validate()
        .map_err(|problem| BuildError::new("the configuration of ingestion", problem))?;
    let database = Database::connect(&ctx.database, ctx.name)
        .await
        .map_err(|error| BuildError::new("the database of ingestion", error))?;
    foretide_migrations::migrate::<foretide_migrations::ingestion::Migrator>(&database)
        .await
        .map_err(|error| BuildError::new("the schema of ingestion", error))?;
    let ledger = Ledger::new(database);
    let recorder = Recorder::new(ctx.lake.clone(), ledger.clone());
    let tables = config.tables();
    let cost = config.log_analytics.as_ref();
    let cost = cost
        .map(|workspace| workspace.cost.clone())
        .unwrap_or_default();
    let source = open_source(ctx, config, recorder)?;
    let clock = foretide_domain::SharedClock::clone(&ctx.clock);
    Ok(Ingestion::new(source, ledger, tables, cost, clock))
}

fn open_source(
    ctx: &ServiceContext,
    config: Config,
    recorder: Recorder,
) -> Result<Arc<dyn HistorySource>, BuildError> {
    if let Some(workspace) = config.log_analytics {
        let source = LogAnalyticsSource::open(workspace, ctx.lake.clone(), recorder, &ctx.clock)
            .map_err(|error| BuildError::new("the Log Analytics source", error))?;
        return Ok(Arc::new(source));
    }
    let pseudonyms = Pseudonyms::load(
        config.pseudonym_key.as_ref(),
        config.state_folder.as_deref(),
    )
    .map_err(|error| BuildError::new("the pseudonym key of ingestion", error))?;
    let files = config.files.unwrap_or_default();
    let source = FilesSource::open(files, pseudonyms, recorder)
        .map_err(|error| BuildError::new("the files source", error))?;
    Ok(Arc::new(source))
}
