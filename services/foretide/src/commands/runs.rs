//! `runs`, `jobs` and `phase`.

use anyhow::Context;
use foretide_api::governance::v1::{ListPhasesRequest, PhaseState, SetPhaseRequest};
use foretide_api::orchestration::v1::{
    GetRunRequest, ListDeadLettersRequest, ListRunsRequest, RetryDeadLetterRequest, Run, RunState,
};
use foretide_domain::Phase;

use crate::cli::{JobsCommand, PhaseCommand, RunsCommand};
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::progress::{duration, seconds};
use crate::render::{minute, print};

pub(super) async fn run(command: RunsCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        RunsCommand::List(list) => {
            let peers = connection::open(config, &list.caller, "operator")?;
            let request = ListRunsRequest { limit: list.limit };
            let answer = peers
                .orchestrator()
                .list_runs(request)
                .await
                .map_err(|status| plainly(&status))?;
            let runs = answer.into_inner().runs;
            let rows = runs.iter().map(|run| {
                vec![
                    run.run_id.clone(),
                    run.kind.clone(),
                    minute(run.as_of),
                    state_word(run.state()).to_owned(),
                    duration(run.queued_at, run.finished_at),
                    run.started_by.clone(),
                ]
            });
            print(
                list.output.format,
                &runs,
                &["run", "kind", "as of (UTC)", "state", "took", "by"],
                rows,
            )
        }
        RunsCommand::Show {
            run_id,
            output,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            let answer = peers
                .orchestrator()
                .get_run(GetRunRequest { run_id })
                .await
                .map_err(|status| plainly(&status))?;
            let run = answer
                .into_inner()
                .run
                .context("the orchestrator sent no run")?;
            print(
                output.format,
                &run,
                &["step", "state", "took", "tries", "summary or error"],
                step_rows(&run),
            )
        }
    }
}

fn step_rows(run: &Run) -> Vec<Vec<String>> {
    let row = |step: &foretide_api::orchestration::v1::RunStep| {
        let told = if step.error.is_empty() {
            &step.summary_json
        } else {
            &step.error
        };
        vec![
            step.step.clone(),
            state_word(step.state()).to_owned(),
            seconds(step),
            step.attempts.to_string(),
            told.clone(),
        ]
    };
    run.steps.iter().map(row).collect()
}

/// A run's or step's state in one word.
pub(super) fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Unspecified => "unknown",
        RunState::Queued => "queued",
        RunState::Running => "running",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Incomplete => "incomplete",
    }
}

pub(super) async fn jobs(command: JobsCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        JobsCommand::List(list) => {
            let peers = connection::open(config, &list.caller, "operator")?;
            let request = ListDeadLettersRequest { limit: list.limit };
            let answer = peers
                .orchestrator()
                .list_dead_letters(request)
                .await
                .map_err(|status| plainly(&status))?;
            let letters = answer.into_inner().dead_letters;
            let rows = letters.iter().map(|letter| {
                vec![
                    letter.job_id.clone(),
                    letter.job.clone(),
                    letter.run_id.clone(),
                    letter.step.clone(),
                    minute(letter.died_at),
                    letter.error.clone(),
                ]
            });
            print(
                list.output.format,
                &letters,
                &["job", "kind", "run", "step", "died (UTC)", "error"],
                rows,
            )
        }
        JobsCommand::Retry { job_id, caller } => {
            let peers = connection::open(config, &caller, "operator")?;
            let request = RetryDeadLetterRequest { job_id };
            let answer = peers
                .orchestrator()
                .retry_dead_letter(request)
                .await
                .map_err(|status| plainly(&status))?;
            let run = answer
                .into_inner()
                .run
                .context("the orchestrator named no run")?;
            println!("on the queue again: run {}", run.run_id);
            Ok(())
        }
    }
}

pub(super) async fn phases(command: PhaseCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        PhaseCommand::List(list) => {
            let peers = connection::open(config, &list.caller, "operator")?;
            let answer = peers
                .auditor()
                .list_phases(ListPhasesRequest {})
                .await
                .map_err(|status| plainly(&status))?;
            let states = answer.into_inner().states;
            print(
                list.output.format,
                &states,
                PHASE_HEADER,
                states.iter().map(phase_row),
            )
        }
        PhaseCommand::Set {
            use_case,
            phase,
            reason,
            caller,
        } => {
            let phase: Phase = phase.parse().map_err(anyhow::Error::msg)?;
            let peers = connection::open(config, &caller, "approver")?;
            let request = SetPhaseRequest {
                use_case,
                phase: foretide_api::phase_message(phase),
                reason,
            };
            let answer = peers
                .auditor()
                .set_phase(request)
                .await
                .map_err(|status| plainly(&status))?;
            let state = answer
                .into_inner()
                .state
                .context("the auditor sent no state")?;
            print(
                crate::cli::Format::Table,
                &state,
                PHASE_HEADER,
                [phase_row(&state)],
            )
        }
    }
}

const PHASE_HEADER: &[&str] = &["use case", "phase", "since (UTC)", "by", "reason"];

fn phase_row(state: &PhaseState) -> Vec<String> {
    let phase = foretide_api::phase("phase", state.phase).map_or("unknown", Phase::name);
    vec![
        state.use_case.clone(),
        phase.to_owned(),
        minute(state.since),
        state.changed_by.clone(),
        state.reason.clone(),
    ]
}
