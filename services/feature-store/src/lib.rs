//! Step 2, features: hourly buckets and the calendar become feature rows, training sets and scoring
//! frames.
//!
//! Everything is answered as of a moment. The buckets in the lake are bitemporal, so a training set
//! is (spec hash, known_at): the same pair gives the same bytes, also after later data has arrived,
//! and also after the file was lost. The spec hash covers the use case's series, the view's
//! features, the calendar with its campaigns, and the options that decide which hours and series
//! are in.
//!
//! What it keeps in SQL is small: which views were materialized, which training sets were built, and
//! the newest value of each feature of each series. All numbers are in the lake.

mod completeness;
pub mod config;
mod error;
mod grpc;
mod history;
mod metrics;
mod series;
mod service;
mod storage;
mod tables;

use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::features::v1::feature_store_service_server::{
    FeatureStoreServiceServer, SERVICE_NAME,
};
use foretide_calendar::Calendar;
use foretide_db::Database;
use foretide_migrations::feature_store::Migrator;
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
use tonic::service::Routes;

use config::Config;
use grpc::FeatureStoreGrpc;
use service::FeatureStore;
use storage::Storage;

/// Checks the configuration, brings the schema up to date and makes the service.
///
/// # Errors
/// When the configuration is not allowed, a use case names an unknown view, or the database cannot
/// be used.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    config
        .check()
        .map_err(|error| BuildError::new("configuration", error))?;
    let calendar = Calendar::new(config.calendar.clone())
        .map_err(|error| BuildError::new("configuration: feature_store", error))?;
    let database = Database::connect(&ctx.database, ctx.name)
        .await
        .map_err(|error| BuildError::new("database", error))?;
    foretide_migrations::migrate::<Migrator>(&database)
        .await
        .map_err(|error| BuildError::new("schema", error))?;
    let storage = Storage::new(database);
    let store = FeatureStore::new(&ctx.use_cases, calendar, config, ctx.lake.clone(), storage)
        .map_err(|error| BuildError::new("use cases", error))?;
    let server = FeatureStoreServiceServer::new(FeatureStoreGrpc::new(store))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(BuiltService::new(Routes::new(server), vec![SERVICE_NAME]))
}
