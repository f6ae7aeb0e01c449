//! Runs of the pipeline, and one of them.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use foretide_api::Timestamp;
use foretide_api::orchestration::v1::{
    CalendarEntry, DeadLetter, GetCalendarRequest, GetRunRequest, ListDeadLettersRequest,
    ListRunsRequest, Run, RunState, RunStep,
};
use foretide_api::writeback::v1::{ListBatchesRequest, WaitingRows};
use http::StatusCode;

use crate::calls::{Answer, request, required};
use crate::error::PageError;
use crate::format::{self, Moment};
use crate::page::{self, Frame, Section};
use crate::session::Session;

const RUNS_SHOWN: u32 = 100;
const REFRESH_SECONDS: u32 = 3;
const SERVICE: &str = "orchestrator";

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    runs: Vec<RunRow>,
    calendar: Vec<CalendarRow>,
    dead_letters: Vec<DeadLetterRow>,
}

struct RunRow {
    id: String,
    kind: String,
    use_case: String,
    as_of: Option<Moment>,
    state: StateBadge,
    duration: String,
    started_by: String,
    problem: String,
}

struct CalendarRow {
    name: String,
    kind: String,
    schedule: String,
    next: Option<Moment>,
}

struct DeadLetterRow {
    job: String,
    run_id: String,
    step: String,
    error: String,
    attempts: u32,
    died_at: Option<Moment>,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    run: RunRow,
    queued_at: Option<Moment>,
    finished_at: Option<Moment>,
    steps: Vec<StepRow>,
    delivery: Vec<String>,
}

struct StepRow {
    step: String,
    state: StateBadge,
    started_at: Option<Moment>,
    duration: String,
    attempts: u32,
    progress: String,
    summary: String,
    report: Vec<String>,
    shortfalls: Vec<String>,
    error: String,
}

/// A state in words, and the class that colours it.
struct StateBadge {
    word: &'static str,
    class: &'static str,
}

pub(crate) async fn list(session: Session) -> Result<Response, PageError> {
    let (mut runs, mut calendar, mut dead) = (
        session.peers.orchestrator(),
        session.peers.orchestrator(),
        session.peers.orchestrator(),
    );
    let (runs, calendar, dead) = tokio::join!(
        runs.list_runs(request(ListRunsRequest { limit: RUNS_SHOWN })),
        calendar.get_calendar(request(GetCalendarRequest {})),
        dead.list_dead_letters(request(ListDeadLettersRequest { limit: RUNS_SHOWN })),
    );
    let page = RunsPage {
        frame: Frame::new("Runs", Section::Runs, &session),
        runs: runs.of(SERVICE)?.runs.iter().map(run_row).collect(),
        calendar: calendar
            .of(SERVICE)?
            .entries
            .into_iter()
            .map(calendar_row)
            .collect(),
        dead_letters: dead
            .of(SERVICE)?
            .dead_letters
            .into_iter()
            .map(dead_letter_row)
            .collect(),
    };
    Ok(page::render(StatusCode::OK, &page))
}

pub(crate) async fn show(
    session: Session,
    Path(run_id): Path<String>,
) -> Result<Response, PageError> {
    let answer = session
        .peers
        .orchestrator()
        .get_run(request(GetRunRequest { run_id }))
        .await;
    let run = required(SERVICE, "run", answer.of(SERVICE)?.run)?;
    let delivery = delivery(&session, &run.run_id).await;
    let mut frame = Frame::new(format!("Run {}", run.kind), Section::Runs, &session);
    if matches!(run.state(), RunState::Queued | RunState::Running) {
        frame.refresh_seconds = Some(REFRESH_SECONDS);
    }
    let page = RunPage {
        frame,
        queued_at: format::moment(run.queued_at),
        finished_at: format::moment(run.finished_at),
        steps: run.steps.iter().map(step_row).collect(),
        delivery,
        run: run_row(&run),
    };
    Ok(page::render(StatusCode::OK, &page))
}

