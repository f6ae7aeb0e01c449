//! Table `accepted_batch`: which rows of which run were accepted, and whether they can be seen.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_db::{Database, DbError};
use foretide_domain::RunId;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::batches::accepted_batch::{ActiveModel, Column, Entity, Model};

/// What is known of accepted rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// Accepted; nobody looks for them: no read-back is configured.
    Accepted,
    /// Looked for.
    Waiting,
    /// Can be queried.
    Visible,
    /// Not there in time. They are looked for further.
    Overdue,
    /// Not there after a day. They are not looked for any more.
    Missing,
}

impl BatchState {
    const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Waiting,
        Self::Visible,
        Self::Overdue,
        Self::Missing,
    ];

    /// The state's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting => "waiting",
            Self::Visible => "visible",
            Self::Overdue => "overdue",
            Self::Missing => "missing",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == word)
    }
}

/// Rows that the workspace has just accepted. Rows sent again under the same key are not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The run they belong to.
    pub run_id: RunId,
    /// The table they go to.
    pub table: String,
    /// How many.
    pub rows: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether they are looked for.
    pub watched: bool,
}

/// A run's rows in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The run.
    pub run_id: RunId,
    /// The table.
    pub table: String,
    /// Rows accepted, each with a key of its own.
    pub rows: u64,
    /// When the last of them was accepted.
    pub accepted_at: DateTime<Utc>,
    /// What is known of them.
    pub state: BatchState,
    /// How many could be seen at the last look.
    pub rows_seen: u64,
    /// How long after they were accepted all could be seen; at most one wait too long.
    pub visible_after: Option<TimeDelta>,
    /// How often was looked.
    pub looks: u32,
    /// Why they could not be looked for, the last time.
    pub problem: Option<String>,
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) state: BatchState,
    pub(crate) rows_seen: u64,
    pub(crate) visible_after: Option<TimeDelta>,
    pub(crate) next_look_at: DateTime<Utc>,
    pub(crate) problem: Option<String>,
}

mod accepted_batch {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "accepted_batch")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) table_name: String,
        pub(crate) row_count: i64,
        pub(crate) accepted_at: DateTimeUtc,
        pub(crate) state: String,
        pub(crate) rows_seen: i64,
        pub(crate) visible_after_ms: Option<i64>,
        pub(crate) next_look_at: DateTimeUtc,
        pub(crate) looks: i64,
        pub(crate) problem: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Keeps that rows were accepted; those of the same run and table add up. Call it in the transaction
/// that marks them as delivered, so that neither is known without the other.
///
/// # Errors
/// As the database's.
pub async fn note_accepted(
    connection: &impl ConnectionTrait,
    accepted: &Accepted,
) -> Result<(), DbError> {
    let state = if accepted.watched {
        BatchState::Waiting
    } else {
        BatchState::Accepted
    };
    let rows = signed(accepted.rows);
    let key = (accepted.run_id.as_uuid(), accepted.table.clone());
    let known = Entity::find_by_id(key).one(connection).await?;
    let Some(known) = known else {
        let row = ActiveModel {
            run_id: Set(accepted.run_id.as_uuid()),
            table_name: Set(accepted.table.clone()),
            row_count: Set(rows),
            accepted_at: Set(accepted.at),
            state: Set(state.name().to_owned()),
            rows_seen: Set(0),
            visible_after_ms: Set(None),
            next_look_at: Set(accepted.at),
            looks: Set(0),
            problem: Set(None),
        };
        Entity::insert(row)
            .exec_without_returning(connection)
            .await?;
        return Ok(());
    };
    Entity::update_many()
        .filter(Column::RunId.eq(known.run_id))
        .filter(Column::TableName.eq(known.table_name))
        .col_expr(Column::RowCount, Expr::col(Column::RowCount).add(rows))
        .col_expr(Column::AcceptedAt, Expr::value(accepted.at))
        .col_expr(Column::State, Expr::value(state.name()))
        .col_expr(Column::VisibleAfterMs, Expr::value(Option::<i64>::None))
        .col_expr(Column::NextLookAt, Expr::value(accepted.at))
        .col_expr(Column::Looks, Expr::value(0_i64))
        .exec(connection)
        .await?;
    Ok(())
}

/// The service's accepted batches. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Batches {
    database: Database,
}

impl Batches {
    /// Those in this database, which has the table.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The newest, or those of one run.
    ///
    /// # Errors
    /// As the database's.
    pub async fn list(&self, run_id: Option<RunId>, limit: u64) -> Result<Vec<Batch>, DbError> {
        let mut query = Entity::find();
        if let Some(run_id) = run_id {
            query = query.filter(Column::RunId.eq(run_id.as_uuid()));
        }
        let rows = query
            .order_by_desc(Column::AcceptedAt)
            .order_by_asc(Column::TableName)
            .limit(limit)
            .all(self.database.connection())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Those that are to be looked for now.
    pub(crate) async fn due(&self, now: DateTime<Utc>, limit: u64) -> Result<Vec<Batch>, DbError> {
        let looked_for = [BatchState::Waiting, BatchState::Overdue].map(BatchState::name);
        let rows = Entity::find()
            .filter(Column::State.is_in(looked_for))
            .filter(Column::NextLookAt.lte(now))
            .order_by_asc(Column::NextLookAt)
            .limit(limit)
            .all(self.database.connection())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Keeps what a look came to, unless more rows were accepted meanwhile.
    pub(crate) async fn looked(&self, batch: &Batch, look: &Look) -> Result<(), DbError> {
        let delay = look.visible_after.map(|after| after.num_milliseconds());
        Entity::update_many()
            .filter(Column::RunId.eq(batch.run_id.as_uuid()))
            .filter(Column::TableName.eq(batch.table.as_str()))
            .filter(Column::AcceptedAt.eq(batch.accepted_at))
            .filter(Column::RowCount.eq(signed(batch.rows)))
            .col_expr(Column::State, Expr::value(look.state.name()))
            .col_expr(Column::RowsSeen, Expr::value(signed(look.rows_seen)))
            .col_expr(Column::VisibleAfterMs, Expr::value(delay))
            .col_expr(Column::NextLookAt, Expr::value(look.next_look_at))
            .col_expr(Column::Looks, Expr::col(Column::Looks).add(1))
            .col_expr(Column::Problem, Expr::value(look.problem.clone()))
            .exec(self.database.connection())
            .await?;
        Ok(())
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read(row: Model) -> Result<Batch, DbError> {
    let key = format!("{}/{}", row.run_id, row.table_name);
    let corrupt = |column: &'static str, problem: String| {
        DbError::corrupt("accepted_batch", column, &key, problem)
    };
    let count = |column: &'static str, number: i64| {
        u64::try_from(number).map_err(|error| corrupt(column, error.to_string()))
    };
    let state = BatchState::of(&row.state)
        .ok_or_else(|| corrupt("state", format!("unknown state {:?}", row.state)))?;
    Ok(Batch {
        run_id: RunId::from(row.run_id),
        rows: count("row_count", row.row_count)?,
        accepted_at: row.accepted_at,
        state,
        rows_seen: count("rows_seen", row.rows_seen)?,
        visible_after: row.visible_after_ms.map(TimeDelta::milliseconds),
        looks: u32::try_from(row.looks).map_err(|error| corrupt("looks", error.to_string()))?,
        problem: row.problem,
        table: row.table_name,
    })
}
