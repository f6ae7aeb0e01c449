//! A broker with fakes around it, a Teams channel, and what people do with it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::actions::v1 as wire;
use foretide_api::actions::v1::actions_service_client::ActionsServiceClient;
use foretide_api::actions::v1::propose_from_forecast_response::Event;
use foretide_api::timestamp;
use foretide_broker::config::{Config, TeamsConfig};
use foretide_db::testing::TestDatabase;
use foretide_domain::{Principal, Role, RunId, RunningClock};
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle, RecordedRequest};
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};
use tempfile::TempDir;
use tonic::Status;

use crate::fakes::{Fakes, World};

pub(crate) type Client = ActionsServiceClient<AuthedChannel>;

/// Monday morning.
pub(crate) fn monday() -> DateTime<Utc> {
    "2026-01-05T06:00:00Z".parse().unwrap()
}

pub(crate) struct Soc {
    pub(crate) world: World,
    pub(crate) emulator: Arc<EmulatorHandle>,
    pub(crate) context: TestContext,
    pub(crate) server: TestServer,
    config: Config,
    fakes: Fakes,
    database: Option<TestDatabase>,
}

impl Soc {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With a changed configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::begin(None, change).await
    }

    pub(crate) async fn start_on(database: TestDatabase) -> Self {
        Self::begin(Some(database), |_| {}).await
    }

    async fn begin(database: Option<TestDatabase>, change: impl FnOnce(&mut Config)) -> Self {
        let emulator = Emulator::start(
            EmulatorConfig::default(),
            RunningClock::starting_at(monday()).shared(),
        )
        .await
        .unwrap();
        let mut config = Config {
            console_url: Some("https://foretide.contoso.example/".parse().unwrap()),
            teams: Some(TeamsConfig {
                webhook_url: emulator.teams_webhook_url().into(),
                timeout_seconds: 2,
            }),
            ..Config::default()
        };
        change(&mut config);
        let world = World::default();
        Self::open(config, world, Arc::new(emulator), monday(), None, database).await
    }

    async fn open(
        config: Config,
        world: World,
        emulator: Arc<EmulatorHandle>,
        now: DateTime<Utc>,
        folder: Option<Arc<TempDir>>,
        database: Option<TestDatabase>,
    ) -> Self {
        let fakes = world.serve().await;
        let peers = fakes.addresses();
        let mut context = match folder {
            Some(folder) => TestContext::reopen("broker", now, &peers, folder),
            None => TestContext::new("broker", now, &peers),
        };
        if let Some(database) = &database {
            context.ctx.database = database.config.clone();
        }
        let built = foretide_broker::build(&context.ctx, config.clone())
            .await
            .unwrap();
        let server = TestServer::start(&context.ctx, built).await;
        Self {
            world,
            emulator,
            context,
            server,
            config,
            fakes,
            database,
        }
    }

    /// Stops the broker and starts it again on the same tables, some time later.
    pub(crate) async fn restart_after(self, pause: TimeDelta) -> Self {
        let now = self.context.ctx.clock.now() + pause;
        self.server.stop().await;
        drop(self.fakes);
        let folder = Some(self.context.folder);
        Self::open(
            self.config,
            self.world,
            self.emulator,
            now,
            folder,
            self.database,
        )
        .await
    }

    /// A second broker on the same tables.
    pub(crate) async fn replica(&self) -> (TestServer, Client) {
        let built = foretide_broker::build(&self.context.ctx, self.config.clone())
            .await
            .unwrap();
        let server = TestServer::start(&self.context.ctx, built).await;
        let client = Client::new(server.channel_of("edsger", &[Role::Viewer, Role::Approver]));
        (server, client)
    }

    pub(crate) fn service(&self) -> Client {
        Client::new(self.server.channel_as(Principal::service("foretide")))
    }

    pub(crate) fn person(&self, name: &str, roles: &[Role]) -> Client {
        Client::new(self.server.channel_of(name, roles))
    }

    pub(crate) fn approver(&self) -> Client {
        self.person("grace", &[Role::Viewer, Role::Approver])
    }

    pub(crate) fn operator(&self) -> Client {
        self.person("ada", &[Role::Viewer, Role::Operator])
    }

    pub(crate) async fn propose(&self, run_id: RunId) -> wire::ProposeSummary {
        self.try_propose(self.service(), run_id).await.unwrap()
    }

    pub(crate) async fn try_propose(
        &self,
        mut caller: Client,
        run_id: RunId,
    ) -> Result<wire::ProposeSummary, Status> {
        let request = wire::ProposeFromForecastRequest {
            run_id: run_id.to_string(),
            use_case: "risk_period".to_owned(),
            as_of: timestamp(self.context.ctx.clock.now()),
        };
        let mut stream = caller.propose_from_forecast(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            if let Some(Event::Summary(summary)) = message.event {
                return Ok(summary);
            }
        }
        panic!("the stream ended without a summary")
    }

    /// A waiting proposal for a risk window tomorrow.
    pub(crate) async fn proposed(&self) -> wire::Proposal {
        let now = self.context.ctx.clock.now();
        let (run_id, forecast) = self.world.forecast(now, "valid");
        self.world.window(forecast, now + TimeDelta::hours(26));
        let summary = self.propose(run_id).await;
        assert_eq!(summary.reason, "");
        self.get(&summary.proposal_ids[0]).await
    }

    pub(crate) async fn get(&self, id: &str) -> wire::Proposal {
        let request = wire::GetProposalRequest {
            proposal_id: id.to_owned(),
        };
        let response = self.service().get_proposal(request).await.unwrap();
        response.into_inner().proposal.unwrap()
    }

    pub(crate) async fn list(&self, state: wire::ProposalState) -> Vec<wire::Proposal> {
        let request = wire::ListProposalsRequest {
            state: state.into(),
            ..wire::ListProposalsRequest::default()
        };
        let response = self.service().list_proposals(request).await.unwrap();
        response.into_inner().proposals
    }

    pub(crate) async fn set_kill_switch(
        &self,
        mut caller: Client,
        engaged: bool,
    ) -> Result<wire::KillSwitch, Status> {
        let request = wire::SetKillSwitchRequest {
            engaged,
            reason: "an exercise".to_owned(),
        };
        let response = caller.set_kill_switch(request).await?;
        Ok(response.into_inner().kill_switch.unwrap())
    }

    /// What came to the Teams channel, answered or not.
    pub(crate) fn posted(&self) -> Vec<RecordedRequest> {
        self.emulator.requests("/workflows/")
    }

    /// Waits until the audit chain was told of this as its newest event.
    pub(crate) async fn until_audited(&self, action: &str) {
        let told = || {
            self.world
                .audited_actions()
                .last()
                .is_some_and(|last| last == action)
        };
        until(&format!("{action} is audited"), async || told()).await;
    }

    pub(crate) async fn until_state(&self, id: &str, state: wire::ProposalState) -> wire::Proposal {
        until(&format!("it is {state:?}"), async || {
            self.get(id).await.state() == state
        })
        .await;
        self.get(id).await
    }
}

/// Waits on a condition.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let poll = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !condition().await {
            ticks.tick().await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), poll)
        .await
        .is_err()
    {
        panic!("waited in vain until {what}");
    }
}

pub(crate) async fn approve(
    mut caller: Client,
    proposal: &wire::Proposal,
) -> Result<wire::Proposal, Status> {
    let request = wire::ApproveProposalRequest {
        proposal_id: proposal.proposal_id.clone(),
        payload_hash: proposal.payload_hash.clone(),
        comment: "looks right".to_owned(),
        route: "cli".to_owned(),
    };
    let response = caller.approve_proposal(request).await?;
    Ok(response.into_inner().proposal.unwrap())
}

pub(crate) async fn reject(
    mut caller: Client,
    proposal: &wire::Proposal,
) -> Result<wire::Proposal, Status> {
    let request = wire::RejectProposalRequest {
        proposal_id: proposal.proposal_id.clone(),
        comment: "a holiday".to_owned(),
        route: "console".to_owned(),
    };
    let response = caller.reject_proposal(request).await?;
    Ok(response.into_inner().proposal.unwrap())
}
