//! Model versions and where `champion` points.

use std::collections::HashMap;

use foretide_db::DbError;
use foretide_domain::{RunId, UseCaseId};
use foretide_outbox::Item;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::entities::{alias_change, model_version};
use super::{MLFLOW, Store};
use crate::model::{CHAMPION, LedgerEntry, ModelVersion, NewVersion};

impl Store {
    /// Gives the version its number, moves `champion` to it and enters it into the ledger, all or
    /// nothing. When the same run was faster elsewhere, its version is returned.
    pub(crate) async fn register(&self, version: &NewVersion) -> Result<ModelVersion, DbError> {
        let version = version.clone();
        let (run_id, use_case) = (version.run_id, version.use_case.clone());
        let outcome = self
            .database
            .transaction("register model version", move |tx| {
                let version = version.clone();
                Box::pin(async move { register(tx, &version).await })
            })
            .await;
        match outcome {
            Err(DbError::Conflict { what }) => {
                let made = self.version_of_run(run_id, &use_case).await?;
                made.ok_or(DbError::Conflict { what })
            }
            Err(error) => Err(error),
            Ok(number) => {
                let made = self.version(&use_case, number).await?;
                made.ok_or_else(|| DbError::not_found("the version just registered"))
            }
        }
    }

    /// The version a run made of a use case.
    pub(crate) async fn version_of_run(
        &self,
        run_id: RunId,
        use_case: &UseCaseId,
    ) -> Result<Option<ModelVersion>, DbError> {
        let row = model_version::Entity::find()
            .filter(model_version::Column::RunId.eq(run_id.as_uuid()))
            .filter(model_version::Column::Name.eq(use_case.as_str()))
            .one(self.database.connection())
            .await?;
        self.complete(row).await
    }

    /// One version.
    pub(crate) async fn version(
        &self,
        name: &UseCaseId,
        version: u32,
    ) -> Result<Option<ModelVersion>, DbError> {
        let Ok(version) = i32::try_from(version) else {
            return Ok(None);
        };
        let row = model_version::Entity::find()
            .filter(model_version::Column::Name.eq(name.as_str()))
            .filter(model_version::Column::Version.eq(version))
            .one(self.database.connection())
            .await?;
        self.complete(row).await
    }

    /// The version that `champion` points to.
    pub(crate) async fn champion(&self, name: &UseCaseId) -> Result<Option<ModelVersion>, DbError> {
        match self.champion_number(name.as_str()).await? {
            Some(version) => self.version(name, unsigned(version)).await,
            None => Ok(None),
        }
    }

    /// The newest versions, newest first.
    pub(crate) async fn versions(
        &self,
        name: &UseCaseId,
        limit: u32,
    ) -> Result<Vec<ModelVersion>, DbError> {
        let rows = model_version::Entity::find()
            .filter(model_version::Column::Name.eq(name.as_str()))
            .order_by_desc(model_version::Column::Version)
            .limit(u64::from(limit))
            .all(self.database.connection())
            .await?;
        let champion = self.champion_number(name.as_str()).await?;
        let mut mlflow_runs = self.mlflow_runs(name.as_str()).await?;
        rows.into_iter()
            .map(|row| {
                let mlflow_run_id = mlflow_runs.remove(&row.version);
                to_domain(row, champion, mlflow_run_id)
            })
            .collect()
    }

    async fn complete(
        &self,
        row: Option<model_version::Model>,
    ) -> Result<Option<ModelVersion>, DbError> {
        let Some(row) = row else { return Ok(None) };
        let champion = self.champion_number(&row.name).await?;
        let mlflow_run_id = self.mlflow_runs(&row.name).await?.remove(&row.version);
        to_domain(row, champion, mlflow_run_id).map(Some)
    }

    async fn champion_number(&self, name: &str) -> Result<Option<i32>, DbError> {
        let newest = alias_change::Entity::find()
            .filter(alias_change::Column::Name.eq(name))
            .filter(alias_change::Column::Alias.eq(CHAMPION))
            .order_by_desc(alias_change::Column::Sequence)
            .one(self.database.connection())
            .await?;
        Ok(newest.map(|change| change.version))
    }

