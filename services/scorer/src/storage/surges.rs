//! Rows of `Predicted_Attack_Surge_CL`: which should stand in the workspace, and which do.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_db::DbError;
use foretide_domain::{ForecastId, RunId, UseCaseId};
use foretide_write_back::{Accepted, note_accepted};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::Value;
use uuid::Uuid;

use super::Store;
use super::entities::surge_row::{ActiveModel, Column, Entity, Model};
use super::tasks::{Task, leave_task};
use crate::model::{Issue, RiskWindow};
use crate::rows;

/// Rows taken at once: less than a call holds.
const MOST_ROWS: u64 = 500;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SurgeState {
    /// It has to be announced.
    Due,
    /// It was begun to be announced: the workspace may have it.
    Sending,
    /// The workspace has accepted it.
    Standing,
    /// It has to be taken back.
    Retract,
    /// The workspace has accepted its tombstone.
    Withdrawn,
    /// It was overtaken before the workspace had it.
    Never,
    /// The workspace will not have it.
    Refused,
}

impl SurgeState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Sending => "sending",
            Self::Standing => "standing",
            Self::Retract => "retract",
            Self::Withdrawn => "withdrawn",
            Self::Never => "never",
            Self::Refused => "refused",
        }
    }
}

/// A row on its way.
#[derive(Debug, Clone)]
pub(crate) struct SurgeRow {
    pub(crate) window_id: Uuid,
    pub(crate) run_id: RunId,
    pub(crate) row: Value,
    /// When it was taken back, if it was: later than it was issued.
    pub(crate) retracted_at: Option<DateTime<Utc>>,
}

/// What became of rows that were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentSurges {
    pub(crate) accepted: Vec<Uuid>,
    /// Accepted rows that are counted.
    pub(crate) batches: Vec<Accepted>,
    /// By reason.
    pub(crate) refused: BTreeMap<String, Vec<Uuid>>,
    pub(crate) held: Vec<Uuid>,
    /// What holds them.
    pub(crate) problem: Option<String>,
}

/// Why rows no longer stand, and since when.
#[derive(Debug, Clone)]
pub(crate) struct Retraction {
    pub(crate) at: DateTime<Utc>,
    pub(crate) because: String,
}

impl Retraction {
    /// While the kill switch is engaged nothing that is coming stands.
    pub(crate) fn by_kill_switch(at: DateTime<Utc>) -> Self {
        Self {
            at,
            because: "the kill switch".to_owned(),
        }
    }
}

impl Store {
    /// Rows in these states, oldest first; not more than a call holds.
    pub(crate) async fn surges_in(&self, states: &[SurgeState]) -> Result<Vec<SurgeRow>, DbError> {
        let states = states.iter().map(|state| state.name());
        let rows = Entity::find()
            .filter(Column::State.is_in(states))
            .order_by_asc(Column::IssuedAt)
            .order_by_asc(Column::WindowId)
            .limit(MOST_ROWS)
            .all(self.database.connection())
            .await?;
        rows.iter().map(read).collect()
    }

    /// Moves rows on, those that are still in the first state.
    pub(crate) async fn move_surges(
        &self,
        ids: &[Uuid],
        from: SurgeState,
        to: SurgeState,
    ) -> Result<(), DbError> {
        shift(self.database.connection(), ids, from, to, None).await
    }

    /// Has refused rows wait again.
    pub(crate) async fn take_up_surges(&self) -> Result<(), DbError> {
        let connection = self.database.connection();
        move_refused(connection, SurgeState::Due, SurgeState::Retract).await
    }

    /// Keeps what became of rows in a state: those that were accepted, and which run's they are, those
    /// that were refused, by reason, and why the others wait.
    pub(crate) async fn surges_sent(
        &self,
        from: SurgeState,
        to: SurgeState,
        sent: &SentSurges,
    ) -> Result<(), DbError> {
        let sent = sent.clone();
        self.database
            .transaction("keep sent windows", move |tx| {
                let sent = sent.clone();
                Box::pin(async move {
                    shift(tx, &sent.accepted, from, to, None).await?;
                    for batch in &sent.batches {
                        note_accepted(tx, batch).await?;
                    }
                    for (reason, ids) in &sent.refused {
                        shift(tx, ids, from, SurgeState::Refused, Some(reason)).await?;
                    }
                    shift(tx, &sent.held, from, from, sent.problem.as_deref()).await
                })
            })
            .await
    }

    /// Takes back every window that is not over. Gives back how many that were.
    pub(crate) async fn retract_coming_surges(
        &self,
        retraction: &Retraction,
    ) -> Result<usize, DbError> {
        let retraction = retraction.clone();
        self.database
            .transaction("retract windows", move |tx| {
                let retraction = retraction.clone();
                Box::pin(async move {
                    let coming = Entity::find().filter(Column::EndsAt.gt(retraction.at));
                    let count = retract(tx, coming, &retraction).await?;
                    if count > 0 {
                        leave_task(tx, Task::Windows, None, retraction.at).await?;
                    }
                    Ok(count)
                })
            })
            .await
    }
}

