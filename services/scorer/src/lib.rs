//! Step 4, score: forecasts with intervals from the champion, written back to the workspace.
//!
//! The service's story: a run asks for the forecast of a use case as of a moment. The trainer names
//! the champion, whose ONNX artefact is read from the lake (its checksum must fit) and kept in memory;
//! the feature store gives the fresh history and what is known of the hours ahead. ONNX Runtime gives
//! quantiles, means and drivers. Where inputs are incomplete the intervals are widened and the
//! forecast says `degraded`. Use cases with a trigger get their risk windows, and those of the named
//! baseline beside them. One transaction keeps it all, together with what still has to leave: rows for
//! `PredictiveAlerting_CL` and the audit event. Both are tried at once and again in the background
//! until they are through. The same run asked for again returns the forecast it made.

mod adaptation;
pub mod config;
mod error;
mod grpc;
mod kill_switch;
mod metrics;
mod model;
mod periods;
mod points;
mod rows;
mod service;
mod sessions;
mod sources;
mod storage;
mod surges;
mod waiting;
mod watchlist;
mod withdrawal_grpc;
mod write_back;

use std::sync::Arc;

use foretide_api::outbox::v1::outbox_service_server::{
    OutboxServiceServer, SERVICE_NAME as OUTBOX,
};
use foretide_api::scoring::v1::scoring_service_server::{SERVICE_NAME, ScoringServiceServer};
use foretide_api::writeback::v1::withdrawal_service_server::{
    SERVICE_NAME as WITHDRAWALS, WithdrawalServiceServer,
};
use foretide_api::writeback::v1::write_back_service_server::{
    SERVICE_NAME as WRITE_BACK, WriteBackServiceServer,
};
use foretide_db::Database;
use foretide_migrations::scorer::Migrator;
use foretide_outbox::{AuditChain, OutboxGrpc};
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
use foretide_write_back::{Batches, WriteBackGrpc};
use tonic::service::Routes;

use crate::config::Config;
use crate::grpc::ScoringGrpc;
use crate::service::Scorer;
use crate::sessions::Sessions;
use crate::sources::{FeatureStore, Trainer};
use crate::storage::Store;
use crate::waiting::ScorerRows;
use crate::withdrawal_grpc::WithdrawalGrpc;
use crate::write_back::WriteBack;

/// Builds the service: database migrated, outboxes ready, routes to be served.
///
/// # Errors
/// When the configuration is out of bounds, the database cannot be opened or the way back cannot be. A
/// missing ONNX Runtime is no reason not to start: scoring then says what is missing.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    config
        .check()
        .map_err(|error| BuildError::new("scorer", error))?;
    let sink = config.sink(&ctx.clock)?;
    let database = Database::connect(&ctx.database, ctx.name)
        .await
        .map_err(|error| BuildError::new("scorer database", error))?;
    foretide_migrations::migrate::<Migrator>(&database)
        .await
        .map_err(|error| BuildError::new("scorer database", error))?;
    if sink.is_none() {
        tracing::info!(
            "no write_back is configured: forecasts are kept here and not written back to a workspace"
        );
    }
    let batches = Batches::new(database.clone());
    let read_back = config.read_back(batches.clone(), &ctx.clock)?;
    let store = Store::new(database.clone());
    let write_back = Arc::new(WriteBack::new(
        store.clone(),
        sink,
        config.outbox,
        Arc::clone(&ctx.clock),
    ));
    let audit = AuditChain::courier(database, ctx).with_backoff(config.outbox);
    let outbox = OutboxGrpc::new(
        vec![store.tasks(), audit.outbox().clone()],
        write_back
            .courier()
            .into_iter()
            .chain([audit.clone()])
            .collect(),
        Arc::clone(&ctx.clock),
    );
    let withdrawals = WithdrawalGrpc {
        store: store.clone(),
        write_back: Arc::clone(&write_back),
        audit: audit.clone(),
        clock: Arc::clone(&ctx.clock),
    };
    let waiting = Arc::new(ScorerRows::new(store.clone(), &config));
    let scorer = Scorer {
        champions: Arc::new(Trainer::new(ctx.peers.trainer())),
        frames: Arc::new(FeatureStore::new(ctx.peers.feature_store())),
        sessions: Sessions::new(ctx.lake.clone(), ctx.onnx_library.clone()),
        store: store.clone(),
        use_cases: Arc::clone(&ctx.use_cases),
        write_back: Arc::clone(&write_back),
        audit: audit.clone(),
        completeness_threshold: config.completeness_threshold,
        valid_for_hours: config.valid_for_hours,
    };
    let routes = Routes::new(
        ScoringServiceServer::new(ScoringGrpc::new(Arc::new(scorer)))
            .max_decoding_message_size(foretide_api::MAX_MESSAGE_BYTES),
    )
    .add_service(WithdrawalServiceServer::new(withdrawals))
    .add_service(OutboxServiceServer::new(outbox))
    .add_service(WriteBackServiceServer::new(WriteBackGrpc::new(
        batches, waiting,
    )));
    let watchlist = config.watchlist_keeper(ctx, &store, &write_back)?;
    let heeds_kill_switch = write_back.announces_windows() || watchlist.is_some();
    let kill_switch = kill_switch::watch(
        Arc::clone(&write_back),
        ctx.peers.broker(),
        ctx.shutdown.clone(),
    );
    let mut built = BuiltService::new(routes, vec![SERVICE_NAME, WITHDRAWALS, WRITE_BACK, OUTBOX])
        .with_background(write_back.run(ctx.shutdown.clone()))
        .with_background(audit.run(ctx.shutdown.clone()));
    if heeds_kill_switch {
        built = built.with_background(kill_switch);
    }
    if let Some(watchlist) = watchlist {
        built = built.with_background(watchlist.run(ctx.shutdown.clone()));
    }
    if let Some(read_back) = read_back {
        built = built.with_background(read_back.run(ctx.shutdown.clone()));
    }
    Ok(built)
}
