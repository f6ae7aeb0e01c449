//! The job that reads the parts, one after the other.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_domain::RunId;
use foretide_jobs::{Handler, Job, JobContext, Outcome};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::model::{Part, PartEnd, PartState, Taken};
use crate::service::Ingestion;
use crate::source::{IngestError, TableReport};
use crate::storage::{Ledger, Next};

/// Tries of a part before it is left.
const MAX_ATTEMPTS: u32 = 3;
/// Pause before a part is tried again; doubled with each try.
const PAUSE: Duration = Duration::from_secs(2);
/// Damaged objects of a part that are named; of the others the number is.
const MAX_NAMED: usize = 3;

/// Reads the parts of a backfill. A later turn (after a pause, or for a retry) is another job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackfillJob {
    pub(crate) id: RunId,
    pub(crate) turn: i32,
}

impl Job for BackfillJob {
    const NAME: &'static str = "backfill";
    const VERSION: u32 = 1;
    // deaths of the process count: a year may see many, and each part has its own few
    const MAX_ATTEMPTS: u32 = 10_000;

    fn deadline(&self) -> Duration {
        Duration::from_secs(90 * 24 * 3600)
    }
}

/// Does [`BackfillJob`]s.
pub(crate) struct BackfillHandler {
    ingestion: Ingestion,
    ledger: Ledger,
    shutdown: CancellationToken,
}

impl BackfillHandler {
    pub(super) fn new(ingestion: Ingestion, ledger: Ledger, shutdown: CancellationToken) -> Self {
        Self {
            ingestion,
            ledger,
            shutdown,
        }
    }

    async fn work(&self, job: &BackfillJob) -> Result<Outcome, DbError> {
        let mut is_prepared = false;
        loop {
            if self.shutdown.is_cancelled() {
                return Ok(Outcome::retry("the process ends; the rest follows"));
            }
            let now = self.ingestion.now();
            let part = match self
                .ledger
                .begin_part(job.id, job.turn, MAX_ATTEMPTS, now)
                .await?
            {
                Next::Part(part) => *part,
                Next::Again => continue,
                Next::Nothing => return Ok(Outcome::Done),
            };
            if part.attempts > 1 && !self.wait(part.attempts).await {
                continue;
            }
            if !is_prepared {
                if let Err(error) = self.ingestion.prepare(job.id).await {
                    return self.not_prepared(job, &part, &error).await;
                }
                is_prepared = true;
            }
            let end = self.read(job.id, &part).await;
            let now = self.ingestion.now();
            self.ledger
                .end_part(job.id, part.ordinal, &end, now)
                .await?;
        }
    }

    /// False when the process ends meanwhile.
    async fn wait(&self, attempts: u32) -> bool {
        let pause = PAUSE * 2_u32.pow(attempts.min(8) - 2);
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.shutdown.cancelled() => false,
        }
    }

    async fn not_prepared(
        &self,
        job: &BackfillJob,
        part: &Part,
        error: &IngestError,
    ) -> Result<Outcome, DbError> {
        let reason = error.chain();
        let end = handed_back(reason.clone());
        let now = self.ingestion.now();
        self.ledger
            .end_part(job.id, part.ordinal, &end, now)
            .await?;
        Ok(Outcome::retry(reason))
    }

    async fn read(&self, id: RunId, part: &Part) -> PartEnd {
        let started = Instant::now();
        let outcome = self.ingestion.read_part(&part.scope, id).await;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let end = match outcome {
            Ok(report) => ended(part, &report, elapsed_ms),
            Err(error @ (IngestError::Budget(_) | IngestError::AcceptedSpent { .. })) => PartEnd {
                pause: Some(error.chain()),
                ..handed_back(error.chain())
            },
            Err(error) => failed(part, error.chain(), error.is_passing()),
        };
        let scope = &part.scope;
        if end.error.is_empty() {
            tracing::info!(backfill = %id, table = %scope.table, day = %scope.span.start, rows = end.taken.rows, "part read");
        } else {
            tracing::warn!(backfill = %id, table = %scope.table, day = %scope.span.start, error = %end.error, "part not read");
        }
        end
    }
}

/// What a report means for the part.
fn ended(part: &Part, report: &TableReport, elapsed_ms: u64) -> PartEnd {
    let taken = Taken {
        rows: report.rows_read,
        duplicates: report.rows_duplicate,
        quarantined: report.rows_quarantined,
        bytes: report.bytes_read,
        elapsed_ms,
    };
    let end = if !report.damaged.is_empty() {
        failed(part, listed("damaged", &report.damaged), false)
    } else if !report.trouble.is_empty() {
        failed(part, listed("not readable now", &report.trouble), true)
    } else {
        PartEnd {
            state: PartState::Done,
            taken,
            error: String::new(),
            is_try: true,
            pause: None,
        }
    };
    PartEnd { taken, ..end }
}

/// A part that was not read: to be tried again when the reason passes and tries are left.
fn failed(part: &Part, error: String, passes: bool) -> PartEnd {
    let again = passes && part.attempts < MAX_ATTEMPTS;
    PartEnd {
        state: if again {
            PartState::Waiting
        } else {
            PartState::Failed
        },
        taken: Taken::default(),
        error,
        is_try: true,
        pause: None,
    }
}

/// A part that was not read through no fault of its own.
fn handed_back(error: String) -> PartEnd {
    PartEnd {
        state: PartState::Waiting,
        taken: Taken::default(),
        error,
        is_try: false,
        pause: None,
    }
}

fn listed(what: &str, objects: &[String]) -> String {
    let named = objects
        .iter()
        .take(MAX_NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    match objects.len() {
        0..=MAX_NAMED => format!("{what}: {named}"),
        all => format!("{what}: {named}; and {} more", all - MAX_NAMED),
    }
}

#[async_trait]
impl Handler<BackfillJob> for BackfillHandler {
    async fn handle(&self, job: &BackfillJob, _context: &JobContext) -> Outcome {
        match Box::pin(self.work(job)).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::retry(format!("the ledger does not answer: {error}")),
        }
    }
}
