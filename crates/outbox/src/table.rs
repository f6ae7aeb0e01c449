//! Table `outbox`.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_db::{Database, DbError, Engine};
use foretide_domain::RunId;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Statement,
};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::item::{Item, NewItem, Outcome, State};
use entity::{ActiveModel, Column, Entity, Model};

/// Rows of one insert: well below the parameters that either engine binds.
const ROWS_PER_INSERT: usize = 500;

mod entity {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) sequence: i64,
        pub(crate) channel: String,
        pub(crate) item_key: String,
        pub(crate) order_key: Option<String>,
        pub(crate) run_id: Option<Uuid>,
        pub(crate) payload: String,
        pub(crate) created_at: DateTimeUtc,
        pub(crate) state: String,
        pub(crate) attempts: i64,
        /// Not before then; at once when empty. While it is leased, the lease's end.
        pub(crate) next_attempt_at: Option<DateTimeUtc>,
        pub(crate) lease_id: Option<Uuid>,
        pub(crate) settled_at: Option<DateTimeUtc>,
        pub(crate) receipt: Option<String>,
        pub(crate) last_error: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Keeps items of a channel; call it in the transaction that keeps what they speak of.
///
/// # Errors
/// [`DbError::Conflict`] when the channel has an item of the same key; else as the database's.
pub async fn insert(
    connection: &impl ConnectionTrait,
    channel: &str,
    items: impl IntoIterator<Item = NewItem>,
    created_at: DateTime<Utc>,
) -> Result<(), DbError> {
    let row = |item: NewItem| ActiveModel {
        sequence: NotSet,
        channel: Set(channel.to_owned()),
        item_key: Set(item.key),
        order_key: Set(item.order_key),
        run_id: Set(item.run_id.map(RunId::as_uuid)),
        payload: Set(item.payload.to_string()),
        created_at: Set(created_at),
        state: Set(State::Waiting.name().to_owned()),
        attempts: Set(0),
        next_attempt_at: Set(None),
        lease_id: Set(None),
        settled_at: Set(None),
        receipt: Set(None),
        last_error: Set(None),
    };
    let rows: Vec<_> = items.into_iter().map(row).collect();
    for rows in rows.chunks(ROWS_PER_INSERT) {
        Entity::insert_many(rows.to_vec())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

/// How many items of a channel have got how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// To be delivered.
    pub waiting: u64,
    /// Have arrived.
    pub delivered: u64,
    /// Refused for good.
    pub refused: u64,
    /// Refused and given up.
    pub dropped: u64,
}

/// Items that have not arrived, by what keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// [`State::Waiting`] or [`State::Refused`].
    pub state: State,
    /// Why the last try failed; nothing before the first.
    pub reason: Option<String>,
    /// How many.
    pub items: u64,
}

/// Items that one courier sends now.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) lease_id: Uuid,
    pub(crate) items: Vec<Item>,
}

/// One channel of a service's outbox. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    database: Database,
    channel: &'static str,
}

