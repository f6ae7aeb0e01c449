//! Step 6, act: proposals, approvals, executions. The only service that acts on the outside.
//!
//! There is one path from a forecast to an effect. A risk window of a sound forecast, in a use case
//! whose phase allows it, becomes a proposal with the exact payload and its hash. A person who is an
//! approver, and not the proposer, approves that hash; then everything is checked again, the
//! intent is stored, the notice is sent, and what was answered is stored. What is allowed is judged by
//! `foretide-policy`, inside the transaction that stores it; whatever anyone decides or does is told
//! to the audit chain, through an outbox when the auditor is away.

pub mod config;
mod error;
mod events;
mod execution;
mod grpc;
mod metrics;
mod model;
mod peers;
mod planning;
mod propose;
mod service;
mod sources;
mod storage;
mod teams;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::actions::v1::actions_service_server::{ActionsServiceServer, SERVICE_NAME};
use foretide_api::outbox::v1::outbox_service_server::{
    OutboxServiceServer, SERVICE_NAME as OUTBOX,
};
use foretide_domain::SharedClock;
use foretide_outbox::{AuditChain, OutboxGrpc};
use foretide_service_runtime::{BuildError, BuiltService, ServiceContext};
use tokio::sync::watch;
use tonic::service::Routes;

use crate::config::{Config, PlanningMode};
use crate::grpc::ActionsGrpc;
use crate::metrics::Metrics;
use crate::peers::GrpcPeers;
use crate::planning::SentinelPlanner;
use crate::service::Broker;
use crate::sources::{Messenger, Planner};
use crate::storage::Storage;
use crate::teams::TeamsMessenger;

/// Builds the broker.
///
/// # Errors
/// When the configuration is out of bounds, or the database cannot be opened.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<BuiltService, BuildError> {
    config
        .validate()
        .map_err(|problem| BuildError::new("broker configuration", problem))?;
    let storage = Storage::open(&ctx.database)
        .await
        .map_err(|error| BuildError::new("broker database", error))?;
    let kill_switch = storage
        .kill_switch()
        .await
        .map_err(|error| BuildError::new("broker kill switch", error))?;
    let messenger = messenger(&config)?;
    let planner = planner(&config, &ctx.clock)?;
    let peers = Arc::new(GrpcPeers::new(ctx.peers.clone()));
    let metrics = Metrics::new();
    let audit = AuditChain::courier(storage.database(), ctx).with_backoff(config.outbox);
    let outbox = OutboxGrpc::new(
        vec![audit.outbox().clone()],
        vec![audit.clone()],
        SharedClock::clone(&ctx.clock),
    );
    let broker = Arc::new(Broker {
        storage,
        forecasts: Arc::clone(&peers) as _,
        phases: peers,
        messenger,
        planner,
        use_cases: Arc::clone(&ctx.use_cases),
        config,
        clock: SharedClock::clone(&ctx.clock),
        metrics,
        audit: audit.clone(),
        kill: watch::Sender::new(kill_switch.engaged),
        running: Mutex::new(HashSet::new()),
    });
    let server = ActionsServiceServer::new(ActionsGrpc::new(Arc::clone(&broker)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let routes = Routes::new(server).add_service(OutboxServiceServer::new(outbox));
    Ok(BuiltService::new(routes, vec![SERVICE_NAME, OUTBOX])
        .with_background(audit.run(ctx.shutdown.clone()))
        .with_background(Arc::clone(&broker).sweep(ctx.shutdown.clone()))
        .with_background(broker.watch_kill_switch(ctx.shutdown.clone())))
}

fn messenger(config: &Config) -> Result<Option<Arc<dyn Messenger>>, BuildError> {
    let Some(teams) = &config.teams else {
        tracing::info!("broker.teams is not configured: nothing can be approved");
        return Ok(None);
    };
    let messenger = TeamsMessenger::new(teams)
        .map_err(|error| BuildError::new("broker teams.webhook_url", error))?;
    Ok(Some(Arc::new(messenger)))
}

fn planner(config: &Config, clock: &SharedClock) -> Result<Option<Arc<dyn Planner>>, BuildError> {
    let planning = &config.planning_incidents;
    let (PlanningMode::Direct, Some(workspace), Some(identity)) =
        (planning.mode, &planning.workspace, &planning.identity)
    else {
        return Ok(None);
    };
    let planner = SentinelPlanner::new(workspace.clone(), identity.clone(), clock)
        .map_err(|error| BuildError::new("broker planning_incidents", error))?;
    Ok(Some(Arc::new(planner)))
}
