//! Named transactions that are done again when another writer was in the way.

use std::error::Error;
use std::time::Duration;

use futures::future::BoxFuture;
use rand::Rng;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use crate::error::is_contention;
use crate::{Database, DbError, Engine};

const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

impl Database {
    /// Runs `work` in a transaction: serializable on PostgreSQL, the only writer on SQLite. When the
    /// engine refuses because of another transaction, everything is undone and `work` runs again
    /// after a short pause, so it must do nothing but read and write this database.
    ///
    /// # Errors
    /// What `work` returned (everything is undone), or the error of the last attempt.
    pub async fn transaction<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        T: Send,
        E: Error + From<DbError> + Send + Sync + 'static,
        F: for<'c> Fn(&'c DatabaseTransaction) -> BoxFuture<'c, Result<T, E>> + Send + Sync,
    {
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(&work).await;
            let Err(error) = outcome else {
                tracing::trace!(transaction = name, attempt, "committed");
                return outcome;
            };
            if attempt == ATTEMPTS || !contended(&error) {
                return Err(error);
            }
            let pause = pause_after(attempt);
            tracing::debug!(
                transaction = name,
                attempt,
                ?pause,
                "contended, trying again"
            );
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<T, E, F>(&self, work: &F) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'c> Fn(&'c DatabaseTransaction) -> BoxFuture<'c, Result<T, E>>,
    {
        let transaction = self.begin().await?;
        // Dropped without commit, a transaction is rolled back.
        let value = work(&transaction).await?;
        self.still_open(&transaction).await?;
        transaction.commit().await.map_err(DbError::from)?;
        Ok(value)
    }

    /// PostgreSQL answers the commit of a transaction in which a statement failed with success, and
    /// undoes it. Any statement is refused there, so that `work` cannot lose what it was told is kept
    /// by overlooking an error. SQLite refuses the commit itself.
    async fn still_open(&self, transaction: &DatabaseTransaction) -> Result<(), DbError> {
        if self.engine() == Engine::Postgres {
            transaction.execute_unprepared("SELECT 1").await?;
        }
        Ok(())
    }

    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbError> {
        let isolation_level =
            (self.engine() == Engine::Postgres).then_some(IsolationLevel::Serializable);
        let sqlite_transaction_mode =
            (self.engine() == Engine::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions {
            isolation_level,
            access_mode: None,
            sqlite_transaction_mode,
        };
        Ok(self.connection().begin_with_options(options).await?)
    }
}

/// Whether somewhere in the chain of causes another writer is to blame.
fn contended(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<DbErr>().is_some_and(is_contention) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn pause_after(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE * 2_u32.pow(attempt - 1);
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}