impl Outbox {
    /// The channel in this database, which has the table.
    #[must_use]
    pub fn new(database: Database, channel: &'static str) -> Self {
        Self { database, channel }
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &'static str {
        self.channel
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    fn all(&self) -> Select<Entity> {
        Entity::find().filter(Column::Channel.eq(self.channel))
    }

    fn of_state(&self, state: State) -> Select<Entity> {
        self.all().filter(Column::State.eq(state.name()))
    }

    /// How many have got how far: all, or those of one run. Counted in one statement.
    ///
    /// # Errors
    /// As the database's.
    pub async fn counts(&self, run_id: Option<RunId>) -> Result<Counts, DbError> {
        let mut query = self.all();
        if let Some(run_id) = run_id {
            query = query.filter(Column::RunId.eq(run_id.as_uuid()));
        }
        let counted: Vec<(String, i64)> = query
            .select_only()
            .column(Column::State)
            .column_as(Column::Sequence.count(), "items")
            .group_by(Column::State)
            .into_tuple()
            .all(self.database.connection())
            .await?;
        let of = |state: State| {
            let found = counted.iter().find(|(word, _)| word == state.name());
            found.map_or(0, |(_, items)| items.unsigned_abs())
        };
        Ok(Counts {
            waiting: of(State::Waiting),
            delivered: of(State::Delivered),
            refused: of(State::Refused),
            dropped: of(State::Dropped),
        })
    }

    /// What has not arrived and is not given up, by state and reason.
    ///
    /// # Errors
    /// As the database's.
    pub async fn undelivered(&self) -> Result<Vec<Undelivered>, DbError> {
        let states = [State::Waiting, State::Refused];
        let counted: Vec<(String, Option<String>, i64)> = self
            .all()
            .filter(Column::State.is_in(states.map(State::name)))
            .select_only()
            .column(Column::State)
            .column(Column::LastError)
            .column_as(Column::Sequence.count(), "items")
            .group_by(Column::State)
            .group_by(Column::LastError)
            .into_tuple()
            .all(self.database.connection())
            .await?;
        let part = |(state, reason, items): (String, Option<String>, i64)| {
            let state = State::of(&state)?;
            Some(Undelivered {
                state,
                reason,
                items: items.unsigned_abs(),
            })
        };
        Ok(counted.into_iter().filter_map(part).collect())
    }

    /// Items in a state, as they were kept.
    ///
    /// # Errors
    /// As the database's.
    pub async fn list(&self, state: State, limit: u64) -> Result<Vec<Item>, DbError> {
        let rows = self.of_state(state).order_by_asc(Column::Sequence);
        let rows = rows.limit(limit).all(self.database.connection()).await?;
        rows.into_iter().map(read).collect()
    }

    /// The first item that waits because a try did not get through.
    ///
    /// # Errors
    /// As the database's.
    pub async fn first_failing(&self) -> Result<Option<Item>, DbError> {
        let found = self
            .of_state(State::Waiting)
            .filter(Column::LastError.is_not_null())
            .order_by_asc(Column::Sequence)
            .one(self.database.connection())
            .await?;
        found.map(read).transpose()
    }

    /// Delivered items of an order key, with their receipts, as they were kept.
    ///
    /// # Errors
    /// As the database's.
    pub async fn delivered(&self, order_key: &str) -> Result<Vec<Item>, DbError> {
        let rows = self
            .of_state(State::Delivered)
            .filter(Column::OrderKey.eq(order_key))
            .order_by_asc(Column::Sequence)
            .all(self.database.connection())
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// The refused item of a key, if there is one.
    ///
    /// # Errors
    /// As the database's.
    pub(crate) async fn refused(&self, key: &str) -> Result<Option<Item>, DbError> {
        let found = self
            .of_state(State::Refused)
            .filter(Column::ItemKey.eq(key))
            .one(self.database.connection())
            .await?;
        found.map(read).transpose()
    }

    /// Takes an item from those that were refused into another state; its tries begin anew.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when it is not refused any more; else as the database's.
    pub(crate) async fn take_in(
        &self,
        tx: &DatabaseTransaction,
        item: &Item,
        to: State,
    ) -> Result<(), DbError> {
        let changed = Entity::update_many()
            .filter(Column::Sequence.eq(item.sequence))
            .filter(Column::State.eq(State::Refused.name()))
            .col_expr(Column::State, Expr::value(to.name()))
            .col_expr(Column::Attempts, Expr::value(0_i64))
            .exec(tx)
            .await?;
        if changed.rows_affected == 0 {
            let what = format!("refused item {} of channel {}", item.key, self.channel);
            return Err(DbError::not_found(what));
        }
        Ok(())
    }

    /// Waiting items, of each order key only the first.
    fn next_in_order(&self) -> Select<Entity> {
        let firsts = self
            .of_state(State::Waiting)
            .filter(Column::OrderKey.is_not_null())
            .select_only()
            .column_as(Column::Sequence.min(), "first")
            .group_by(Column::OrderKey)
            .into_query();
        let has_turn = Condition::any()
            .add(Column::OrderKey.is_null())
            .add(Column::Sequence.in_subquery(firsts));
        self.of_state(State::Waiting).filter(has_turn)
    }

    /// Leases items that are due. A lease that has ended is as if it had not been.
    pub(crate) async fn claim(&self, limit: u64, lease: Duration) -> Result<Claim, DbError> {
        let outbox = self.clone();
        self.database
            .transaction("claim items", move |tx| {
                let outbox = outbox.clone();
                Box::pin(async move { outbox.claim_in(tx, limit, lease).await })
            })
            .await
    }

    async fn claim_in(
        &self,
        tx: &DatabaseTransaction,
        limit: u64,
        lease: Duration,
    ) -> Result<Claim, DbError> {
        let now = self.now(tx).await?;
        let is_due = Condition::any()
            .add(Column::NextAttemptAt.is_null())
            .add(Column::NextAttemptAt.lte(now));
        let rows = self
            .next_in_order()
            .filter(is_due)
            .order_by_asc(Column::Sequence)
            .limit(limit)
            .all(tx)
            .await?;
        let lease_id = Uuid::now_v7();
        let begun = |mut row: Model| {
            row.attempts += 1;
            read(row)
        };
        let items: Vec<Item> = rows.into_iter().map(begun).collect::<Result<_, _>>()?;
        if !items.is_empty() {
            Entity::update_many()
                .filter(Column::Sequence.is_in(items.iter().map(|item| item.sequence)))
                .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
                .col_expr(Column::NextAttemptAt, Expr::value(later(now, lease)))
                .col_expr(Column::LeaseId, Expr::value(lease_id))
                .exec(tx)
                .await?;
        }
        Ok(Claim { lease_id, items })
    }

    /// Leases the same items for longer; false when none of them is held any more.
    pub(crate) async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool, DbError> {
        let connection = self.database.connection();
        let now = self.now(connection).await?;
        let renewed = Entity::update_many()
            .filter(Column::LeaseId.eq(claim.lease_id))
            .col_expr(Column::NextAttemptAt, Expr::value(later(now, lease)))
            .exec(connection)
            .await?;
        Ok(renewed.rows_affected > 0)
    }

    /// Keeps the outcomes of the items whose lease is still held, and returns which those are.
    pub(crate) async fn settle(
        &self,
        tx: &DatabaseTransaction,
        lease_id: Uuid,
        outcomes: &[(Item, Outcome)],
        backoff: Backoff,
        at: DateTime<Utc>,
    ) -> Result<Vec<(Item, Outcome)>, DbError> {
        let now = self.now(tx).await?;
        let leased: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Sequence)
            .filter(Column::LeaseId.eq(lease_id))
            .into_tuple()
            .all(tx)
            .await?;
        let leased: HashSet<i64> = leased.into_iter().collect();
        let ours = |(item, _): &&(Item, Outcome)| leased.contains(&item.sequence);
        let settled: Vec<_> = outcomes.iter().filter(ours).cloned().collect();
        let mut alike: BTreeMap<(&Outcome, u32), Vec<i64>> = BTreeMap::new();
        for (item, outcome) in &settled {
            // only a pause depends on the tries
            let attempts = match outcome {
                Outcome::Later { .. } => item.attempts,
                Outcome::Delivered(_) | Outcome::Refused(_) => 0,
            };
            alike
                .entry((outcome, attempts))
                .or_default()
                .push(item.sequence);
        }
        for ((outcome, attempts), items) in alike {
            let changes = match outcome {
                Outcome::Delivered(receipt) => end(State::Delivered, at, receipt.clone(), None),
                Outcome::Refused(reason) => end(State::Refused, at, None, Some(reason.clone())),
                Outcome::Later { reason, after } => {
                    let pause = backoff.pause_after(attempts, *after);
                    vec![
                        (Column::NextAttemptAt, Expr::value(later(now, pause))),
                        (Column::LastError, Expr::value(Some(reason.clone()))),
                    ]
                }
            };
            let mut update = Entity::update_many()
                .filter(Column::Sequence.is_in(items))
                .col_expr(Column::LeaseId, Expr::value(None::<Uuid>));
            for (column, value) in changes {
                update = update.col_expr(column, value);
            }
            update.exec(tx).await?;
        }
        Ok(settled)
    }

    /// How long until the next item is due that is not new; nothing when there is none.
    pub(crate) async fn next_due_in(&self) -> Result<Option<Duration>, DbError> {
        let connection = self.database.connection();
        let next: Option<DateTime<Utc>> = self
            .next_in_order()
            .filter(Column::NextAttemptAt.is_not_null())
            .select_only()
            .column(Column::NextAttemptAt)
            .order_by_asc(Column::NextAttemptAt)
            .limit(1)
            .into_tuple()
            .one(connection)
            .await?;
        let Some(next) = next else { return Ok(None) };
        let wait = next - self.now(connection).await?;
        Ok(Some(wait.to_std().unwrap_or_default()))
    }

    /// The database's clock, which all replicas share.
    async fn now(&self, connection: &impl ConnectionTrait) -> Result<DateTime<Utc>, DbError> {
        let sql = match self.database.engine() {
            Engine::Sqlite => "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) AS ms",
            Engine::Postgres => {
                "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS ms"
            }
        };
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| DbError::not_found("the database's time"))?;
        let ms: i64 = row.try_get("", "ms")?;
        DateTime::from_timestamp_millis(ms).ok_or_else(|| DbError::not_found("the database's time"))
    }
}

