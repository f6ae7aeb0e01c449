//! The people who work with Foretide, and what they do.

use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use foretide_api::{
    actions::v1::{ApproveProposalRequest, ListProposalsRequest, Proposal, ProposalState},
    orchestration::v1::{GetRunRequest, Run, RunState, StartRunRequest, WatchRunRequest},
    timestamp,
};
use foretide_service_runtime::Peers;
use foretide_test_support::wait_until;

use crate::Installation;

/// Longest time a whole run may take.
const RUN_LIMIT: Duration = Duration::from_secs(600);

/// A SOC: an operator who starts runs and an approver who decides.
#[derive(Debug)]
pub struct Soc {
    /// Starts runs; may not approve.
    pub operator: Peers,
    /// May approve what others proposed.
    pub approver: Peers,
}

impl Soc {
    /// The SOC of an installation.
    ///
    /// # Errors
    /// When no clients can be made.
    pub fn of(installation: &Installation) -> anyhow::Result<Self> {
        Ok(Self {
            operator: installation.clients_of("operator")?,
            approver: installation.clients_of("approver")?,
        })
    }

    /// Puts a run on the queue.
    ///
    /// # Errors
    /// When the orchestrator refuses.
    pub async fn start_run(
        &self,
        kind: &str,
        use_case: &str,
        as_of: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        self.queue(kind, use_case, as_of, false).await
    }

    async fn queue(
        &self,
        kind: &str,
        use_case: &str,
        as_of: DateTime<Utc>,
        force_training: bool,
    ) -> anyhow::Result<String> {
        let answer = self
            .operator
            .orchestrator()
            .start_run(StartRunRequest {
                kind: kind.to_owned(),
                use_case: use_case.to_owned(),
                as_of: timestamp(as_of),
                dedup_key: format!("{kind}-{use_case}-{as_of}"),
                started_by: "e2e".to_owned(),
                force_training,
            })
            .await?
            .into_inner();
        Ok(answer.run.context("the answer holds no run")?.run_id)
    }

    /// Waits until a run has ended.
    ///
    /// # Errors
    /// When it does not end in time or cannot be asked for.
    pub async fn await_run(&self, run_id: &str) -> anyhow::Result<Run> {
        wait_until(RUN_LIMIT, &format!("run {run_id} has ended"), || {
            let mut orchestrator = self.operator.orchestrator();
            let request = GetRunRequest {
                run_id: run_id.to_owned(),
            };
            async move {
                // The orchestrator may be down for a moment: some stories kill it.
                let Ok(answer) = orchestrator.get_run(request).await else {
                    return Ok(None);
                };
                let run = answer.into_inner().run.context("the answer holds no run")?;
                let ended = !matches!(run.state(), RunState::Queued | RunState::Running);
                Ok(ended.then_some(run))
            }
        })
        .await
    }

    /// Runs the six steps for a use case and checks that all of them succeeded.
    ///
    /// # Errors
    /// When a step failed; the message holds its error.
    pub async fn forecast(&self, use_case: &str, as_of: DateTime<Utc>) -> anyhow::Result<Run> {
        let run_id = self.start_run("forecast", use_case, as_of).await?;
        self.succeeds(&run_id).await
    }

    /// As [`Soc::forecast`], with a new model even if the champion is fresh.
    ///
    /// # Errors
    /// When a step failed; the message holds its error.
    pub async fn forecast_with_training(
        &self,
        use_case: &str,
        as_of: DateTime<Utc>,
    ) -> anyhow::Result<Run> {
        let run_id = self.queue("forecast", use_case, as_of, true).await?;
        self.succeeds(&run_id).await
    }

    async fn succeeds(&self, run_id: &str) -> anyhow::Result<Run> {
        let run = self.await_run(run_id).await?;
        for step in &run.steps {
            ensure!(
                step.state() == RunState::Succeeded,
                "step {} of run {run_id} ended as {:?}: {}",
                step.step,
                step.state(),
                step.error
            );
        }
        ensure!(
            run.state() == RunState::Succeeded,
            "the run ended as {:?}",
            run.state()
        );
        Ok(run)
    }

    /// Waits until a step of a run is under way.
    ///
    /// # Errors
    /// When the run ends without it.
    pub async fn await_step(&self, run_id: &str, step: &str) -> anyhow::Result<()> {
        let mut changes = self
            .operator
            .orchestrator()
            .watch_run(WatchRunRequest {
                run_id: run_id.to_owned(),
            })
            .await?
            .into_inner();
        while let Some(change) = changes.message().await? {
            let run = change.run.context("the change holds no run")?;
            let reached = run
                .steps
                .iter()
                .any(|running| running.step == step && running.state() != RunState::Queued);
            if reached {
                return Ok(());
            }
        }
        anyhow::bail!("the run ended without reaching {step}")
    }

    /// Proposals in a state, newest first.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn proposals(&self, state: ProposalState) -> anyhow::Result<Vec<Proposal>> {
        let answer = self
            .operator
            .broker()
            .list_proposals(ListProposalsRequest {
                state: state.into(),
                use_case: String::new(),
                limit: 100,
            })
            .await?;
        Ok(answer.into_inner().proposals)
    }

    /// Approves a proposal as one of the two.
    ///
    /// # Errors
    /// The broker's refusal.
    pub async fn approve(
        &self,
        person: &Peers,
        proposal: &Proposal,
    ) -> Result<Proposal, tonic::Status> {
        let answer = person
            .broker()
            .approve_proposal(ApproveProposalRequest {
                proposal_id: proposal.proposal_id.clone(),
                payload_hash: proposal.payload_hash.clone(),
                comment: "read and agreed".to_owned(),
                route: "grpc".to_owned(),
            })
            .await?;
        answer
            .into_inner()
            .proposal
            .ok_or_else(|| tonic::Status::internal("the answer holds no proposal"))
    }
}
