//! Errors as decisions for the caller.

use std::borrow::Cow;

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
    /// What lies below the database takes nothing now: no space, I/O errors, read-only. Nothing of the
    /// refused write is kept, and writes work again, without a restart, once the cause is gone.
    #[error("storage unavailable: {why}, {remedy}")]
    Storage {
        /// What is wrong.
        why: &'static str,
        /// What to do.
        remedy: &'static str,
        /// The driver's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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
        matches!(self, Self::Unavailable { .. } | Self::Storage { .. })
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
        if let Some((why, remedy)) = storage_problem(&error) {
            let source = Box::new(error);
            return Self::Storage {
                why,
                remedy,
                source,
            };
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
    match refusal_code(error) {
        // serialization_failure, deadlock_detected, lock_not_available
        Some(Code::Postgres(code)) => matches!(code.as_ref(), "40001" | "40P01" | "55P03"),
        // SQLITE_BUSY, SQLITE_LOCKED
        Some(Code::Sqlite(code)) => matches!(code, 5 | 6),
        None => false,
    }
}

/// What is wrong below the database, and what to do.
fn storage_problem(error: &DbErr) -> Option<(&'static str, &'static str)> {
    let full = "no space is left for the database";
    let broken = "reading or writing the database's files failed";
    let read_only = "the database is read-only";
    let problem = match refusal_code(error)? {
        // SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
        Code::Sqlite(8) => (read_only, "make its folder writable for this user"),
        Code::Sqlite(10) => (broken, "check the volume it lies on"),
        Code::Sqlite(13) => (full, "free space on the volume it lies on"),
        Code::Sqlite(14) => (
            "the database's file cannot be opened",
            "check that its folder is there and writable for this user",
        ),
        // disk_full, io_error, read_only_sql_transaction
        Code::Postgres(code) => match code.as_ref() {
            "53100" => (full, "free space on the server's volume"),
            "58030" => (broken, "check the server's volume"),
            "25006" => (read_only, "connect to a server that takes writes"),
            _ => return None,
        },
        Code::Sqlite(_) => return None,
    };
    Some(problem)
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
        _ => matches!(refusal_code(error), Some(Code::Postgres(code))
            if ["57P", "08", "53"].iter().any(|class| code.starts_with(class))),
    }
}

/// What an engine calls its refusal.
enum Code<'e> {
    Postgres(Cow<'e, str>),
    /// The primary code: the lowest byte of an extended one.
    Sqlite(u32),
}

fn refusal_code(error: &DbErr) -> Option<Code<'_>> {
    let Some(sqlx::Error::Database(refusal)) = driver_error(error) else {
        return None;
    };
    let code = refusal.code()?;
    let is_postgres = refusal
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some();
    if is_postgres {
        return Some(Code::Postgres(code));
    }
    Some(Code::Sqlite(code.parse::<u32>().ok()? & 0xff))
}
