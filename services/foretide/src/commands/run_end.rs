//! How a run ends on the terminal: what was read and what was not, what the workspace has and what
//! waits, and why.

use anyhow::bail;
use foretide_api::orchestration::v1::{Run, RunState};
use foretide_api::writeback::v1::{Batch, ListBatchesRequest, ListBatchesResponse, WaitingRows};
use foretide_service_runtime::Peers;

use crate::connection::plainly;
use crate::render::printable;

/// What became of the rows of a run, and of those that wait.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    accepted: Vec<Batch>,
    waiting: Vec<WaitingRows>,
}

impl Delivery {
    /// Asks both services that write rows back.
    pub(super) async fn of_run(peers: &Peers, run_id: &str) -> anyhow::Result<Self> {
        let request = ListBatchesRequest {
            run_id: run_id.to_owned(),
            limit: 0,
        };
        let mut delivery = Self::default();
        for mut client in [peers.scorer_write_back(), peers.auditor_write_back()] {
            let answer = client.list_batches(request.clone()).await;
            let ListBatchesResponse { batches, waiting } =
                answer.map_err(|status| plainly(&status))?.into_inner();
            delivery.accepted.extend(batches);
            delivery.waiting.extend(waiting);
        }
        Ok(delivery)
    }

    fn lines(&self) -> Vec<String> {
        let accepted = self.accepted.iter();
        let accepted =
            accepted.map(|batch| format!("delivered: {} rows of {}", batch.rows, batch.table));
        accepted
            .chain(self.waiting.iter().map(waiting_line))
            .collect()
    }

    /// Whether rows should have reached the workspace and none did.
    fn has_failed(&self) -> bool {
        let tried = |rows: &WaitingRows| !rows.problem.is_empty();
        self.accepted.is_empty() && self.waiting.iter().any(tried)
    }
}

/// Rows that wait, and why.
pub(super) fn waiting_line(waiting: &WaitingRows) -> String {
    let WaitingRows {
        table,
        rows,
        problem,
        refused,
    } = waiting;
    match (refused, problem.as_str()) {
        (true, why) => format!("refused: {rows} rows of {table}: {why}"),
        (false, "") => format!("waiting: {rows} rows of {table}: they are sent next"),
        (false, why) => format!("waiting: {rows} rows of {table}: {why}"),
    }
}

/// Prints how a run has ended.
///
/// # Errors
/// When it has failed, when a part of its source could not be read, or when rows should have reached
/// the workspace and none did. What is printed says why.
pub(super) fn tell(run: &Run, delivery: &Delivery) -> anyhow::Result<()> {
    let of_steps = |pick: fn(&foretide_api::orchestration::v1::RunStep) -> &Vec<String>| {
        run.steps.iter().flat_map(pick).cloned()
    };
    let lines = of_steps(|step| &step.report)
        .chain(of_steps(|step| &step.shortfalls))
        .chain(delivery.lines());
    println!();
    for line in lines {
        println!("{}", printable(&line));
    }
    match run.state() {
        RunState::Failed => {
            let failed = run.steps.iter().find(|step| !step.error.is_empty());
            let step = failed.map_or("?", |step| step.step.as_str());
            bail!("run {} failed at {step}", run.run_id)
        }
        RunState::Incomplete => bail!("run {} is incomplete: see what was not read", run.run_id),
        _ if delivery.has_failed() => {
            bail!("nothing reached the workspace: see what waits; it is sent again by the next run")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use foretide_api::orchestration::v1::RunStep;

    use super::*;

    fn waiting(problem: &str) -> WaitingRows {
        WaitingRows {
            table: "PredictiveAlerting_CL".to_owned(),
            rows: 72,
            problem: problem.to_owned(),
            refused: false,
        }
    }

    fn run(state: RunState) -> Run {
        Run {
            run_id: "r".to_owned(),
            state: state.into(),
            steps: vec![RunStep {
                step: "ingest".to_owned(),
                error: "gone".to_owned(),
                ..RunStep::default()
            }],
            ..Run::default()
        }
    }

    #[test]
    fn nothing_delivered_is_a_failure_only_when_it_was_tried() {
        let good = run(RunState::Succeeded);
        let delivery = |accepted: usize, problem: &str| Delivery {
            accepted: vec![Batch::default(); accepted],
            waiting: vec![waiting(problem)],
        };
        assert!(tell(&good, &Delivery::default()).is_ok());
        assert!(tell(&good, &delivery(0, "")).is_ok());
        assert!(tell(&good, &delivery(1, "no right")).is_ok());
        let error = tell(&good, &delivery(0, "no right")).unwrap_err();
        assert!(error.to_string().contains("nothing reached the workspace"));
    }

    #[test]
    fn a_run_that_failed_or_is_incomplete_does_not_end_well() {
        let failed = tell(&run(RunState::Failed), &Delivery::default()).unwrap_err();
        assert_eq!(failed.to_string(), "run r failed at ingest");
        let short = tell(&run(RunState::Incomplete), &Delivery::default()).unwrap_err();
        assert!(short.to_string().contains("incomplete"));
    }

    #[test]
    fn what_waits_says_why() {
        let line = waiting_line(&waiting("no right to write"));
        assert_eq!(
            line,
            "waiting: 72 rows of PredictiveAlerting_CL: no right to write"
        );
    }
}
