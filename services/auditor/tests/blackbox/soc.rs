//! An auditor with fakes around it, and what people do with it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use foretide_api::governance::v1 as wire;
use foretide_api::governance::v1::evaluate_response::Event;
use foretide_api::governance::v1::governance_service_client::GovernanceServiceClient;
use foretide_api::timestamp;
use foretide_api::types::v1::Phase;
use foretide_auditor::config::Config;
use foretide_db::testing::TestDatabase;
use foretide_domain::{Principal, Role, RunId};
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};
use tempfile::TempDir;
use tonic::Status;

use crate::fakes::{Fakes, World};

pub(crate) type Client = GovernanceServiceClient<AuthedChannel>;

pub(crate) const TOTAL: &str = "attack_volume/total";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Monday morning of the first week.
pub(crate) fn monday() -> DateTime<Utc> {
    at("2026-01-05T06:00:00Z")
}

pub(crate) struct Soc {
    pub(crate) world: World,
    pub(crate) context: TestContext,
    pub(crate) server: TestServer,
    fakes: Fakes,
    database: Option<TestDatabase>,
}

impl Soc {
    pub(crate) async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        Self::open(config, World::default(), None, None).await
    }

    /// On another engine.
    pub(crate) async fn start_on(database: TestDatabase) -> Self {
        Self::open(Config::default(), World::default(), None, Some(database)).await
    }

    async fn open(
        config: Config,
        world: World,
        folder: Option<Arc<TempDir>>,
        database: Option<TestDatabase>,
    ) -> Self {
        let fakes = world.serve().await;
        let peers = fakes.addresses();
        let mut context = match folder {
            Some(folder) => TestContext::reopen("auditor", monday(), &peers, folder),
            None => TestContext::new("auditor", monday(), &peers),
        };
        if let Some(database) = &database {
            context.ctx.database = database.config.clone();
        }
        let config = with_state(config, &context);
        let built = foretide_auditor::build(&context.ctx, config).await.unwrap();
        let server = TestServer::start(&context.ctx, built).await;
        Self {
            world,
            context,
            server,
            fakes,
            database,
        }
    }

    /// Stops the auditor and starts it again on the same tables.
    pub(crate) async fn restart_with(self, config: Config) -> Self {
        self.server.stop().await;
        drop(self.fakes);
        Self::open(config, self.world, Some(self.context.folder), self.database).await
    }

    pub(crate) fn service(&self) -> Client {
        Client::new(self.server.channel_as(Principal::service("broker")))
    }

    pub(crate) fn person(&self, name: &str, roles: &[Role]) -> Client {
        Client::new(self.server.channel_of(name, roles))
    }

    pub(crate) fn approver(&self) -> Client {
        self.person("grace", &[Role::Viewer, Role::Approver])
    }

    pub(crate) async fn evaluate(&self, as_of: DateTime<Utc>) -> wire::EvaluateSummary {
        self.try_evaluate(as_of).await.unwrap()
    }

    pub(crate) async fn try_evaluate(
        &self,
        as_of: DateTime<Utc>,
    ) -> Result<wire::EvaluateSummary, Status> {
        self.try_evaluate_of("attack_volume", as_of).await
    }

    pub(crate) async fn try_evaluate_of(
        &self,
        use_case: &str,
        as_of: DateTime<Utc>,
    ) -> Result<wire::EvaluateSummary, Status> {
        let request = wire::EvaluateRequest {
            run_id: RunId::new().to_string(),
            use_case: use_case.to_owned(),
            as_of: timestamp(as_of),
        };
        let mut stream = self.service().evaluate(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            if let Some(Event::Summary(summary)) = message.event {
                return Ok(summary);
            }
        }
        panic!("the stream ended without a summary")
    }

    pub(crate) async fn phase(&self) -> wire::PhaseState {
        let request = wire::GetPhaseRequest {
            use_case: "attack_volume".to_owned(),
        };
        let response = self.service().get_phase(request).await.unwrap();
        response.into_inner().state.unwrap()
    }

    pub(crate) async fn set_phase(
        &self,
        mut caller: Client,
        phase: Phase,
        reason: &str,
    ) -> Result<wire::PhaseState, Status> {
        let request = wire::SetPhaseRequest {
            use_case: "attack_volume".to_owned(),
            phase: phase.into(),
            reason: reason.to_owned(),
        };
        let response = caller.set_phase(request).await?;
        Ok(response.into_inner().state.unwrap())
    }

    pub(crate) async fn append(&self, event_id: &str) -> wire::AuditRecord {
        let response = self.service().append_audit(event(event_id)).await.unwrap();
        response.into_inner().record.unwrap()
    }

    pub(crate) async fn audit_log(&self) -> Vec<wire::AuditRecord> {
        let request = wire::ListAuditRequest {
            limit: 1_000,
            ..wire::ListAuditRequest::default()
        };
        let response = self.service().list_audit(request).await.unwrap();
        response.into_inner().records
    }

    pub(crate) async fn actions_in_audit_log(&self) -> Vec<String> {
        let records = self.audit_log().await;
        records.into_iter().map(|record| record.action).collect()
    }

    pub(crate) async fn verify(&self) -> wire::VerifyAuditResponse {
        let response = self
            .service()
            .verify_audit(wire::VerifyAuditRequest {})
            .await;
        response.unwrap().into_inner()
    }
}

/// Keeps the signing key in the context's folder, unless it is elsewhere.
pub(crate) fn with_state(config: Config, context: &TestContext) -> Config {
    let folder = context.folder.path().join("state");
    Config {
        state_folder: config.state_folder.or(Some(folder)),
        ..config
    }
}

pub(crate) fn event(event_id: &str) -> wire::AppendAuditRequest {
    wire::AppendAuditRequest {
        event_id: event_id.to_owned(),
        actor: "ada".to_owned(),
        action: "proposal.approved".to_owned(),
        subject: "proposal/7".to_owned(),
        run_id: String::new(),
        details_json: r#"{"z": 1, "a": "go"}"#.to_owned(),
    }
}
