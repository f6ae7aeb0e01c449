//! Services that tell a small, hostile story: whatever can hold a text holds markup.

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
use foretide_domain::TimeSpan;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

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

#[async_trait]
impl orchestration::orchestration_service_server::OrchestrationService for Fakes {
    type WatchRunStream = BoxStream<orchestration::WatchRunResponse>;

    async fn list_runs(
        &self,
        request: Request<orchestration::ListRunsRequest>,
    ) -> Answer<orchestration::ListRunsResponse> {
        self.take(request)?;
        let runs = if self.story().empty {
            vec![]
        } else {
            vec![self.run()]
        };
        Ok(Response::new(orchestration::ListRunsResponse { runs }))
    }

    async fn get_run(
        &self,
        request: Request<orchestration::GetRunRequest>,
    ) -> Answer<orchestration::GetRunResponse> {
        let asked = self.take(request)?;
        if asked.run_id != RUN_ID {
            return Err(Status::not_found(format!(
                "run {} does not exist",
                asked.run_id
            )));
        }
        Ok(Response::new(orchestration::GetRunResponse {
            run: Some(self.run()),
        }))
    }

    async fn get_calendar(
        &self,
        request: Request<orchestration::GetCalendarRequest>,
    ) -> Answer<orchestration::GetCalendarResponse> {
        self.take(request)?;
        let entry = orchestration::CalendarEntry {
            name: "daily forecast".to_owned(),
            kind: "forecast".to_owned(),
            schedule: "0 6 * * *".to_owned(),
            next: at(24),
        };
        Ok(Response::new(orchestration::GetCalendarResponse {
            entries: vec![entry],
        }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<orchestration::ListDeadLettersRequest>,
    ) -> Answer<orchestration::ListDeadLettersResponse> {
        self.take(request)?;
        Ok(Response::new(orchestration::ListDeadLettersResponse {
            dead_letters: vec![],
        }))
    }

    async fn start_run(
        &self,
        _: Request<orchestration::StartRunRequest>,
    ) -> Answer<orchestration::StartRunResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn watch_run(
        &self,
        _: Request<orchestration::WatchRunRequest>,
    ) -> Answer<Self::WatchRunStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn retry_dead_letter(
        &self,
        _: Request<orchestration::RetryDeadLetterRequest>,
    ) -> Answer<orchestration::RetryDeadLetterResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}

#[async_trait]
impl scoring::scoring_service_server::ScoringService for Fakes {
    type ScoreStream = BoxStream<scoring::ScoreResponse>;

    async fn get_forecast(
        &self,
        request: Request<scoring::GetForecastRequest>,
    ) -> Answer<scoring::GetForecastResponse> {
        let asked = self.take(request)?;
        self.story().forecast_requests.push(asked.clone());
        if self.story().empty || asked.series_id.ends_with("=Unknown") {
            return Err(Status::not_found("there is no forecast"));
        }
        let point = |hour: i64| scoring::ForecastPoint {
            time: at(hour),
            mean: 5.0,
            quantiles: Some(types::Quantiles {
                q025: 1.0,
                q100: 2.0,
                q500: 4.0 + (hour % 24) as f64,
                q900: 40.0,
                q975: 60.0,
            }),
            drivers: vec![types::Driver {
                name: HOSTILE.to_owned(),
                contribution: 2.5,
            }],
        };
        let series = scoring::SeriesForecast {
            series_id: asked.series_id,
            model_kind: "prophet_additive".to_owned(),
            note: HOSTILE.to_owned(),
            points: (0..72).map(point).collect(),
        };
        Ok(Response::new(scoring::GetForecastResponse {
            forecast: Some(forecast()),
            series: Some(series),
        }))
    }

    async fn list_forecasts(
        &self,
        request: Request<scoring::ListForecastsRequest>,
    ) -> Answer<scoring::ListForecastsResponse> {
        self.take(request)?;
        Ok(Response::new(scoring::ListForecastsResponse {
            forecasts: vec![forecast()],
        }))
    }

    async fn list_risk_windows(
        &self,
        request: Request<scoring::ListRiskWindowsRequest>,
    ) -> Answer<scoring::ListRiskWindowsResponse> {
        self.take(request)?;
        let window = |start: i64, trigger: &str, acts| scoring::RiskWindow {
            risk_window_id: String::new(),
            forecast_id: FORECAST_ID.to_owned(),
            run_id: RUN_ID.to_owned(),
            use_case: "risk_period".to_owned(),
            series_id: "risk_period/total".to_owned(),
            span: foretide_api::span_message(TimeSpan {
                start: hours(start),
                end: hours(start + 8),
            }),
            probability: 0.82,
            expected: 71.4,
            capacity: 48.0,
            trigger: trigger.to_owned(),
            acts,
            drivers: vec![types::Driver {
                name: HOSTILE.to_owned(),
                contribution: 41.0,
            }],
            issued_at: at(-1),
            validity: "valid".to_owned(),
        };
        let windows = vec![
            window(-40, "weekday_conformal", true),
            window(6, "rolling_2sd", false),
            window(24, "weekday_conformal", true),
        ];
        let risk_windows = if self.story().empty { vec![] } else { windows };
        Ok(Response::new(scoring::ListRiskWindowsResponse {
            risk_windows,
        }))
    }

    async fn score(&self, _: Request<scoring::ScoreRequest>) -> Answer<Self::ScoreStream> {
        Err(Status::unimplemented("not in this story"))
    }
}

fn forecast() -> scoring::Forecast {
    scoring::Forecast {
        forecast_id: FORECAST_ID.to_owned(),
        run_id: RUN_ID.to_owned(),
        use_case: "attack_volume".to_owned(),
        issued_at: at(-1),
        start: at(0),
        horizon_hours: 72,
        model_name: "attack_volume".to_owned(),
        model_version: 3,
        completeness: 0.98,
        validity: "valid".to_owned(),
        valid_until: at(24),
        series_ids: [
            "attack_volume/total",
            "attack_volume/severity=High",
            "attack_volume/product=<b>%26",
        ]
        .map(ToOwned::to_owned)
        .to_vec(),
    }
}

#[async_trait]
impl features::feature_store_service_server::FeatureStoreService for Fakes {
    type MaterializeStream = BoxStream<features::MaterializeResponse>;

    async fn get_actuals(
        &self,
        request: Request<features::GetActualsRequest>,
    ) -> Answer<features::GetActualsResponse> {
        let asked = self.take(request)?;
        let span = asked.span.unwrap_or_default();
        let series = asked
            .series_ids
            .into_iter()
            .map(|series_id| features::SeriesHistory {
                series_id,
                start: span.start,
                values: (0..72).map(f64::from).collect(),
            });
        Ok(Response::new(features::GetActualsResponse {
            series: series.collect(),
            settled_until: at(-3),
        }))
    }

    async fn materialize(
        &self,
        _: Request<features::MaterializeRequest>,
    ) -> Answer<Self::MaterializeStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn build_training_set(
        &self,
        _: Request<features::BuildTrainingSetRequest>,
    ) -> Answer<features::BuildTrainingSetResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_scoring_frame(
        &self,
        _: Request<features::GetScoringFrameRequest>,
    ) -> Answer<features::GetScoringFrameResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_online_values(
        &self,
        _: Request<features::GetOnlineValuesRequest>,
    ) -> Answer<features::GetOnlineValuesResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn list_feature_views(
        &self,
        _: Request<features::ListFeatureViewsRequest>,
    ) -> Answer<features::ListFeatureViewsResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}

#[async_trait]
impl governance::governance_service_server::GovernanceService for Fakes {
    type EvaluateStream = BoxStream<governance::EvaluateResponse>;

    async fn list_phases(
        &self,
        request: Request<governance::ListPhasesRequest>,
    ) -> Answer<governance::ListPhasesResponse> {
        self.take(request)?;
        let state = governance::PhaseState {
            use_case: "risk_period".to_owned(),
            phase: types::Phase::Assisted.into(),
            since: at(-100),
            changed_by: "anna".to_owned(),
            reason: HOSTILE.to_owned(),
        };
        Ok(Response::new(governance::ListPhasesResponse {
            states: vec![state],
        }))
    }

    async fn list_evaluations(
        &self,
        request: Request<governance::ListEvaluationsRequest>,
    ) -> Answer<governance::ListEvaluationsResponse> {
        let asked = self.take(request)?;
        let evaluation = governance::Evaluation {
            use_case: asked.use_case.clone(),
            series_id: format!("{}/total", asked.use_case),
            evaluated_at: at(-2),
            hours: 72,
            mae: 1.25,
            pinball: 0.456,
            naive_pinball: 0.789,
            coverage_80: 0.79,
            coverage_95: 0.94,
            model_version: 3,
            ..Default::default()
        };
        Ok(Response::new(governance::ListEvaluationsResponse {
            evaluations: vec![evaluation],
        }))
    }

    async fn list_audit(
        &self,
        request: Request<governance::ListAuditRequest>,
    ) -> Answer<governance::ListAuditResponse> {
        let asked = self.take(request)?;
        let newest = if asked.from_sequence == 0 {
            250
        } else {
            asked.from_sequence
        };
        let record = |sequence: u64| governance::AuditRecord {
            sequence,
            event_id: format!("event-{sequence}"),
            recorded_at: at(-1),
            actor: "anna".to_owned(),
            action: "proposal.approved".to_owned(),
            subject: HOSTILE.to_owned(),
            run_id: RUN_ID.to_owned(),
            details_json: serde_json::json!({ "comment": HOSTILE }).to_string(),
            previous_hash: HASH.to_owned(),
            hash: HASH.to_owned(),
        };
        let records = (1..=newest)
            .rev()
            .take(asked.limit as usize)
            .map(record)
            .collect();
        self.story().audit_requests.push(asked);
        Ok(Response::new(governance::ListAuditResponse { records }))
    }

    async fn verify_audit(
        &self,
        request: Request<governance::VerifyAuditRequest>,
    ) -> Answer<governance::VerifyAuditResponse> {
        self.take(request)?;
        let intact = !self.story().chain_is_broken;
        Ok(Response::new(governance::VerifyAuditResponse {
            intact,
            records: 250,
            head_hash: HASH.to_owned(),
            broken_sequence: if intact { 0 } else { 240 },
            problem: if intact {
                String::new()
            } else {
                "the hash does not fit".to_owned()
            },
        }))
    }

    async fn evaluate(
        &self,
        _: Request<governance::EvaluateRequest>,
    ) -> Answer<Self::EvaluateStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_phase(
        &self,
        _: Request<governance::GetPhaseRequest>,
    ) -> Answer<governance::GetPhaseResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn set_phase(
        &self,
        _: Request<governance::SetPhaseRequest>,
    ) -> Answer<governance::SetPhaseResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn append_audit(
        &self,
        _: Request<governance::AppendAuditRequest>,
    ) -> Answer<governance::AppendAuditResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}

#[async_trait]
impl training::training_service_server::TrainingService for Fakes {
    type TrainStream = BoxStream<training::TrainResponse>;

    async fn get_champion(
        &self,
        request: Request<training::GetChampionRequest>,
    ) -> Answer<training::GetChampionResponse> {
        let asked = self.take(request)?;
        if self.story().empty {
            return Err(Status::not_found("there is no champion"));
        }
        let score = |kind: &str| training::CandidateScore {
            kind: kind.to_owned(),
            pinball: 0.5,
            mae: 1.5,
            coverage_80: 0.81,
            coverage_95: 0.95,
        };
        let series = training::SeriesModel {
            series_id: format!("{}/total", asked.use_case),
            kind: "climatology".to_owned(),
            scores: vec![score("seasonal_naive"), score("climatology")],
            note: HOSTILE.to_owned(),
            learning: true,
            weights: vec![training::CandidateWeight {
                kind: "climatology".to_owned(),
                weight: 1.0,
            }],
            ..Default::default()
        };
        let version = training::ModelVersion {
            name: asked.use_case,
            version: 3,
            trained_at: at(-30),
            series: vec![series],
            history_hours: 2880,
            ..Default::default()
        };
        Ok(Response::new(training::GetChampionResponse {
            model_version: Some(version),
        }))
    }

    async fn list_model_versions(
        &self,
        request: Request<training::ListModelVersionsRequest>,
    ) -> Answer<training::ListModelVersionsResponse> {
        self.take(request)?;
        let version = training::ModelVersion {
            version: 3,
            alias: "champion".to_owned(),
            ..Default::default()
        };
        Ok(Response::new(training::ListModelVersionsResponse {
            model_versions: vec![version],
        }))
    }

    async fn get_ledger_status(
        &self,
        request: Request<training::GetLedgerStatusRequest>,
    ) -> Answer<training::GetLedgerStatusResponse> {
        self.take(request)?;
        Ok(Response::new(training::GetLedgerStatusResponse {
            pending: 4,
            ..Default::default()
        }))
    }

    async fn train(&self, _: Request<training::TrainRequest>) -> Answer<Self::TrainStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_model_version(
        &self,
        _: Request<training::GetModelVersionRequest>,
    ) -> Answer<training::GetModelVersionResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}

#[async_trait]
impl actions::actions_service_server::ActionsService for Fakes {
    type ProposeFromForecastStream = BoxStream<actions::ProposeFromForecastResponse>;

    async fn list_proposals(
        &self,
        request: Request<actions::ListProposalsRequest>,
    ) -> Answer<actions::ListProposalsResponse> {
        self.take(request)?;
        let proposals = if self.story().empty {
            vec![]
        } else {
            vec![self.proposal()]
        };
        Ok(Response::new(actions::ListProposalsResponse { proposals }))
    }

    async fn get_proposal(
        &self,
        request: Request<actions::GetProposalRequest>,
    ) -> Answer<actions::GetProposalResponse> {
        let asked = self.take(request)?;
        if asked.proposal_id != PROPOSAL_ID {
            return Err(Status::not_found(format!(
                "proposal {} does not exist",
                asked.proposal_id
            )));
        }
        Ok(Response::new(actions::GetProposalResponse {
            proposal: Some(self.proposal()),
        }))
    }

    async fn approve_proposal(
        &self,
        request: Request<actions::ApproveProposalRequest>,
    ) -> Answer<actions::ApproveProposalResponse> {
        let asked = self.take(request)?;
        self.story().approvals.push(asked);
        match self.story().refusal.clone() {
            Some(refusal) => Err(refusal),
            None => Ok(Response::new(actions::ApproveProposalResponse {
                proposal: None,
            })),
        }
    }

    async fn reject_proposal(
        &self,
        request: Request<actions::RejectProposalRequest>,
    ) -> Answer<actions::RejectProposalResponse> {
        let asked = self.take(request)?;
        self.story().rejections.push(asked);
        Ok(Response::new(actions::RejectProposalResponse {
            proposal: None,
        }))
    }

    async fn get_kill_switch(
        &self,
        request: Request<actions::GetKillSwitchRequest>,
    ) -> Answer<actions::GetKillSwitchResponse> {
        self.take(request)?;
        let kill_switch = actions::KillSwitch {
            engaged: self.story().kill_switch,
            changed_by: "anna".to_owned(),
            changed_at: at(-1),
            reason: HOSTILE.to_owned(),
        };
        Ok(Response::new(actions::GetKillSwitchResponse {
            kill_switch: Some(kill_switch),
        }))
    }

    async fn propose_from_forecast(
        &self,
        _: Request<actions::ProposeFromForecastRequest>,
    ) -> Answer<Self::ProposeFromForecastStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn create_proposal(
        &self,
        _: Request<actions::CreateProposalRequest>,
    ) -> Answer<actions::CreateProposalResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn set_kill_switch(
        &self,
        _: Request<actions::SetKillSwitchRequest>,
    ) -> Answer<actions::SetKillSwitchResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}
