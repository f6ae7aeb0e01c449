//! Which installation a database belongs to.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

use crate::{Database, DbError, Engine};

impl Database {
    /// The installation this database belongs to; nothing when it is new, or has been emptied.
    ///
    /// # Errors
    /// When the database is unavailable or the user may not make the table this stands in.
    pub async fn installation(&self) -> Result<Option<String>, DbError> {
        let connection = self.connection();
        if !self.has_installation_table(connection).await? {
            return Ok(None);
        }
        self.stored_installation(connection).await
    }

    /// Makes the database one of an installation, unless it belongs to one already, and returns that.
    ///
    /// # Errors
    /// As [`Database::installation`].
    pub async fn join_installation(&self, id: &str) -> Result<String, DbError> {
        let change = self.begin_schema_change().await?;
        self.make_installation_table(&change).await?;
        let stored = self.stored_installation(&change).await?;
        if stored.is_none() {
            let sql = "INSERT INTO installation (id) VALUES ($1)";
            change.execute_raw(self.statement(sql, id)).await?;
        }
        change.commit().await?;
        Ok(stored.unwrap_or_else(|| id.to_owned()))
    }

    /// Makes the table this stands in, where it is missing. Migrations do so too: a service may lack the
    /// right.
    ///
    /// # Errors
    /// When the database is unavailable or the user may not make it.
    pub async fn make_installation_table(
        &self,
        change: &DatabaseTransaction,
    ) -> Result<(), DbError> {
        if !self.has_installation_table(change).await? {
            let sql = "CREATE TABLE installation (id TEXT NOT NULL)";
            change.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn has_installation_table(
        &self,
        connection: &impl ConnectionTrait,
    ) -> Result<bool, DbError> {
        let (sql, name) = match self.engine() {
            Engine::Sqlite => (
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
                "installation".to_owned(),
            ),
            Engine::Postgres => (
                "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
                format!("\"{}\".installation", self.schema()),
            ),
        };
        let found = connection.query_one_raw(self.statement(sql, &name)).await?;
        Ok(found.is_some())
    }

    async fn stored_installation(
        &self,
        connection: &impl ConnectionTrait,
    ) -> Result<Option<String>, DbError> {
        let backend = connection.get_database_backend();
        let sql = Statement::from_string(backend, "SELECT id FROM installation");
        let row = connection.query_one_raw(sql).await?;
        Ok(row.map(|row| row.try_get("", "id")).transpose()?)
    }

    fn statement(&self, sql: &str, value: &str) -> Statement {
        let backend = self.connection().get_database_backend();
        Statement::from_sql_and_values(backend, sql, [value.into()])
    }
}