fn end(
    state: State,
    at: DateTime<Utc>,
    receipt: Option<String>,
    error: Option<String>,
) -> Vec<(Column, Expr)> {
    vec![
        (Column::State, Expr::value(state.name())),
        (Column::SettledAt, Expr::value(Some(at))),
        (Column::Receipt, Expr::value(receipt)),
        (Column::LastError, Expr::value(error)),
        (Column::NextAttemptAt, Expr::value(None::<DateTime<Utc>>)),
    ]
}

fn later(now: DateTime<Utc>, wait: Duration) -> Option<DateTime<Utc>> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    Some(
        now.checked_add_signed(wait)
            .unwrap_or(DateTime::<Utc>::MAX_UTC),
    )
}

fn read(row: Model) -> Result<Item, DbError> {
    let state = State::of(&row.state).ok_or_else(|| {
        let problem = format!("unknown state {:?}", row.state);
        DbError::corrupt("outbox", "state", row.sequence, problem)
    })?;
    Ok(Item {
        sequence: row.sequence,
        key: row.item_key,
        order_key: row.order_key,
        run_id: row.run_id.map(RunId::from),
        payload: row.payload,
        created_at: row.created_at,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        state,
        settled_at: row.settled_at,
        receipt: row.receipt,
        last_error: row.last_error,
    })
}
