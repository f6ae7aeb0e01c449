//! Jobs that have been given up.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::{JobId, RunId};
use sea_orm::entity::prelude::*;

/// A job that has been given up and waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The job.
    pub job_id: JobId,
    /// Name of its kind; empty when the stored bytes could not be read.
    pub name: String,
    /// Version of its payload.
    pub version: u32,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// Its payload, if it can be read.
    pub payload: Option<serde_json::Value>,
    /// Why it was given up.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub died_at: DateTime<Utc>,
}

/// What is written when a job is given up.
#[derive(Debug, Clone)]
pub(crate) struct Burial {
    pub(crate) job_id: JobId,
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) run_id: Option<RunId>,
    pub(crate) envelope: Vec<u8>,
    pub(crate) reason: String,
    pub(crate) attempts: u32,
    pub(crate) died_at: DateTime<Utc>,
}

/// One statement for both engines. A job that dies again after a retry has one record, the newest.
pub(crate) const BURY: &str = "INSERT INTO dead_letter \
     (job_id, name, version, run_id, envelope, reason, attempts, died_at, retried_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL) \
     ON CONFLICT (job_id) DO UPDATE SET envelope = excluded.envelope, reason = excluded.reason, \
     attempts = excluded.attempts, died_at = excluded.died_at, retried_at = NULL";

/// Claims a dead letter for a retry: only one of two callers gets a row.
pub(crate) const CLAIM: &str =
    "UPDATE dead_letter SET retried_at = $2 WHERE job_id = $1 AND retried_at IS NULL";

/// The table, read through sea-orm.
#[sea_orm::model]
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letter")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) job_id: Uuid,
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) run_id: Option<Uuid>,
    pub(crate) envelope: Vec<u8>,
    pub(crate) reason: String,
    pub(crate) attempts: i32,
    pub(crate) died_at: DateTimeUtc,
    pub(crate) retried_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<&Model> for DeadLetter {
    type Error = DbError;

    fn try_from(row: &Model) -> Result<Self, DbError> {
        let corrupt = |column| DbError::corrupt("dead_letter", column, row.job_id, "is negative");
        let payload = crate::envelope::Envelope::open(&row.envelope)
            .ok()
            .map(|opened| opened.payload);
        Ok(Self {
            job_id: row.job_id.into(),
            name: row.name.clone(),
            version: u32::try_from(row.version).map_err(|_| corrupt("version"))?,
            run_id: row.run_id.map(RunId::from),
            payload,
            reason: row.reason.clone(),
            attempts: u32::try_from(row.attempts).map_err(|_| corrupt("attempts"))?,
            died_at: row.died_at,
        })
    }
}