/// What of a run's rows the workspace has, what of all rows waits, and why. The page is there without,
/// and says so.
async fn delivery(session: &Session, run_id: &str) -> Vec<String> {
    let asked = || {
        request(ListBatchesRequest {
            run_id: run_id.to_owned(),
            limit: 0,
        })
    };
    let (mut scorer, mut auditor) = (
        session.peers.scorer_write_back(),
        session.peers.auditor_write_back(),
    );
    let answers = tokio::join!(scorer.list_batches(asked()), auditor.list_batches(asked()));
    let mut lines = Vec::new();
    for (service, answer) in [("scorer", answers.0), ("auditor", answers.1)] {
        let Ok(answer) = answer else {
            lines.push(format!(
                "The {service} does not answer: what it has delivered is not known."
            ));
            continue;
        };
        let answer = answer.into_inner();
        let batches = answer.batches.iter();
        lines.extend(batches.map(|batch| {
            let (rows, table, state) = (batch.rows, &batch.table, &batch.state);
            format!("Delivered: {rows} rows of {table} ({state}).")
        }));
        lines.extend(answer.waiting.iter().map(waiting));
    }
    lines
}

fn waiting(rows: &WaitingRows) -> String {
    let what = if rows.refused { "Refused" } else { "Waiting" };
    let why = match rows.problem.as_str() {
        "" => "they are sent next",
        why => why,
    };
    format!("{what}: {} rows of {}: {why}", rows.rows, rows.table)
}

fn run_row(run: &Run) -> RunRow {
    let failed = run.steps.iter().find(|step| !step.error.is_empty());
    let mut shortfalls = run.steps.iter().flat_map(|step| &step.shortfalls);
    RunRow {
        id: run.run_id.clone(),
        kind: format::words(&run.kind),
        use_case: format::words(&run.use_case),
        as_of: format::moment(run.as_of),
        state: badge(run.state()),
        duration: took(run.queued_at, run.finished_at),
        started_by: run.started_by.clone(),
        problem: failed
            .map(|step| format!("{}: {}", step.step, step.error))
            .or_else(|| shortfalls.next().cloned())
            .unwrap_or_default(),
    }
}

fn calendar_row(entry: CalendarEntry) -> CalendarRow {
    CalendarRow {
        name: entry.name,
        kind: format::words(&entry.kind),
        schedule: entry.schedule,
        next: format::moment(entry.next),
    }
}

fn dead_letter_row(letter: DeadLetter) -> DeadLetterRow {
    DeadLetterRow {
        job: letter.job,
        run_id: letter.run_id,
        step: letter.step,
        error: letter.error,
        attempts: letter.attempts,
        died_at: format::moment(letter.died_at),
    }
}

fn step_row(step: &RunStep) -> StepRow {
    let progress = step
        .progress
        .as_ref()
        .filter(|_| step.state() == RunState::Running);
    StepRow {
        step: step.step.clone(),
        state: badge(step.state()),
        started_at: format::moment(step.started_at),
        duration: took(step.started_at, step.finished_at),
        attempts: step.attempts,
        progress: progress.map(progress_text).unwrap_or_default(),
        summary: if step.summary_json.is_empty() {
            String::new()
        } else {
            format::pretty_json(&step.summary_json)
        },
        report: step.report.clone(),
        shortfalls: step.shortfalls.clone(),
        error: step.error.clone(),
    }
}

fn progress_text(progress: &foretide_api::types::v1::Progress) -> String {
    match progress.total {
        0 => progress.stage.clone(),
        total => format!("{}: {} of {total}", progress.stage, progress.done),
    }
}

fn took(start: Option<Timestamp>, end: Option<Timestamp>) -> String {
    let (start, end) = (
        start.and_then(Timestamp::to_moment),
        end.and_then(Timestamp::to_moment),
    );
    start
        .zip(end)
        .map(|(start, end)| format::duration(end - start))
        .unwrap_or_default()
}

fn badge(state: RunState) -> StateBadge {
    let (word, class) = match state {
        RunState::Unspecified => ("waiting", "neutral"),
        RunState::Queued => ("queued", "neutral"),
        RunState::Running => ("running", "active"),
        RunState::Succeeded => ("succeeded", "good"),
        RunState::Failed => ("failed", "bad"),
        RunState::Incomplete => ("incomplete", "bad"),
    };
    StateBadge { word, class }
}
