//! The queue's tables on either engine: apalis' queries, put together into our transactions.

mod postgres;
mod sqlite;

use std::time::{Duration, SystemTime};

use apalis::prelude::{Status, Task, TaskBuilder, TaskResult, WorkerContext};
use chrono::{DateTime, Utc};
use foretide_db::{Database, Engine};
use foretide_domain::JobId;
use serde_json::Value;

use crate::dead_letter::Burial;
use crate::error::QueueError;

/// All jobs of a service lie in one queue; the envelope says which kind each is. In PostgreSQL, where
/// services share tables, this is how names of queues begin.
const QUEUE: &str = "foretide";
/// Workers say that they live this often ...
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// ... and are believed dead after missing this many.
const MISSED_HEARTBEATS: usize = 3;
/// Attempts are counted by us. This only keeps a row claimable whose end could not be written.
const ROW_ATTEMPTS: usize = 1_000_000;

/// A row to be inserted.
#[derive(Debug, Clone)]
pub(crate) struct NewRow {
    pub(crate) bytes: Vec<u8>,
    pub(crate) dedup_key: Option<String>,
    pub(crate) delay: Duration,
}

impl NewRow {
    #[expect(
        clippy::disallowed_methods,
        reason = "a wait: apalis compares with the machine's clock when a job is due"
    )]
    fn task(&self) -> Task<Vec<u8>> {
        let due = SystemTime::now() + self.delay;
        let task = TaskBuilder::new(self.bytes.clone())
            .max_attempts(ROW_ATTEMPTS)
            .run_at_time(due);
        match &self.dedup_key {
            Some(key) => task.idempotency_key(key).build(),
            None => task.build(),
        }
    }
}

/// A row a worker has claimed.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    task: Task<Vec<u8>>,
}

impl Claimed {
    fn id(&self) -> String {
        self.task
            .task_id()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// A job id for rows whose own cannot be read: the same at each pick.
    pub(crate) fn fallback_id(&self) -> JobId {
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.id().as_bytes()).into()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.task.args
    }

    /// Which pick of this row this is, from 1: apalis counts the picks that ended in a death.
    pub(crate) fn pick(&self) -> u32 {
        u32::try_from(self.task.attempt())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    fn result(&self) -> Option<TaskResult<Value>> {
        Some(TaskResult {
            task_id: self.task.task_id()?.clone(),
            attempt: usize::try_from(self.pick()).unwrap_or(usize::MAX),
            status: Status::Done,
            result: Ok(Value::Null),
        })
    }
}

/// How a claimed job ends.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    Done,
    Again(NewRow),
    Dead(Burial),
}

/// The queue's tables.
#[derive(Clone)]
pub(crate) enum Store {
    Sqlite(sqlite::SqliteStore),
    Postgres(postgres::PostgresStore),
}

macro_rules! on_either {
    ($store:expr, $name:ident => $call:expr) => {
        match $store {
            Store::Sqlite($name) => $call.await,
            Store::Postgres($name) => $call.await,
        }
    };
}

impl Store {
    pub(crate) async fn open(database: &Database) -> Result<Self, QueueError> {
        Ok(match database.engine() {
            Engine::Sqlite => Self::Sqlite(sqlite::SqliteStore::open(database).await?),
            Engine::Postgres => Self::Postgres(postgres::PostgresStore::open(database).await?),
        })
    }

    /// Inserts a row unless its key is taken.
    pub(crate) async fn push(&self, row: &NewRow) -> Result<(), QueueError> {
        on_either!(self, store => store.push(row))
    }

    /// The bytes stored under a dedup key.
    pub(crate) async fn find(&self, key: &str) -> Result<Option<Vec<u8>>, QueueError> {
        on_either!(self, store => store.find(key))
    }

    pub(crate) async fn unfinished(&self) -> Result<u64, QueueError> {
        on_either!(self, store => store.unfinished())
    }

    pub(crate) async fn register(&self, worker: &WorkerContext) -> Result<(), QueueError> {
        on_either!(self, store => store.register(worker))
    }

    /// Says that the worker lives and frees the jobs of those that do not; returns how many.
    pub(crate) async fn heartbeat(&self, worker: &WorkerContext) -> Result<u64, QueueError> {
        on_either!(self, store => store.heartbeat(worker))
    }

    /// Claims the next due job.
    pub(crate) async fn claim(
        &self,
        worker: &WorkerContext,
    ) -> Result<Option<Claimed>, QueueError> {
        on_either!(self, store => store.claim(worker))
    }

    /// Ends a claimed job, all or nothing. False when another worker holds it by now: then nothing
    /// was written.
    pub(crate) async fn end(
        &self,
        worker: &WorkerContext,
        job: &Claimed,
        ending: &Ending,
    ) -> Result<bool, QueueError> {
        on_either!(self, store => store.end(worker, job, ending))
    }

    /// Marks a dead letter as retried and inserts its row. False when it was retried already.
    pub(crate) async fn revive(
        &self,
        job_id: JobId,
        at: DateTime<Utc>,
        row: &NewRow,
    ) -> Result<bool, QueueError> {
        on_either!(self, store => store.revive(job_id, at, row))
    }
}

fn signed(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
