//! How far the rows of series have got.

use std::collections::BTreeMap;

use foretide_db::DbError;
use foretide_domain::{ForecastId, SeriesId};
use foretide_write_back::{Accepted, note_accepted};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::Store;
use super::entities::forecast_series::{self, Column};
use super::forecasts::to_series;
use crate::model::SeriesForecast;

/// Whether a series' rows are in the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteBackState {
    /// They have to be.
    Pending,
    /// The workspace has accepted them.
    Delivered,
    /// The workspace will not have them, or not all of them.
    Refused,
    /// Nobody wants them: no sink was configured when they were made, or a person gave them up.
    Off,
    /// They have to be taken back: the forecast was withdrawn.
    Withdrawing,
    /// The workspace has accepted their tombstones.
    Withdrawn,
    /// The workspace will not have their tombstones, or not all of them.
    WithdrawalRefused,
}

impl WriteBackState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Off => "off",
            Self::Withdrawing => "withdrawing",
            Self::Withdrawn => "withdrawn",
            Self::WithdrawalRefused => "withdrawal_refused",
        }
    }
}

/// States of a series on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) waits: WriteBackState,
    pub(crate) arrived: WriteBackState,
    pub(crate) refused: WriteBackState,
}

impl Way {
    /// The way of rows.
    pub(crate) const ROWS: Self = Self {
        waits: WriteBackState::Pending,
        arrived: WriteBackState::Delivered,
        refused: WriteBackState::Refused,
    };
    /// The way of their tombstones.
    pub(crate) const TOMBSTONES: Self = Self {
        waits: WriteBackState::Withdrawing,
        arrived: WriteBackState::Withdrawn,
        refused: WriteBackState::WithdrawalRefused,
    };
}

/// What became of the series of a forecast that were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentSeries {
    /// All their rows were accepted.
    pub(crate) accepted: Vec<SeriesId>,
    /// Some of their rows will not be accepted, by reason.
    pub(crate) refused: BTreeMap<String, Vec<SeriesId>>,
    /// Why the others wait.
    pub(crate) problem: Option<String>,
}

impl Store {
    /// The series of a forecast that wait, in the model's order.
    pub(crate) async fn waiting_series(
        &self,
        id: ForecastId,
        way: Way,
    ) -> Result<Vec<SeriesForecast>, DbError> {
        let rows = in_state(id, way.waits)
            .order_by_asc(Column::Position)
            .all(self.database.connection())
            .await?;
        rows.into_iter().map(to_series).collect()
    }

    /// Has the refused series of a forecast wait again.
    pub(crate) async fn take_up_series(&self, id: ForecastId, way: Way) -> Result<(), DbError> {
        let connection = self.database.connection();
        shift(connection, id, None, way.refused, way.waits, None).await
    }

    /// Why series of a forecast are refused, if any is.
    pub(crate) async fn refusal(
        &self,
        id: ForecastId,
        way: Way,
    ) -> Result<Option<String>, DbError> {
        let problem: Option<Option<String>> = in_state(id, way.refused)
            .select_only()
            .column(Column::WriteBackError)
            .order_by_asc(Column::Position)
            .into_tuple()
            .one(self.database.connection())
            .await?;
        Ok(problem.map(Option::unwrap_or_default))
    }

    /// Keeps what became of series. `accepted` is what one accepted series adds to the rows of its run,
    /// if they are counted; those that had been accepted before are not counted again.
    pub(crate) async fn series_sent(
        &self,
        id: ForecastId,
        way: Way,
        sent: &SentSeries,
        accepted: Option<&Accepted>,
    ) -> Result<(), DbError> {
        let (sent, accepted) = (sent.clone(), accepted.cloned());
        self.database
            .transaction("keep sent series", move |tx| {
                let (sent, accepted) = (sent.clone(), accepted.clone());
                Box::pin(async move { keep_sent(tx, id, way, &sent, accepted).await })
            })
            .await
    }
}

/// Lets the refused series of a forecast be.
pub(super) async fn give_up_series(
    tx: &DatabaseTransaction,
    id: ForecastId,
    way: Way,
) -> Result<(), DbError> {
    shift(tx, id, None, way.refused, WriteBackState::Off, None).await
}

/// Series of a forecast that was withdrawn while they were sent are to be taken back: they stay so.
async fn keep_sent(
    tx: &DatabaseTransaction,
    id: ForecastId,
    way: Way,
    sent: &SentSeries,
    accepted: Option<Accepted>,
) -> Result<(), DbError> {
    if let Some(mut accepted) = accepted {
        let not_counted = [WriteBackState::Pending, WriteBackState::Withdrawing];
        let series = forecast_series::Entity::find()
            .filter(Column::ForecastId.eq(id.as_uuid()))
            .filter(Column::SeriesId.is_in(names(&sent.accepted)))
            .filter(Column::WriteBack.is_in(not_counted.map(WriteBackState::name)))
            .count(tx)
            .await?;
        accepted.rows *= series;
        if accepted.rows > 0 {
            note_accepted(tx, &accepted).await?;
        }
    }
    shift(tx, id, Some(&sent.accepted), way.waits, way.arrived, None).await?;
    for (reason, series) in &sent.refused {
        shift(tx, id, Some(series), way.waits, way.refused, Some(reason)).await?;
    }
    if let Some(problem) = &sent.problem {
        shift(tx, id, None, way.waits, way.waits, Some(problem)).await?;
    }
    Ok(())
}

fn in_state(id: ForecastId, state: WriteBackState) -> sea_orm::Select<forecast_series::Entity> {
    forecast_series::Entity::find()
        .filter(Column::ForecastId.eq(id.as_uuid()))
        .filter(Column::WriteBack.eq(state.name()))
}

fn names(series: &[SeriesId]) -> Vec<String> {
    series.iter().map(ToString::to_string).collect()
}

/// Moves series of a forecast on that are still in the first state: these, or all.
async fn shift(
    connection: &impl ConnectionTrait,
    id: ForecastId,
    series: Option<&[SeriesId]>,
    from: WriteBackState,
    to: WriteBackState,
    problem: Option<&str>,
) -> Result<(), DbError> {
    let mut update = forecast_series::Entity::update_many()
        .col_expr(Column::WriteBack, Expr::value(to.name()))
        .col_expr(
            Column::WriteBackError,
            Expr::value(problem.map(str::to_owned)),
        )
        .filter(Column::ForecastId.eq(id.as_uuid()))
        .filter(Column::WriteBack.eq(from.name()));
    if let Some(series) = series {
        update = update.filter(Column::SeriesId.is_in(names(series)));
    }
    update.exec(connection).await?;
    Ok(())
}
