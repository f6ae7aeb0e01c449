//! Step 5, audit: settled forecasts evaluated, phases kept, the audit chain.
//!
//! Once all hours of a forecast are settled, the auditor holds it against what happened and against
//! what seasonal naive would have said, series by series, and stores the evaluation; windows that were
//! judged for high-risk periods are held against their load. From the newest evaluations, or from the
//! windows of a use case that watches for such periods, a three-valued gate says pass, fail or
//! inconclusive. A fail lowers the use case's phase
//! to shadow at once; only a person raises one, one step at a time, with a passed gate. Evaluations go
//! to `AI_Governance_CL` through an outbox.
//!
//! Whatever anyone decides or does stands in the audit chain, which only this service writes: appends
//! are serialised, and an event that is reported twice is one record. After every record a checkpoint is
//! signed, which goes to the lake and, if one is configured, to a second place.

mod checkpoint;
pub mod config;
mod delivery;
mod error;
mod evaluate;
mod evaluation;
mod grpc;
pub mod key_file;
mod metrics;
mod model;
mod peers;
mod service;
mod signer;
mod sources;
mod storage;
mod track_record;
mod verification;
mod waiting;

use std::sync::Arc;

use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::governance::v1::governance_service_server::{
    GovernanceServiceServer, SERVICE_NAME,
};
use foretide_api::outbox::v1::outbox_service_server::{
    OutboxServiceServer, SERVICE_NAME as OUTBOX,
};
use foretide_api::writeback::v1::write_back_service_server::{
    SERVICE_NAME as WRITE_BACK, WriteBackServiceServer,
};
use foretide_domain::SharedClock;
use foretide_http::RetryPolicy;
use foretide_lake::Lake;
use foretide_logs_ingestion::table_of;
use foretide_outbox::{AuditChain, Courier, OutboxGrpc};
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
use foretide_write_back::{Batches, ReadBack, RowColumns, WriteBackGrpc};
use tonic::service::Routes;

use crate::checkpoint::Checkpoints;
use crate::config::{Config, WriteBackConfig};
use crate::delivery::Workspace;
use crate::grpc::GovernanceGrpc;
use crate::metrics::Metrics;
use crate::peers::GrpcSources;
use crate::service::Auditor;
use crate::signer::{Keys, Signer};
use crate::storage::Storage;
use crate::waiting::AuditorRows;

/// Builds the auditor.
///
/// # Errors
/// When the configuration names an undeclared use case or is out of bounds, or the database cannot
/// be opened.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    config
        .validate()
        .map_err(|problem| BuildError::new("auditor configuration", problem))?;
    config
        .check_phases(&ctx.use_cases)
        .map_err(|problem| BuildError::new("auditor configuration", problem))?;
    let storage = Storage::open(&ctx.database)
        .await
        .map_err(|error| BuildError::new("auditor database", error))?;
    let metrics = Metrics::new();
    let delivery = match &config.write_back {
        Some(write_back) => {
            let workspace = workspace(write_back, &ctx.clock)?;
            let clock = SharedClock::clone(&ctx.clock);
            let courier = Courier::new(storage.rows(), Arc::new(workspace), clock);
            Some(
                courier
                    .with_batch(delivery::BATCH)
                    .with_backoff(config.outbox),
            )
        }
        None => {
            tracing::info!("write_back is not configured: nothing goes to AI_Governance_CL");
            None
        }
    };
    let audit = AuditChain::courier(storage.database(), ctx).with_backoff(config.outbox);
    let outbox = OutboxGrpc::new(
        vec![storage.rows(), audit.outbox().clone()],
        delivery.iter().chain([&audit]).cloned().collect(),
        SharedClock::clone(&ctx.clock),
    );
    let batches = storage.batches();
    let read_back = read_back(&config, batches.clone(), &ctx.clock)?;
    let sources = Arc::new(GrpcSources::new(ctx.peers.clone()));
    let keys = Keys::load(&config).map_err(|error| BuildError::new("auditor", error))?;
    let clock = SharedClock::clone(&ctx.clock);
    let signer = Arc::new(Signer::new(storage.clone(), keys, clock));
    let checkpoints = checkpoints(ctx, &config, &storage, &signer)?;
    let stream = config.write_back.as_ref().map(|way| way.stream.as_str());
    let waiting = Arc::new(AuditorRows {
        outbox: storage.rows(),
        table: table_of(stream.unwrap_or_default()),
    });
    let auditor = Arc::new(Auditor {
        storage,
        forecasts: Arc::clone(&sources) as _,
        actuals: sources,
        signer,
        checkpoints: Arc::clone(&checkpoints),
        delivery: delivery.clone(),
        use_cases: Arc::clone(&ctx.use_cases),
        config,
        clock: SharedClock::clone(&ctx.clock),
        metrics,
    });
    // What no longer fits is logged, and named by `verify`; it keeps nobody from working.
    checkpoints.follow().await;
    auditor
        .begin_phases()
        .await
        .map_err(|error| BuildError::new("auditor phases", error))?;
    let server = GovernanceServiceServer::new(GovernanceGrpc::new(auditor))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let write_back = WriteBackGrpc::new(batches, waiting);
    let routes = Routes::new(server)
        .add_service(WriteBackServiceServer::new(write_back))
        .add_service(OutboxServiceServer::new(outbox));
    let mut built = BuiltService::new(routes, vec![SERVICE_NAME, WRITE_BACK, OUTBOX])
        .with_background(checkpoints.run(ctx.shutdown.clone()))
        .with_background(audit.run(ctx.shutdown.clone()));
    if let Some(delivery) = delivery {
        built = built.with_background(delivery.run(ctx.shutdown.clone()));
    }
    if let Some(read_back) = read_back {
        built = built.with_background(read_back.run(ctx.shutdown.clone()));
    }
    Ok(built)
}

fn checkpoints(
    ctx: &ServiceContext,
    config: &Config,
    storage: &Storage,
    signer: &Arc<Signer>,
) -> Result<Arc<Checkpoints>, BuildError> {
    let second = config.audit.publish_to.as_ref().map(Lake::open).transpose();
    let second = second.map_err(|error| BuildError::new("auditor.audit.publish_to", error))?;
    Ok(Arc::new(Checkpoints::new(
        storage.clone(),
        Arc::clone(signer),
        ctx.lake.clone(),
        second,
        SharedClock::clone(&ctx.clock),
    )))
}

fn workspace(config: &WriteBackConfig, clock: &SharedClock) -> Result<Workspace, BuildError> {
    let client = config
        .choice()
        .open(RetryPolicy::default(), clock)
        .map_err(|error| BuildError::new("auditor", error))?;
    Ok(Workspace {
        client,
        stream: config.stream.clone(),
        watched: config.read_back.is_some(),
        clock: SharedClock::clone(clock),
    })
}

/// Looks for accepted rows, if that is wanted.
fn read_back(
    config: &Config,
    batches: Batches,
    clock: &SharedClock,
) -> Result<Option<ReadBack>, BuildError> {
    let Some(write_back) = &config.write_back else {
        return Ok(None);
    };
    let Some(read_back) = &write_back.read_back else {
        return Ok(None);
    };
    let finder = read_back
        .open(write_back.identity.as_ref(), clock)
        .map_err(|error| BuildError::new("auditor", error))?;
    Ok(Some(ReadBack {
        batches,
        finder: Arc::new(finder),
        columns: RowColumns::of(write_back.sink),
        pace: read_back.pace(),
        clock: SharedClock::clone(clock),
    }))
}
