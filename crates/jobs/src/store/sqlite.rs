//! The queue in a service's SQLite file.

use apalis::prelude::WorkerContext;
use apalis_sqlite::{Config, SqliteStorage, queries};
use chrono::{DateTime, Utc};
use foretide_db::Database;
use foretide_domain::JobId;
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::{Claimed, Ending, HEARTBEAT, MISSED_HEARTBEATS, NewRow, QUEUE, signed};
use crate::dead_letter::{BURY, Burial, CLAIM};
use crate::error::QueueError;

#[derive(Clone)]
pub(crate) struct SqliteStore {
    pool: SqlitePool,
    config: Config,
}

impl SqliteStore {
    pub(super) async fn open(database: &Database) -> Result<Self, QueueError> {
        let pool = database.connection().get_sqlite_connection_pool().clone();
        // Not SqliteStorage::setup: it would also turn synchronous writes off.
        SqliteStorage::migrations()
            .run(&pool)
            .await
            .map_err(|error| QueueError::Setup(error.into()))?;
        let config = Config::default()
            .queue(QUEUE)
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS);
        Ok(Self { pool, config })
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, QueueError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(super) async fn push(&self, row: &NewRow) -> Result<(), QueueError> {
        let mut transaction = self.begin().await?;
        insert(&mut transaction, row).await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn find(&self, key: &str) -> Result<Option<Vec<u8>>, QueueError> {
        let sql = "SELECT job FROM Jobs WHERE job_type = ?1 AND idempotency_key = ?2";
        Ok(sqlx::query_scalar(sql)
            .bind(QUEUE)
            .bind(key)
            .fetch_optional(&self.pool)
            .await?)
    }

    pub(super) async fn unfinished(&self) -> Result<u64, QueueError> {
        let sql =
            "SELECT COUNT(*) FROM Jobs WHERE job_type = ?1 AND status NOT IN ('Done', 'Killed')";
        let count: i64 = sqlx::query_scalar(sql)
            .bind(QUEUE)
            .fetch_one(&self.pool)
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(super) async fn register(&self, worker: &WorkerContext) -> Result<(), QueueError> {
        queries::register_worker(&self.pool, &self.config, worker, "foretide").await?;
        Ok(())
    }

    pub(super) async fn heartbeat(&self, worker: &WorkerContext) -> Result<u64, QueueError> {
        let mut transaction = self.begin().await?;
        queries::keep_alive(&mut *transaction, &self.config, worker).await?;
        let dead_for = i64::try_from(self.config.orphaned_duration().as_secs()).unwrap_or(i64::MAX);
        // The query apalis sends in reenqueue_orphaned; its filter type is not exported.
        let freed = sqlx::query(
            "UPDATE Jobs SET status = 'Pending', done_at = NULL, lock_by = NULL, lock_at = NULL, \
             attempts = attempts + 1 WHERE id IN (SELECT Jobs.id FROM Jobs \
             INNER JOIN Workers ON lock_by = Workers.id \
             WHERE status IN ('Running', 'Queued') AND Workers.worker_type = ?2 AND Workers.id != ?3 \
             AND strftime('%s', 'now') - Workers.last_seen >= ?1)",
        )
        .bind(dead_for)
        .bind(QUEUE)
        .bind(worker.name())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(freed.rows_affected())
    }

    pub(super) async fn claim(
        &self,
        worker: &WorkerContext,
    ) -> Result<Option<Claimed>, QueueError> {
        let mut transaction = self.begin().await?;
        let fetched = queries::fetch_next(&mut *transaction, &self.config, worker)
            .await
            .map_err(plain)?;
        let claimed = fetched.into_iter().next().map(|task| Claimed { task });
        if let Some(job) = &claimed {
            queries::lock_tasks(&mut *transaction, &[job.id()], worker.name()).await?;
        }
        transaction.commit().await?;
        Ok(claimed)
    }

    pub(super) async fn end(
        &self,
        worker: &WorkerContext,
        job: &Claimed,
        ending: &Ending,
    ) -> Result<bool, QueueError> {
        let Some(result) = job.result() else {
            return Ok(false);
        };
        let mut transaction = self.begin().await?;
        let ended = queries::ack_tasks(&mut *transaction, &[&result], worker.name()).await?;
        if ended == 0 {
            return Ok(false);
        }
        match ending {
            Ending::Done => {}
            Ending::Again(row) => insert(&mut transaction, row).await?,
            Ending::Dead(burial) => bury(&mut transaction, burial).await?,
        }
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn revive(
        &self,
        job_id: JobId,
        at: DateTime<Utc>,
        row: &NewRow,
    ) -> Result<bool, QueueError> {
        let mut transaction = self.begin().await?;
        let claimed = sqlx::query(CLAIM)
            .bind(job_id.as_uuid())
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        if claimed.rows_affected() == 0 {
            return Ok(false);
        }
        insert(&mut transaction, row).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

async fn insert(
    transaction: &mut Transaction<'static, Sqlite>,
    row: &NewRow,
) -> Result<(), QueueError> {
    queries::push_tasks(&mut **transaction, QUEUE, &[row.task()])
        .await
        .map_err(plain)
}

async fn bury(
    transaction: &mut Transaction<'static, Sqlite>,
    burial: &Burial,
) -> Result<(), QueueError> {
    sqlx::query(BURY)
        .bind(burial.job_id.as_uuid())
        .bind(&burial.name)
        .bind(signed(burial.version))
        .bind(burial.run_id.map(foretide_domain::RunId::as_uuid))
        .bind(&burial.envelope)
        .bind(&burial.reason)
        .bind(signed(burial.attempts))
        .bind(burial.died_at)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn plain(error: apalis_sqlite::Error) -> QueueError {
    match error {
        apalis_sqlite::Error::Database(error) => error.into(),
        other => foretide_db::DbError::Other(Box::new(other)).into(),
    }
}