/// Keeps the windows of an issue and takes back those of earlier ones that they replace. Windows of an
/// issue that is itself not the newest are never sent.
pub(super) async fn keep_surges(
    tx: &DatabaseTransaction,
    issue: &Issue,
    is_newest: bool,
) -> Result<(), DbError> {
    let forecast = &issue.forecast;
    let state = if is_newest {
        SurgeState::Due
    } else {
        SurgeState::Never
    };
    for window in &issue.windows {
        Entity::insert(row_of(window, state))
            .exec_without_returning(tx)
            .await?;
    }
    if !is_newest {
        return Ok(());
    }
    let replaced = Entity::find()
        .filter(Column::UseCase.eq(forecast.use_case.as_str()))
        .filter(Column::ForecastId.ne(forecast.id.as_uuid()))
        .filter(Column::EndsAt.gt(forecast.issued_at));
    let retraction = Retraction {
        at: forecast.issued_at,
        because: format!("replaced by forecast {}", forecast.id),
    };
    let retracted = retract(tx, replaced, &retraction).await?;
    if retracted + issue.windows.len() > 0 {
        leave_task(tx, Task::Windows, Some(forecast.run_id), forecast.issued_at).await?;
    }
    Ok(())
}

/// Takes back the windows of one forecast that are not over.
pub(super) async fn retract_of(
    tx: &DatabaseTransaction,
    forecast: ForecastId,
    retraction: &Retraction,
) -> Result<(), DbError> {
    let of_forecast = Entity::find()
        .filter(Column::ForecastId.eq(forecast.as_uuid()))
        .filter(Column::EndsAt.gt(retraction.at));
    if retract(tx, of_forecast, retraction).await? > 0 {
        leave_task(tx, Task::Windows, None, retraction.at).await?;
    }
    Ok(())
}

/// Whether no other forecast of the use case is newer. Of two issued as of the same moment the later
/// run's is: run ids sort by time.
pub(super) async fn is_newest(
    tx: &DatabaseTransaction,
    use_case: &UseCaseId,
    issued_at: DateTime<Utc>,
    run_id: RunId,
) -> Result<bool, DbError> {
    use super::entities::forecast;
    let newest = forecast::Entity::find()
        .filter(forecast::Column::UseCase.eq(use_case.as_str()))
        .order_by_desc(forecast::Column::IssuedAt)
        .order_by_desc(forecast::Column::RunId)
        .one(tx)
        .await?;
    let newest = newest.map(|newest| (newest.issued_at, newest.run_id));
    Ok(newest.is_none_or(|newest| newest <= (issued_at, run_id.as_uuid())))
}

async fn retract(
    tx: &DatabaseTransaction,
    which: sea_orm::Select<Entity>,
    retraction: &Retraction,
) -> Result<usize, DbError> {
    let not_there = [SurgeState::Due, SurgeState::Refused].map(SurgeState::name);
    let there = [SurgeState::Sending, SurgeState::Standing].map(SurgeState::name);
    let rows = which
        .filter(Column::State.is_in(not_there.into_iter().chain(there)))
        .filter(Column::RetractedAt.is_null())
        .all(tx)
        .await?;
    let count = rows.len();
    for row in rows {
        let state = if not_there.contains(&row.state.as_str()) {
            SurgeState::Never
        } else {
            SurgeState::Retract
        };
        // readers keep the newest row of a key
        let at = retraction
            .at
            .max(row.issued_at + TimeDelta::milliseconds(1));
        Entity::update_many()
            .filter(Column::WindowId.eq(row.window_id))
            .col_expr(Column::State, Expr::value(state.name()))
            .col_expr(Column::RetractedAt, Expr::value(Some(at)))
            .col_expr(
                Column::RetractedBecause,
                Expr::value(Some(retraction.because.clone())),
            )
            .exec(tx)
            .await?;
    }
    Ok(count)
}

/// Moves refused rows on: those that were to be announced, and those that were to be taken back.
pub(super) async fn move_refused(
    connection: &impl ConnectionTrait,
    announced: SurgeState,
    taken_back: SurgeState,
) -> Result<(), DbError> {
    let ways = [
        (Column::RetractedAt.is_null(), announced),
        (Column::RetractedAt.is_not_null(), taken_back),
    ];
    for (which, state) in ways {
        Entity::update_many()
            .filter(Column::State.eq(SurgeState::Refused.name()))
            .filter(which)
            .col_expr(Column::State, Expr::value(state.name()))
            .exec(connection)
            .await?;
    }
    Ok(())
}

async fn shift(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
    from: SurgeState,
    to: SurgeState,
    problem: Option<&str>,
) -> Result<(), DbError> {
    if ids.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .filter(Column::WindowId.is_in(ids.iter().copied()))
        .filter(Column::State.eq(from.name()))
        .col_expr(Column::State, Expr::value(to.name()))
        .col_expr(Column::LastError, Expr::value(problem.map(str::to_owned)))
        .exec(connection)
        .await?;
    Ok(())
}

fn row_of(window: &RiskWindow, state: SurgeState) -> ActiveModel {
    ActiveModel {
        window_id: Set(window.id.as_uuid()),
        forecast_id: Set(window.forecast_id.as_uuid()),
        run_id: Set(window.run_id.as_uuid()),
        use_case: Set(window.use_case.to_string()),
        issued_at: Set(window.issued_at),
        ends_at: Set(window.span.end),
        row: Set(rows::render_window(window).to_string()),
        state: Set(state.name().to_owned()),
        retracted_at: Set(None),
        retracted_because: Set(None),
        last_error: Set(None),
    }
}

fn read(row: &Model) -> Result<SurgeRow, DbError> {
    let id = row.window_id;
    Ok(SurgeRow {
        window_id: id,
        run_id: RunId::from(row.run_id),
        row: serde_json::from_str(&row.row)
            .map_err(|error| DbError::corrupt("surge_row", "row", id, error))?,
        retracted_at: row.retracted_at,
    })
}
