//! Reading and writing the tables.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::{RunId, SeriesId, TimeSpan, UseCaseId};
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

use super::entities::{feature_view, materialization, online_value, training_set};
use super::{Materialization, OnlineValue, Storage, TrainingSet};

/// Rows of one statement: seven parameters each stay well below SQLite's 32,766.
const ROWS_AT_ONCE: usize = 1000;

impl Storage {
    /// What a run has materialized for a use case.
    pub(crate) async fn materialization(
        &self,
        run_id: RunId,
        use_case: &UseCaseId,
    ) -> Result<Option<Materialization>, DbError> {
        materialization::Entity::find_by_id((run_id.as_uuid(), use_case.to_string()))
            .one(self.database.connection())
            .await?
            .map(Materialization::try_from)
            .transpose()
    }

    /// The newest materialization of a specification, as of a moment or before when one is given.
    pub(crate) async fn latest_materialization(
        &self,
        use_case: &UseCaseId,
        spec_hash: &str,
        not_after: Option<DateTime<Utc>>,
    ) -> Result<Option<Materialization>, DbError> {
        let mut query = materialization::Entity::find()
            .filter(materialization::Column::UseCase.eq(use_case.as_str()))
            .filter(materialization::Column::SpecHash.eq(spec_hash));
        if let Some(not_after) = not_after {
            query = query.filter(materialization::Column::KnownAt.lte(not_after));
        }
        query
            .order_by_desc(materialization::Column::KnownAt)
            .one(self.database.connection())
            .await?
            .map(Materialization::try_from)
            .transpose()
    }

