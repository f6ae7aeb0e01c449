//! Putting jobs on the queue, and looking after the dead ones.

use std::sync::Arc;
use std::time::Duration;

use foretide_db::{Database, DbError};
use foretide_domain::{JobId, RunId, SharedClock};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::Notify;

use crate::dead_letter::{self, DeadLetter};
use crate::envelope::Envelope;
use crate::error::QueueError;
use crate::job::Job;
use crate::store::{NewRow, Store};

/// How a job is put on the queue.
#[derive(Debug, Clone, Default)]
pub struct PushOptions {
    /// A second push with the same key is the first one again, also after the job has ended.
    pub dedup_key: Option<String>,
    /// Not to be started before this long from now; counted in whole seconds.
    pub delay: Duration,
    /// The run the job belongs to.
    pub run_id: Option<RunId>,
}

impl PushOptions {
    /// Options with a dedup key.
    pub fn once(dedup_key: impl Into<String>) -> Self {
        Self {
            dedup_key: Some(dedup_key.into()),
            ..Self::default()
        }
    }
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// The job, or the earlier one with the same dedup key.
    pub job_id: JobId,
    /// Whether this push made it.
    pub was_new: bool,
}

/// A service's queue, in its own database. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    pub(crate) store: Store,
    pub(crate) database: Database,
    pub(crate) clock: SharedClock,
    /// Wakes the workers of this process; those of others look every second.
    pub(crate) pushed: Arc<Notify>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Queue {
    /// Opens the queue of the database's service and sets up its tables. The clock stamps dead
    /// letters; waiting goes by the machine's time.
    ///
    /// # Errors
    /// [`QueueError::Setup`] when the tables cannot be made.
    pub async fn open(database: &Database, clock: SharedClock) -> Result<Self, QueueError> {
        foretide_migrations::migrate::<foretide_migrations::queue::Migrator>(database)
            .await
            .map_err(|error| QueueError::Setup(error.into()))?;
        let store = Store::open(database).await?;
        Ok(Self {
            store,
            database: database.clone(),
            clock,
            pushed: Arc::default(),
        })
    }

    /// Puts a job on the queue.
    ///
    /// # Errors
    /// When the payload is no JSON or the database refuses. Then the job is not on the queue, unless
    /// the answer was lost: use a dedup key and push again.
    pub async fn push<J: Job>(&self, job: &J, options: PushOptions) -> Result<Pushed, QueueError> {
        let envelope =
            Envelope::seal(job, options.run_id).map_err(|source| QueueError::Payload {
                name: J::NAME,
                source,
            })?;
        let row = NewRow {
            bytes: envelope.bytes(),
            dedup_key: options.dedup_key,
            delay: options.delay,
        };
        self.store.push(&row).await?;
        let Some(key) = row.dedup_key else {
            self.pushed.notify_waiters();
            return Ok(Pushed {
                job_id: envelope.job_id,
                was_new: true,
            });
        };
        // SQLite ignores a duplicate silently, so what is stored decides which push was first.
        let stored = self.store.find(&key).await?.ok_or_else(|| {
            DbError::corrupt("jobs", "idempotency_key", &key, "vanished after its insert")
        })?;
        let job_id = Envelope::open(&stored)
            .map_err(|error| DbError::corrupt("jobs", "job", &key, error))?
            .job_id;
        let was_new = job_id == envelope.job_id;
        if was_new {
            self.pushed.notify_waiters();
        }
        Ok(Pushed { job_id, was_new })
    }

    /// How many jobs wait or run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unfinished(&self) -> Result<u64, QueueError> {
        self.store.unfinished().await
    }

    /// The newest dead letters that have not been retried.
    ///
    /// # Errors
    /// When the database does not answer or a row contradicts itself.
    pub async fn list_dead_letters(&self, limit: u64) -> Result<Vec<DeadLetter>, QueueError> {
        let rows = dead_letter::Entity::find()
            .filter(dead_letter::Column::RetriedAt.is_null())
            .order_by_desc(dead_letter::Column::DiedAt)
            .order_by_desc(dead_letter::Column::JobId)
            .limit(limit)
            .all(self.database.connection())
            .await
            .map_err(DbError::from)?;
        Ok(rows
            .iter()
            .map(DeadLetter::try_from)
            .collect::<Result<_, _>>()?)
    }

    /// A dead letter that has not been retried.
    ///
    /// # Errors
    /// [`QueueError::NoDeadLetter`] when there is none.
    pub async fn dead_letter(&self, job_id: JobId) -> Result<DeadLetter, QueueError> {
        Ok(DeadLetter::try_from(&self.buried(job_id).await?)?)
    }

    /// Puts a dead letter back on the queue with all its attempts. Of two callers one succeeds.
    ///
    /// # Errors
    /// [`QueueError::NoDeadLetter`] when there is none or it has been retried already.
    pub async fn retry_dead_letter(&self, job_id: JobId) -> Result<DeadLetter, QueueError> {
        let row = self.buried(job_id).await?;
        let letter = DeadLetter::try_from(&row)?;
        // Bytes that cannot be opened go back as they are: another version may know them.
        let bytes = match Envelope::open(&row.envelope) {
            Ok(envelope) => envelope.after_attempts(0).bytes(),
            Err(_) => row.envelope,
        };
        let row = NewRow {
            bytes,
            dedup_key: None,
            delay: Duration::ZERO,
        };
        if !self.store.revive(job_id, self.clock.now(), &row).await? {
            return Err(QueueError::NoDeadLetter(job_id));
        }
        self.pushed.notify_waiters();
        Ok(letter)
    }

    async fn buried(&self, job_id: JobId) -> Result<dead_letter::Model, QueueError> {
        dead_letter::Entity::find_by_id(job_id.as_uuid())
            .filter(dead_letter::Column::RetriedAt.is_null())
            .one(self.database.connection())
            .await
            .map_err(DbError::from)?
            .ok_or(QueueError::NoDeadLetter(job_id))
    }
}
