//! Looking for accepted rows until they can be seen.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_db::DbError;
use foretide_domain::SharedClock;
use foretide_logs_ingestion::{IDEMPOTENCY_KEY, ProbePace, RowFinder};
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};
use tokio_util::sync::CancellationToken;

use crate::SinkKind;
use crate::batches::{Batch, BatchState, Batches, Look};

/// Batches looked for in one round.
const MOST_A_ROUND: u64 = 100;
/// How often the table is looked through, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// After this long rows are not looked for any more.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(24);

static VISIBILITY: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("foretide_write_back")
        .f64_histogram("foretide_write_back_visibility_seconds")
        .with_description("Time from accepted rows to rows that can be queried, by table")
        .build()
});

static OVERDUE: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("foretide_write_back")
        .u64_counter("foretide_write_back_overdue")
        .with_description("Batches of accepted rows that could not be queried in time, by table")
        .build()
});

const KEYS_OF_RUN: &str = include_str!("../kql/keys_of_run.kql");

/// Stands for the run in the query's text.
const NO_RUN: &str = "00000000-0000-0000-0000-000000000000";

/// What the columns that rows are found by are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowColumns {
    run: &'static str,
    key: &'static str,
}

impl RowColumns {
    /// As they are called in tables that this way in leads to. The HTTP Data Collector API appends the
    /// type it finds to every name; texts that look like GUIDs are GUIDs to it.
    #[must_use]
    pub fn of(sink: SinkKind) -> Self {
        match sink {
            SinkKind::LogsIngestion => Self {
                run: "RunId",
                key: IDEMPOTENCY_KEY,
            },
            SinkKind::DataCollector => Self {
                run: "RunId_g",
                key: "IdempotencyKey_g",
            },
        }
    }

    /// Counts the keys of a run's rows: a row that came twice counts once, and so does one with a
    /// tombstone beside it.
    fn query(self, batch: &Batch) -> String {
        let lines = KEYS_OF_RUN.lines().filter(|line| !line.starts_with("//"));
        let query = lines.collect::<Vec<_>>().join("\n");
        query
            .replace(&format!("RunId == '{NO_RUN}'"), &self.is_of_run(batch))
            .replace(IDEMPOTENCY_KEY, self.key)
            .replace("PredictiveAlerting_CL", &quoted(&batch.table))
    }

    fn is_of_run(self, batch: &Batch) -> String {
        format!("{} == '{}'", self.run, batch.run_id)
    }
}

/// A table's name as KQL takes it: as it is when it is a word, else in quotes.
fn quoted(table: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if table.bytes().all(is_word) {
        return table.to_owned();
    }
    let escaped = table.replace('\\', "\\\\").replace('\'', "\\'");
    format!("['{escaped}']")
}

/// Looks for accepted rows. Never sends any.
pub struct ReadBack {
    /// Which rows.
    pub batches: Batches,
    /// Asks the workspace.
    pub finder: Arc<dyn RowFinder>,
    /// What its columns are called.
    pub columns: RowColumns,
    /// How patiently.
    pub pace: ProbePace,
    /// Tells when.
    pub clock: SharedClock,
}

impl std::fmt::Debug for ReadBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadBack")
            .field("finder", &self.finder)
            .field("columns", &self.columns)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

