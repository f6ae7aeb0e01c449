//! The queue in PostgreSQL: apalis keeps its tables in a schema `apalis`, one a database. Services
//! share them there, so that each names its own queue.

use apalis::prelude::WorkerContext;
use apalis_postgres::{Config, PostgresStorage, queries};
use chrono::{DateTime, Utc};
use foretide_db::{Database, DbError};
use foretide_domain::JobId;
use sqlx::{PgPool, Postgres, Transaction};

use super::{Claimed, Ending, HEARTBEAT, MISSED_HEARTBEATS, NewRow, QUEUE, signed};
use crate::dead_letter::{BURY, Burial, CLAIM};
use crate::error::QueueError;

#[derive(Clone)]
pub(crate) struct PostgresStore {
    pool: PgPool,
    config: Config,
    queue: String,
}

/// The service whose queue has the plain name: it was the only one at first, and its jobs stay.
const FIRST_SERVICE: &str = "orchestrator";

fn queue_of(service: &str) -> String {
    match service {
        FIRST_SERVICE => QUEUE.to_owned(),
        other => format!("{QUEUE}-{other}"),
    }
}

/// Puts the type of apalis' metadata where every service finds it. apalis' own migration would put it
/// into the schema of the service that comes first; from there it is moved.
async fn share_hstore(pool: &PgPool) -> Result<(), QueueError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('foretide queue'))")
        .execute(&mut *transaction)
        .await?;
    let lies_in: Option<String> = sqlx::query_scalar(
        "SELECT nspname::text FROM pg_extension \
         JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'hstore'",
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let change = match lies_in.as_deref() {
        Some("apalis" | "public") => return Ok(transaction.commit().await?),
        Some(_) => "ALTER EXTENSION hstore SET SCHEMA apalis",
        None => "CREATE EXTENSION hstore SCHEMA apalis",
    };
    for statement in ["CREATE SCHEMA IF NOT EXISTS apalis", change] {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

impl PostgresStore {
    pub(super) async fn open(database: &Database) -> Result<Self, QueueError> {
        let pool = database.connection().get_postgres_connection_pool().clone();
        share_hstore(&pool).await?;
        PostgresStorage::setup(&pool)
            .await
            .map_err(|error| QueueError::Setup(error.into()))?;
        let queue = queue_of(database.service());
        let config = Config::default()
            .queue(&queue)
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS);
        Ok(Self {
            pool,
            config,
            queue,
        })
    }

    pub(super) async fn push(&self, row: &NewRow) -> Result<(), QueueError> {
        let mut transaction = self.pool.begin().await?;
        match self.insert(&mut transaction, row).await {
            Ok(()) => Ok(transaction.commit().await?),
            // The key is taken, perhaps by a job that has ended: that is the answer, no error.
            Err(QueueError::Database(DbError::Conflict { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn find(&self, key: &str) -> Result<Option<Vec<u8>>, QueueError> {
        let sql = "SELECT job FROM apalis.jobs WHERE job_type = $1 AND idempotency_key = $2";
        Ok(sqlx::query_scalar(sql)
            .bind(&self.queue)
            .bind(key)
            .fetch_optional(&self.pool)
            .await?)
    }

    pub(super) async fn unfinished(&self) -> Result<u64, QueueError> {
        let sql = "SELECT COUNT(*) FROM apalis.jobs \
                   WHERE job_type = $1 AND status NOT IN ('Done', 'Killed')";
        let count: i64 = sqlx::query_scalar(sql)
            .bind(&self.queue)
            .fetch_one(&self.pool)
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(super) async fn register(&self, worker: &WorkerContext) -> Result<(), QueueError> {
        // The statement of apalis' register_worker, whose timestamp type is not exported.
        sqlx::query(
            "INSERT INTO apalis.workers (id, worker_type, storage_name, layers, last_seen) \
             VALUES ($1, $2, 'foretide', '', now())",
        )
        .bind(worker.name())
        .bind(&self.queue)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(super) async fn heartbeat(&self, worker: &WorkerContext) -> Result<u64, QueueError> {
        let mut transaction = self.pool.begin().await?;
        queries::keep_alive(&mut *transaction, &self.queue, worker)
            .await
            .map_err(plain)?;
        let dead_for = self.config.orphaned_duration().as_secs();
        let freed = queries::reenqueue_orphaned(&mut *transaction, &self.queue, dead_for)
            .await
            .map_err(plain)?;
        transaction.commit().await?;
        Ok(freed)
    }

    pub(super) async fn claim(
        &self,
        worker: &WorkerContext,
    ) -> Result<Option<Claimed>, QueueError> {
        let mut transaction = self.pool.begin().await?;
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
        let mut transaction = self.pool.begin().await?;
        let ended = queries::handle_results(&mut *transaction, &[&result], worker.name())
            .await
            .map_err(plain)?;
        if ended == 0 {
            return Ok(false);
        }
        match ending {
            Ending::Done => {}
            Ending::Again(row) => self.insert(&mut transaction, row).await?,
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
        let mut transaction = self.pool.begin().await?;
        let claimed = sqlx::query(CLAIM)
            .bind(job_id.as_uuid())
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        if claimed.rows_affected() == 0 {
            return Ok(false);
        }
        self.insert(&mut transaction, row).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn insert(
        &self,
        transaction: &mut Transaction<'static, Postgres>,
        row: &NewRow,
    ) -> Result<(), QueueError> {
        queries::push_tasks(&mut **transaction, &self.queue, vec![row.task()])
            .await
            .map_err(plain)
    }
}

async fn bury(
    transaction: &mut Transaction<'static, Postgres>,
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

fn plain(error: apalis_postgres::Error) -> QueueError {
    match error {
        apalis_postgres::Error::Database(error) => error.into(),
        other => DbError::Other(Box::new(other)).into(),
    }
}