    /// Notes a materialization and puts its newest values online, unless newer ones are there.
    pub(crate) async fn record_materialization(
        &self,
        done: &Materialization,
        spec: &serde_json::Value,
        online: &[OnlineValue],
    ) -> Result<(), DbError> {
        self.database
            .transaction("record_materialization", |transaction| {
                let (done, spec, online) = (done.clone(), spec.clone(), online.to_vec());
                Box::pin(async move {
                    put_view(transaction, &done, spec).await?;
                    put_online(transaction, &done, online).await?;
                    let row = materialization::Model::from(done).into_active_model();
                    materialization::Entity::insert(row)
                        .exec_without_returning(transaction)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// A training set that was built.
    pub(crate) async fn training_set(
        &self,
        use_case: &UseCaseId,
        spec_hash: &str,
        known_at: DateTime<Utc>,
    ) -> Result<Option<TrainingSet>, DbError> {
        training_set::Entity::find_by_id((use_case.to_string(), spec_hash.to_owned(), known_at))
            .one(self.database.connection())
            .await?
            .map(TrainingSet::try_from)
            .transpose()
    }

    /// Notes a training set. One that is noted already stays as it is.
    pub(crate) async fn record_training_set(&self, built: &TrainingSet) -> Result<(), DbError> {
        use training_set::Column;
        let nothing = OnConflict::columns([Column::UseCase, Column::SpecHash, Column::KnownAt])
            .do_nothing()
            .to_owned();
        let row = training_set::Model::from(built.clone()).into_active_model();
        training_set::Entity::insert(row)
            .on_conflict(nothing)
            .exec_without_returning(self.database.connection())
            .await?;
        Ok(())
    }

    /// Online values of the series (of all, when none is named), by series and feature.
    pub(crate) async fn online_values(
        &self,
        use_case: &UseCaseId,
        series: &[SeriesId],
        features: &[String],
    ) -> Result<Vec<OnlineValue>, DbError> {
        use online_value::Column;
        let mut query = online_value::Entity::find()
            .filter(Column::UseCase.eq(use_case.as_str()))
            .filter(Column::Feature.is_in(features));
        if !series.is_empty() {
            query = query.filter(Column::SeriesId.is_in(series.iter().map(ToString::to_string)));
        }
        query
            .order_by_asc(Column::SeriesId)
            .order_by_asc(Column::Feature)
            .all(self.database.connection())
            .await?
            .into_iter()
            .map(OnlineValue::try_from)
            .collect()
    }
}

async fn put_view(
    transaction: &DatabaseTransaction,
    done: &Materialization,
    spec: serde_json::Value,
) -> Result<(), DbError> {
    use feature_view::Column;
    let row = feature_view::Model {
        use_case: done.use_case.to_string(),
        view: done.view.clone(),
        spec_hash: done.spec_hash.clone(),
        spec,
        run_id: done.run_id.as_uuid(),
    };
    let nothing = OnConflict::columns([Column::UseCase, Column::View, Column::SpecHash])
        .do_nothing()
        .to_owned();
    feature_view::Entity::insert(row.into_active_model())
        .on_conflict(nothing)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

async fn put_online(
    transaction: &DatabaseTransaction,
    done: &Materialization,
    values: Vec<OnlineValue>,
) -> Result<(), DbError> {
    use online_value::Column;
    let rows: Vec<_> = values
        .into_iter()
        .map(|value| online_value::Model {
            use_case: done.use_case.to_string(),
            series_id: value.series.to_string(),
            feature: value.feature,
            value: value.value,
            event_time: value.event_time,
            known_at: value.known_at,
            run_id: done.run_id.as_uuid(),
        })
        .map(IntoActiveModel::into_active_model)
        .collect();
    let stored_known_at = sea_orm::sea_query::Expr::col((online_value::Entity, Column::KnownAt));
    let unless_newer = OnConflict::columns([Column::UseCase, Column::SeriesId, Column::Feature])
        .update_columns([
            Column::Value,
            Column::EventTime,
            Column::KnownAt,
            Column::RunId,
        ])
        .action_and_where(stored_known_at.lte(done.known_at))
        .to_owned();
    for some in rows.chunks(ROWS_AT_ONCE) {
        online_value::Entity::insert_many(some.to_vec())
            .on_conflict(unless_newer.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

impl From<Materialization> for materialization::Model {
    fn from(done: Materialization) -> Self {
        Self {
            run_id: done.run_id.as_uuid(),
            use_case: done.use_case.to_string(),
            view: done.view,
            spec_hash: done.spec_hash,
            known_at: done.known_at,
            span_start: done.span.start,
            span_end: done.span.end,
            path: done.path,
            sha256: done.sha256,
            rows: to_stored(done.rows),
            features: to_stored(done.features),
            series: to_stored(done.series),
        }
    }
}

impl TryFrom<materialization::Model> for Materialization {
    type Error = DbError;

    fn try_from(row: materialization::Model) -> Result<Self, DbError> {
        const TABLE: &str = "materialization";
        let key = format!("{}/{}", row.run_id, row.use_case);
        Ok(Self {
            run_id: RunId::from(row.run_id),
            use_case: parse(TABLE, "use_case", &key, &row.use_case)?,
            view: row.view,
            spec_hash: row.spec_hash,
            known_at: row.known_at,
            span: span(TABLE, &key, row.span_start, row.span_end)?,
            path: row.path,
            sha256: row.sha256,
            rows: count(TABLE, "rows", &key, row.rows)?,
            features: count(TABLE, "features", &key, row.features)?,
            series: count(TABLE, "series", &key, row.series)?,
        })
    }
}

impl From<TrainingSet> for training_set::Model {
    fn from(built: TrainingSet) -> Self {
        Self {
            use_case: built.use_case.to_string(),
            spec_hash: built.spec_hash,
            known_at: built.known_at,
            view: built.view,
            run_id: built.run_id.as_uuid(),
            path: built.path,
            sha256: built.sha256,
            rows: to_stored(built.rows),
            series: to_stored(built.series),
            span_start: built.span.start,
            span_end: built.span.end,
            regressors: built.regressors.into(),
        }
    }
}

impl TryFrom<training_set::Model> for TrainingSet {
    type Error = DbError;

    fn try_from(row: training_set::Model) -> Result<Self, DbError> {
        const TABLE: &str = "training_set";
        let key = format!("{}/{}/{}", row.use_case, row.spec_hash, row.known_at);
        let regressors = serde_json::from_value(row.regressors)
            .map_err(|error| DbError::corrupt(TABLE, "regressors", &key, error))?;
        Ok(Self {
            run_id: RunId::from(row.run_id),
            use_case: parse(TABLE, "use_case", &key, &row.use_case)?,
            view: row.view,
            spec_hash: row.spec_hash,
            known_at: row.known_at,
            span: span(TABLE, &key, row.span_start, row.span_end)?,
            path: row.path,
            sha256: row.sha256,
            rows: count(TABLE, "rows", &key, row.rows)?,
            series: count(TABLE, "series", &key, row.series)?,
            regressors,
        })
    }
}

impl TryFrom<online_value::Model> for OnlineValue {
    type Error = DbError;

    fn try_from(row: online_value::Model) -> Result<Self, DbError> {
        let key = format!("{}/{}", row.series_id, row.feature);
        Ok(Self {
            series: parse("online_value", "series_id", &key, &row.series_id)?,
            feature: row.feature,
            value: row.value,
            event_time: row.event_time,
            known_at: row.known_at,
        })
    }
}

fn to_stored(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(
    table: &'static str,
    column: &'static str,
    key: &str,
    stored: i64,
) -> Result<usize, DbError> {
    usize::try_from(stored).map_err(|error| DbError::corrupt(table, column, key, error))
}

fn span(
    table: &'static str,
    key: &str,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Result<TimeSpan, DbError> {
    TimeSpan::new(start, end)
        .ok_or_else(|| DbError::corrupt(table, "span_end", key, "it lies before span_start"))
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    table: &'static str,
    column: &'static str,
    key: &str,
    stored: &str,
) -> Result<T, DbError> {
    stored
        .parse()
        .map_err(|error: T::Err| DbError::corrupt(table, column, key, error))
}