impl ReadBack {
    /// Looks until shutdown. What was waiting before a restart is looked for after it.
    pub async fn run(self, shutdown: CancellationToken) {
        let pause = self.pace.first_wait.min(LONGEST_PAUSE);
        loop {
            let round = tokio::select! {
                () = shutdown.cancelled() => return,
                round = self.round() => round,
            };
            if let Err(error) = round {
                tracing::warn!(%error, "accepted rows could not be looked for; it will be tried again");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks once for everything that is due.
    ///
    /// # Errors
    /// As the database's. What the workspace refuses is kept with the batch.
    pub async fn round(&self) -> Result<(), DbError> {
        for batch in self.batches.due(self.clock.now(), MOST_A_ROUND).await? {
            let seen = self.finder.count(&self.columns.query(&batch)).await;
            let look = judge(&batch, seen, self.clock.now(), &self.pace);
            tell(&batch, &look);
            self.batches.looked(&batch, &look).await?;
        }
        Ok(())
    }
}

fn judge(batch: &Batch, seen: Result<u64, String>, now: DateTime<Utc>, pace: &ProbePace) -> Look {
    let age = now - batch.accepted_at;
    let patience = TimeDelta::from_std(pace.patience).unwrap_or(GIVE_UP_AFTER);
    let (rows_seen, problem) = match seen {
        Ok(rows) => (rows, None),
        Err(problem) => (batch.rows_seen, Some(problem)),
    };
    let all_there = problem.is_none() && rows_seen >= batch.rows;
    let state = if all_there {
        BatchState::Visible
    } else if age >= GIVE_UP_AFTER.max(patience) {
        BatchState::Missing
    } else if age >= patience {
        BatchState::Overdue
    } else {
        BatchState::Waiting
    };
    let wait = pace.first_wait * 2_u32.saturating_pow(batch.looks.min(20));
    let wait = TimeDelta::from_std(wait.min(pace.longest_wait)).unwrap_or(GIVE_UP_AFTER);
    Look {
        state,
        rows_seen,
        visible_after: all_there.then_some(age),
        next_look_at: now + wait,
        problem,
    }
}

fn tell(batch: &Batch, look: &Look) {
    let table = [KeyValue::new("table", batch.table.clone())];
    let (rows, seen) = (batch.rows, look.rows_seen);
    match look.state {
        BatchState::Visible => {
            let after = look.visible_after.unwrap_or_default();
            VISIBILITY.record(after.as_seconds_f64(), &table);
            tracing::debug!(table = batch.table, run_id = %batch.run_id, rows, %after, "rows can be seen");
        }
        BatchState::Overdue if batch.state != BatchState::Overdue => {
            OVERDUE.add(1, &table);
            tracing::warn!(
                table = batch.table, run_id = %batch.run_id, rows, seen, problem = look.problem,
                "accepted rows cannot be seen in time; they are looked for further and not sent again"
            );
        }
        BatchState::Missing => tracing::error!(
            table = batch.table, run_id = %batch.run_id, rows, seen, problem = look.problem,
            "accepted rows cannot be seen after a day; check the data collection rule's transformation \
             and the table's plan"
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foretide_domain::RunId;

    fn batch(looks: u32) -> Batch {
        Batch {
            run_id: RunId::new(),
            table: "PredictiveAlerting_CL".to_owned(),
            rows: 10,
            accepted_at: "2026-11-23T06:00:00Z".parse().unwrap(),
            state: BatchState::Waiting,
            rows_seen: 3,
            visible_after: None,
            looks,
            problem: None,
        }
    }

    fn look(looks: u32, minutes: i64, seen: Result<u64, String>) -> Look {
        let batch = batch(looks);
        let now = batch.accepted_at + TimeDelta::minutes(minutes);
        judge(&batch, seen, now, &ProbePace::default())
    }

    #[test]
    fn rows_are_visible_waited_for_overdue_and_in_the_end_missing() {
        assert_eq!(look(0, 1, Ok(9)).state, BatchState::Waiting);
        let visible = look(1, 7, Ok(10));
        assert_eq!(visible.state, BatchState::Visible);
        assert_eq!(visible.visible_after, Some(TimeDelta::minutes(7)));
        assert_eq!(look(5, 20, Ok(9)).state, BatchState::Overdue);
        assert_eq!(look(5, 23 * 60, Ok(10)).state, BatchState::Visible);
        assert_eq!(look(5, 24 * 60, Ok(0)).state, BatchState::Missing);
    }

    #[test]
    fn a_question_that_fails_says_nothing_about_rows() {
        let failed = look(0, 1, Err("throttled".to_owned()));
        assert_eq!((failed.state, failed.rows_seen), (BatchState::Waiting, 3));
        assert_eq!(failed.problem.as_deref(), Some("throttled"));
        assert_eq!(look(0, 21, Err(String::new())).state, BatchState::Overdue);
    }

    #[test]
    fn looks_become_rarer_up_to_the_longest_wait() {
        let waits: Vec<i64> = [0, 1, 3, 30]
            .map(|looks| {
                let look = look(looks, 1, Ok(0));
                (look.next_look_at - batch(0).accepted_at).num_seconds() - 60
            })
            .to_vec();
        assert_eq!(waits, [5, 10, 40, 60]);
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let mut odd = batch(0);
        odd.table = "x'] | take 1".to_owned();
        let kql = RowColumns::of(SinkKind::DataCollector).query(&odd);
        assert!(
            kql.starts_with("['x\\'] | take 1']\n| where RunId_g == '"),
            "{kql}"
        );
    }
}