    async fn mlflow_runs(&self, name: &str) -> Result<HashMap<i32, String>, DbError> {
        let run = |item: Item| {
            let entry: Result<LedgerEntry, _> = item.read();
            let entry = entry.map_err(|_| {
                DbError::corrupt(
                    "outbox",
                    "payload",
                    &item.key,
                    "is no ledger entry".to_owned(),
                )
            })?;
            Ok(item.receipt.map(|run_id| (signed(entry.version), run_id)))
        };
        let delivered = self.ledger().delivered(name).await?.into_iter();
        delivered.filter_map(|item| run(item).transpose()).collect()
    }
}

async fn register(tx: &DatabaseTransaction, version: &NewVersion) -> Result<u32, DbError> {
    let name = version.use_case.to_string();
    let number = last_number(tx, &name).await? + 1;
    model_version::ActiveModel {
        id: Set(Uuid::now_v7()),
        name: Set(name.clone()),
        version: Set(number),
        run_id: Set(version.run_id.as_uuid()),
        trained_at: Set(version.trained_at),
        known_at: Set(version.known_at),
        spec_hash: Set(version.training_set.spec_hash.clone()),
        training_set: Set(to_json(&version.training_set)),
        artefact_path: Set(version.artefact_path.clone()),
        artefact_sha256: Set(version.artefact_sha256.clone()),
        onnx_max_relative_error: Set(version.onnx_max_relative_error),
        history_hours: Set(signed(version.history_hours)),
        horizon_hours: Set(signed(version.horizon_hours)),
        series: Set(to_json(&version.series)),
    }
    .insert(tx)
    .await?;
    alias_change::ActiveModel {
        name: Set(name),
        alias: Set(CHAMPION.to_owned()),
        version: Set(number),
        since: Set(version.trained_at),
        run_id: Set(version.run_id.as_uuid()),
        ..Default::default()
    }
    .insert(tx)
    .await?;
    let entry = LedgerEntry {
        name: version.use_case.clone(),
        version: unsigned(number),
    };
    let item = entry.into_item(version.run_id);
    foretide_outbox::insert(tx, MLFLOW, [item], version.trained_at).await?;
    Ok(unsigned(number))
}

async fn last_number(tx: &impl ConnectionTrait, name: &str) -> Result<i32, DbError> {
    let newest = model_version::Entity::find()
        .filter(model_version::Column::Name.eq(name))
        .order_by_desc(model_version::Column::Version)
        .one(tx)
        .await?;
    Ok(newest.map_or(0, |row| row.version))
}

fn to_json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("plain structs with text keys are always written")
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn to_domain(
    row: model_version::Model,
    champion: Option<i32>,
    mlflow_run_id: Option<String>,
) -> Result<ModelVersion, DbError> {
    let corrupt = |column: &'static str, problem: String| {
        DbError::corrupt("model_version", column, row.id, problem)
    };
    let use_case = row
        .name
        .parse()
        .map_err(|error| corrupt("name", format!("{error}")))?;
    let training_set = serde_json::from_value(row.training_set.clone())
        .map_err(|error| corrupt("training_set", error.to_string()))?;
    let series = serde_json::from_value(row.series.clone())
        .map_err(|error| corrupt("series", error.to_string()))?;
    Ok(ModelVersion {
        version: unsigned(row.version),
        is_champion: champion == Some(row.version),
        mlflow_run_id,
        content: NewVersion {
            use_case,
            run_id: RunId::from(row.run_id),
            trained_at: row.trained_at,
            known_at: row.known_at,
            training_set,
            artefact_path: row.artefact_path,
            artefact_sha256: row.artefact_sha256,
            onnx_max_relative_error: row.onnx_max_relative_error,
            history_hours: unsigned(row.history_hours),
            horizon_hours: unsigned(row.horizon_hours),
            series,
        },
    })
}
