//! Step 5, audit: settled forecasts evaluated, phases kept, the audit chain.
//!
//! Once all hours of a forecast are settled, the auditor holds it against what happened and against
//! what seasonal naive would have said, series by series, and stores the evaluation. From the newest
//! evaluations a three-valued gate says pass, fail or inconclusive. A fail lowers the use case's phase
//! to shadow at once; only a person raises one, one step at a time, with a passed gate. Evaluations go
//! to `AI_Governance_CL` through an outbox.
//!
//! Whatever anyone decides or does stands in the audit chain, which only this service writes: appends
//! are serialised, an event that is reported twice is one record, and the head is kept in the lake,
//! out of reach of whoever can write to the database.

mod checkpoint;
pub mod config;
mod delivery;
mod error;
mod evaluate;
mod evaluation;
mod grpc;
mod metrics;
mod model;
mod peers;
mod service;
mod sources;
mod storage;

use std::sync::Arc;

use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::governance::v1::governance_service_server::{
    GovernanceServiceServer, SERVICE_NAME,
};
use foretide_domain::SharedClock;
use foretide_entra::{Cloud, IdentityTokens};
use foretide_http::ClientOptions;
use foretide_logs_ingestion::LogsIngestionClient;
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
use tonic::service::Routes;

use crate::checkpoint::Checkpoints;
use crate::config::{Config, WriteBackConfig};
use crate::delivery::Delivery;
use crate::grpc::GovernanceGrpc;
use crate::metrics::Metrics;
use crate::peers::GrpcSources;
use crate::service::Auditor;
use crate::storage::Storage;

/// Builds the auditor.
///
/// # Errors
/// When the configuration names an undeclared use case or is out of bounds, or the database cannot
/// be opened.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    config
        .validate()
        .map_err(|problem| BuildError::new("auditor configuration", problem))?;
    if let Some(unknown) = service::undeclared(&config.initial_phases, &ctx.use_cases) {
        let problem = format!("initial_phases: use case {unknown} is not declared");
        return Err(BuildError::new("auditor configuration", problem));
    }
    let storage = Storage::open(&ctx.database)
        .await
        .map_err(|error| BuildError::new("auditor database", error))?;
    let metrics = Metrics::new();
    let delivery = match &config.write_back {
        Some(write_back) => {
            let client = client(write_back, &ctx.clock)?;
            let stream = write_back.stream.clone();
            let clock = SharedClock::clone(&ctx.clock);
            Some(Arc::new(Delivery::new(
                storage.clone(),
                client,
                stream,
                clock,
                metrics.clone(),
            )))
        }
        None => {
            tracing::info!("write_back is not configured: nothing goes to AI_Governance_CL");
            None
        }
    };
    let sources = Arc::new(GrpcSources::new(ctx.peers.clone()));
    let auditor = Arc::new(Auditor {
        storage,
        forecasts: Arc::clone(&sources) as _,
        actuals: sources,
        checkpoints: Checkpoints::new(ctx.lake.clone()),
        delivery: delivery.clone(),
        use_cases: Arc::clone(&ctx.use_cases),
        config,
        clock: SharedClock::clone(&ctx.clock),
        metrics,
    });
    auditor
        .begin_phases()
        .await
        .map_err(|error| BuildError::new("auditor phases", error))?;
    let server = GovernanceServiceServer::new(GovernanceGrpc::new(auditor))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let built = BuiltService::new(Routes::new(server), vec![SERVICE_NAME]);
    Ok(match delivery {
        Some(delivery) => built.with_background(delivery.run(ctx.shutdown.clone())),
        None => built,
    })
}

fn client(
    config: &WriteBackConfig,
    clock: &SharedClock,
) -> Result<LogsIngestionClient, BuildError> {
    let http = foretide_http::client(&ClientOptions::default())
        .map_err(|error| BuildError::new("auditor HTTP client", error))?;
    let identity = config.identity.clone();
    let tokens = IdentityTokens::new(identity, http.clone(), SharedClock::clone(clock))
        .map_err(|error| BuildError::new("auditor write_back.identity", error))?;
    let mut rule = config.rule.clone();
    rule.audience = config
        .identity
        .audience(&rule.audience, Cloud::monitor_audience);
    LogsIngestionClient::new(rule, http, Arc::new(tokens), SharedClock::clone(clock))
        .map_err(|error| BuildError::new("auditor write_back.rule", error))
}
