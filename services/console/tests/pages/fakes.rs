//! Services that tell a small, hostile story: whatever can hold a text holds markup.

mod actuals;
mod audit;
mod champions;
mod forecasts;
mod proposals;
mod runs;
mod write_back;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};
use foretide_api::actions::v1 as actions;
use foretide_api::features::v1 as features;
use foretide_api::governance::v1 as governance;
use foretide_api::orchestration::v1 as orchestration;
use foretide_api::scoring::v1 as scoring;
use foretide_api::training::v1 as training;
use foretide_api::types::v1 as types;
use foretide_api::{Timestamp, timestamp};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::fixture::now;

pub(crate) const TOKEN: &str = "anna-token-0123456789";
pub(crate) const HOSTILE: &str = "<script>alert('x')</script>\"&";
pub(crate) const RUN_ID: &str = "019a0000-0000-7000-8000-000000000001";
pub(crate) const PROPOSAL_ID: &str = "019a0000-0000-7000-8000-000000000002";
pub(crate) const FORECAST_ID: &str = "019a0000-0000-7000-8000-000000000003";
pub(crate) const HASH: &str = "5d0c3a2f5d0c3a2f5d0c3a2f5d0c3a2f5d0c3a2f5d0c3a2f5d0c3a2f5d0c3a2f";

/// What tests change and look at.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) empty: bool,
    pub(crate) run_is_running: bool,
    pub(crate) chain_is_broken: bool,
    pub(crate) kill_switch: bool,
    pub(crate) refusal: Option<Status>,
    pub(crate) approvals: Vec<actions::ApproveProposalRequest>,
    pub(crate) rejections: Vec<actions::RejectProposalRequest>,
    pub(crate) audit_requests: Vec<governance::ListAuditRequest>,
    pub(crate) forecast_requests: Vec<scoring::GetForecastRequest>,
}

#[derive(Clone, Default)]
pub(crate) struct Fakes(Arc<Mutex<Story>>);

type Answer<T> = Result<Response<T>, Status>;

fn hours(count: i64) -> DateTime<Utc> {
    now() + Duration::hours(count)
}

fn at(count: i64) -> Option<Timestamp> {
    timestamp(hours(count))
}

impl Fakes {
    pub(crate) fn story(&self) -> std::sync::MutexGuard<'_, Story> {
        self.0.lock().expect("not poisoned")
    }

    /// Serves all services on one port.
    pub(crate) async fn serve(self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = tonic::transport::Server::builder()
            .add_service(actions::actions_service_server::ActionsServiceServer::new(
                self.clone(),
            ))
            .add_service(
                features::feature_store_service_server::FeatureStoreServiceServer::new(
                    self.clone(),
                ),
            )
            .add_service(
                governance::governance_service_server::GovernanceServiceServer::new(self.clone()),
            )
            .add_service(
                orchestration::orchestration_service_server::OrchestrationServiceServer::new(
                    self.clone(),
                ),
            )
            .add_service(scoring::scoring_service_server::ScoringServiceServer::new(
                self.clone(),
            ))
            .add_service(write_back::server(self.clone()))
            .add_service(training::training_service_server::TrainingServiceServer::new(self));
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    /// Takes a message from somebody whose token is known, as the real services do.
    fn take<T>(&self, request: Request<T>) -> Result<T, Status> {
        let sent = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if sent == Some(&format!("Bearer {TOKEN}")) {
            Ok(request.into_inner())
        } else {
            Err(Status::unauthenticated("the bearer token is not known"))
        }
    }

    fn run(&self) -> orchestration::Run {
        use orchestration::RunState;
        let running = self.story().run_is_running;
        let state = if running {
            RunState::Running
        } else {
            RunState::Failed
        };
        let step = orchestration::RunStep {
            step: "score".to_owned(),
            state: state.into(),
            started_at: at(-1),
            finished_at: (!running).then(|| at(0)).flatten(),
            attempts: 2,
            progress: Some(types::Progress {
                stage: "scoring".to_owned(),
                done: 3,
                total: 9,
            }),
            summary_json: r#"{"rows":216}"#.to_owned(),
            error: if running {
                String::new()
            } else {
                HOSTILE.to_owned()
            },
            report: vec!["read: 40 rows of 2 objects".to_owned()],
            shortfalls: vec![format!("not read: {HOSTILE}")],
        };
        orchestration::Run {
            run_id: RUN_ID.to_owned(),
            kind: "forecast".to_owned(),
            use_case: "risk_period".to_owned(),
            as_of: at(-1),
            state: state.into(),
            steps: vec![step],
            queued_at: at(-1),
            finished_at: at(0),
            started_by: HOSTILE.to_owned(),
        }
    }

    fn proposal(&self) -> actions::Proposal {
        let story = self.story();
        let is_approved = !story.approvals.is_empty() && story.refusal.is_none();
        let state = if is_approved {
            actions::ProposalState::Executed
        } else {
            actions::ProposalState::Waiting
        };
        actions::Proposal {
            proposal_id: PROPOSAL_ID.to_owned(),
            run_id: RUN_ID.to_owned(),
            use_case: "risk_period".to_owned(),
            forecast_id: FORECAST_ID.to_owned(),
            risk_window_id: String::new(),
            action_kind: "teams_notice".to_owned(),
            state: state.into(),
            title: HOSTILE.to_owned(),
            payload_json: serde_json::json!({ "text": HOSTILE }).to_string(),
            payload_hash: HASH.to_owned(),
            policy_version: "policy-1".to_owned(),
            proposed_by: "service:broker".to_owned(),
            proposed_at: at(-1),
            expires_at: at(12),
            decisions: vec![actions::Decision {
                verdict: "approve".to_owned(),
                decided_by: "ben".to_owned(),
                decided_at: at(0),
                comment: HOSTILE.to_owned(),
                route: "cli".to_owned(),
            }],
            execution: is_approved.then(|| actions::Execution {
                started_at: at(0),
                finished_at: at(0),
                attempts: 1,
                outcome: "accepted (202)".to_owned(),
            }),
        }
    }
}
