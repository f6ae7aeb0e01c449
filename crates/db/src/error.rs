//! Errors as decisions for the caller.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// What went wrong, sorted by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The configured URL cannot be used. The URL itself is not repeated: it may hold a password.
    #[error(
        "database url cannot be used: {problem}; allowed are sqlite:<folder> and \
         postgres://user:password@host:port/database"
    )]
    BadUrl {
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such row.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The row contradicts one that is already there (unique or foreign key), or was changed
    /// meanwhile.
    #[error("conflicts with what is stored: {what}")]
    Conflict {
        /// The constraint or the row.
        what: String,
    },
    /// The database does not answer, has no free connection, or is too busy: try again later.
    #[error("database unavailable: {reason}")]
    Unavailable {
        /// What was tried.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A stored row contradicts itself. Somebody has to look at it.
    #[error("stored data is corrupt in table {table}, column {column}, row {row}: {problem}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
        /// Primary key of the row.
        row: String,
        /// What does not fit.
        problem: String,
    },
    /// Anything else; no decision can be based on it.
    #[error("database statement failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DbError {
    /// There is no such row.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    /// The row contradicts one that is already there.
    pub fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict { what: what.into() }
    }

    /// A stored value that cannot be.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over ids and errors they have no further use for"
    )]
    pub fn corrupt(
        table: &'static str,
        column: &'static str,
        row: impl ToString,
        problem: impl ToString,
    ) -> Self {
        Self::Corrupt {
            table,
            column,
            row: row.to_string(),
            problem: problem.to_string(),
        }
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

impl From<DbErr> for DbError {
    fn from(error: DbErr) -> Self {
        if let Some(
            SqlErr::UniqueConstraintViolation(what) | SqlErr::ForeignKeyConstraintViolation(what),
        ) = error.sql_err()
        {
            return Self::Conflict { what };
        }
        match error {
            DbErr::RecordNotFound(what) => Self::NotFound { what },
            DbErr::RecordNotUpdated => Self::not_found("row to update"),
            DbErr::ConnectionAcquire(_) => Self::unavailable("no free connection", error),
            error if is_contention(&error) => Self::unavailable("too many writers at once", error),
            error if is_connection_lost(&error) => Self::unavailable("connection lost", error),
            error => Self::Other(Box::new(error)),
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        Self::from(DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}

impl DbError {
    pub(crate) fn unavailable(
        reason: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            source: Some(Box::new(source)),
        }
    }
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Whether another writer was in the way: the whole transaction can be done again.
pub(crate) fn is_contention(error: &DbErr) -> bool {
    let Some(sqlx::Error::Database(refusal)) = driver_error(error) else {
        return false;
    };
    let code = refusal.code().unwrap_or_default();
    if refusal
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some()
    {
        // serialization_failure, deadlock_detected, lock_not_available
        return matches!(code.as_ref(), "40001" | "40P01" | "55P03");
    }
    // The lowest byte of an extended SQLite code is the primary one: SQLITE_BUSY 5, SQLITE_LOCKED 6.
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

fn is_connection_lost(error: &DbErr) -> bool {
    match driver_error(error) {
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_),
        ) => true,
        // Class 57 is operator intervention (shutdown, crash), class 08 a broken connection and
        // class 53 a server short of something.
        Some(sqlx::Error::Database(refusal)) => {
            refusal
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .is_some()
                && refusal.code().is_some_and(|code| {
                    ["57P", "08", "53"]
                        .iter()
                        .any(|class| code.starts_with(class))
                })
        }
        _ => false,
    }
}
