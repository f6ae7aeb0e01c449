//! How late the rows of each table come in, as learnt by a moment:
//! `arrivals/<table>/<learnt_at, ms>-<run_id>.parquet`.

use chrono::{DateTime, Utc};
use foretide_domain::{ArrivalLag, RunId, SentinelTable};
use polars::prelude::*;

use crate::{Lake, LakeError};

/// What is known of arrival lags in a lake.
#[derive(Debug, Clone)]
pub struct ArrivalStore {
    lake: Lake,
}

impl ArrivalStore {
    /// The arrival lags of this lake.
    #[must_use]
    pub fn new(lake: Lake) -> Self {
        Self { lake }
    }

    /// Writes what a run has learnt. What a run that is repeated has learnt before, stays.
    ///
    /// # Errors
    /// The store's error.
    pub async fn write(
        &self,
        table: SentinelTable,
        learnt_at: DateTime<Utc>,
        run_id: RunId,
        lag: &ArrivalLag,
    ) -> Result<(), LakeError> {
        let path = format!(
            "{}/{:013}-{run_id}.parquet",
            folder(table),
            learnt_at.timestamp_millis()
        );
        let mut frame = to_frame(lag).map_err(|error| corrupt(&path, &error))?;
        match self.lake.write_frame(&path, &mut frame).await {
            Ok(_) | Err(LakeError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What was known of a table at a moment; nothing known is an empty distribution.
    ///
    /// # Errors
    /// [`LakeError::Corrupt`] when the file is damaged, or the store's error.
    pub async fn read(
        &self,
        table: SentinelTable,
        known_at: DateTime<Utc>,
    ) -> Result<ArrivalLag, LakeError> {
        let folder = folder(table);
        let objects = self.lake.list(&folder).await?;
        let newest = objects
            .iter()
            .filter(|object| {
                learnt_at(&folder, &object.path)
                    .is_some_and(|learnt| learnt <= known_at.timestamp_millis())
            })
            .map(|object| &object.path)
            .max();
        let Some(path) = newest else {
            return Ok(ArrivalLag::default());
        };
        let frame = self.lake.read_frame(path, None).await?;
        from_frame(&frame).map_err(|error| corrupt(path, &error))
    }
}

fn folder(table: SentinelTable) -> String {
    format!("arrivals/{table}")
}

fn learnt_at(folder: &str, path: &str) -> Option<i64> {
    let name = path.strip_prefix(folder)?.strip_prefix('/')?;
    name.split_once('-')?.0.parse().ok()
}

fn corrupt(path: &str, problem: &PolarsError) -> LakeError {
    LakeError::Corrupt {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}

fn to_frame(lag: &ArrivalLag) -> PolarsResult<DataFrame> {
    let (uppers, weights): (Vec<u32>, Vec<f64>) = lag.classes().iter().copied().unzip();
    df!("up_to_minutes" => uppers, "weight" => weights)
}

fn from_frame(frame: &DataFrame) -> PolarsResult<ArrivalLag> {
    let uppers = frame.column("up_to_minutes")?.u32()?;
    let weights = frame.column("weight")?.f64()?;
    Ok(ArrivalLag::new(
        uppers
            .iter()
            .zip(weights.iter())
            .filter_map(|(upper, weight)| Some((upper?, weight?))),
    ))
}
