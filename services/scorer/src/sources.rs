//! Where champions and scoring frames come from.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::features::v1 as features;
use foretide_api::features::v1::feature_store_service_client::FeatureStoreServiceClient;
use foretide_api::training::v1 as training;
use foretide_api::training::v1::training_service_client::TrainingServiceClient;
use foretide_api::{ErrorCode, ServiceError, moment, timestamp};
use foretide_domain::{UseCaseId, floor_hour};
use foretide_forecasting::{PanelSeries, Regressor, ScoringFrame};
use foretide_service_runtime::AuthedChannel;
use tonic::Status;

use crate::error::ScoreError;

/// The model version that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Champion {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) artefact_path: String,
    pub(crate) artefact_sha256: String,
    /// First hour it was trained on: before it nothing is known of the workspace.
    pub(crate) history_start: DateTime<Utc>,
}

/// Names the champion of a use case, and versions that have been.
#[async_trait]
pub(crate) trait Champions: Send + Sync {
    async fn champion(&self, use_case: &UseCaseId) -> Result<Champion, ScoreError>;

    async fn version(&self, use_case: &UseCaseId, version: u32) -> Result<Champion, ScoreError>;
}

/// What is asked of the feature store.
#[derive(Debug, Clone)]
pub(crate) struct FrameQuery {
    pub(crate) use_case: UseCaseId,
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) horizon_hours: u32,
    pub(crate) history_hours: u32,
}

/// A frame, and how complete its history is.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    pub(crate) frame: ScoringFrame,
    pub(crate) completeness: f64,
}

/// Gives fresh history and what is known of the hours ahead.
#[async_trait]
pub(crate) trait Frames: Send + Sync {
    async fn inputs(&self, query: &FrameQuery) -> Result<Inputs, ScoreError>;
}

/// The trainer, over gRPC.
pub(crate) struct Trainer(TrainingServiceClient<AuthedChannel>);

impl Trainer {
    pub(crate) fn new(client: TrainingServiceClient<AuthedChannel>) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Champions for Trainer {
    async fn champion(&self, use_case: &UseCaseId) -> Result<Champion, ScoreError> {
        let request = training::GetChampionRequest {
            use_case: use_case.to_string(),
        };
        let reply = self.0.clone().get_champion(request).await;
        let reply = reply.map_err(|status| refused(&status))?.into_inner();
        read_version(reply.model_version)
    }

    async fn version(&self, use_case: &UseCaseId, version: u32) -> Result<Champion, ScoreError> {
        let request = training::GetModelVersionRequest {
            name: use_case.to_string(),
            version,
        };
        let reply = self.0.clone().get_model_version(request).await;
        let reply = reply.map_err(|status| refused(&status))?.into_inner();
        read_version(reply.model_version)
    }
}

fn refused(status: &Status) -> ScoreError {
    ScoreError::Trainer {
        code: ServiceError::code(status),
        message: status.message().to_owned(),
    }
}

fn read_version(version: Option<training::ModelVersion>) -> Result<Champion, ScoreError> {
    let unusable = |message: String| ScoreError::Trainer {
        code: ErrorCode::Internal,
        message,
    };
    let version = version.ok_or_else(|| unusable("it answered without a version".to_owned()))?;
    let known_at = moment("known_at", version.known_at).map_err(|e| unusable(e.to_string()))?;
    Ok(Champion {
        name: version.name,
        version: version.version,
        artefact_path: version.artefact_path,
        artefact_sha256: version.artefact_sha256,
        history_start: floor_hour(known_at) - TimeDelta::hours(i64::from(version.history_hours)),
    })
}

/// The feature store, over gRPC.
pub(crate) struct FeatureStore(FeatureStoreServiceClient<AuthedChannel>);

impl FeatureStore {
    pub(crate) fn new(client: FeatureStoreServiceClient<AuthedChannel>) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Frames for FeatureStore {
    async fn inputs(&self, query: &FrameQuery) -> Result<Inputs, ScoreError> {
        let request = features::GetScoringFrameRequest {
            use_case: query.use_case.to_string(),
            as_of: timestamp(query.as_of),
            horizon_hours: query.horizon_hours,
            history_hours: query.history_hours,
        };
        let reply = self
            .0
            .clone()
            .get_scoring_frame(request)
            .await
            .map_err(|status| ScoreError::FeatureStore {
                code: ServiceError::code(&status),
                message: status.message().to_owned(),
            })?;
        read_frame(query, reply.into_inner()).map_err(ScoreError::BadFrame)
    }
}

/// Checks that the reply is what was asked for.
fn read_frame(
    query: &FrameQuery,
    reply: features::GetScoringFrameResponse,
) -> Result<Inputs, String> {
    let features::GetScoringFrameResponse {
        start,
        horizon_hours,
        regressors,
        series,
        hour_of_week,
        history_hour_of_week,
        completeness,
    } = reply;
    let start = moment("start", start).map_err(|error| error.to_string())?;
    if start != floor_hour(query.as_of) {
        return Err(format!(
            "it starts at {start}, asked for was the hour of {}",
            query.as_of
        ));
    }
    if horizon_hours != query.horizon_hours || hour_of_week.len() != horizon_hours as usize {
        return Err(format!(
            "it holds {horizon_hours} hours ahead, asked for were {}",
            query.horizon_hours
        ));
    }
    if !(0.0..=1.0).contains(&completeness) {
        return Err(format!(
            "completeness must be from 0 to 1, is {completeness}"
        ));
    }
    let history = history_hour_of_week.len();
    let history_start =
        start - TimeDelta::hours(i64::try_from(history).unwrap_or(i64::MAX / 3_600_000));
    let regressors = regressors
        .into_iter()
        .map(|column| regressor(column, history, hour_of_week.len()))
        .collect::<Result<_, _>>()?;
    let series = series
        .into_iter()
        .map(|series| panel_series(series, history_start, &query.use_case))
        .collect::<Result<_, _>>()?;
    let frame = ScoringFrame {
        start,
        hour_of_week: hours_of_week(&hour_of_week)?,
        history_hour_of_week: hours_of_week(&history_hour_of_week)?,
        regressors,
        series,
    };
    Ok(Inputs {
        frame,
        completeness,
    })
}

/// A column covers history and horizon.
fn regressor(
    column: features::RegressorColumn,
    history: usize,
    horizon: usize,
) -> Result<Regressor, String> {
    let features::RegressorColumn { name, values } = column;
    if values.len() != history + horizon {
        return Err(format!(
            "regressor {name:?} has {} values for {history} + {horizon} hours",
            values.len()
        ));
    }
    Ok(Regressor { name, values })
}

fn panel_series(
    series: features::SeriesHistory,
    history_start: DateTime<Utc>,
    use_case: &UseCaseId,
) -> Result<PanelSeries, String> {
    let features::SeriesHistory {
        series_id,
        start,
        values,
    } = series;
    let id = foretide_api::series_id("series_id", &series_id).map_err(|error| error.to_string())?;
    if id.use_case() != use_case {
        return Err(format!(
            "series {id} belongs to another use case than {use_case}"
        ));
    }
    let start = moment("start", start).map_err(|error| format!("series {id}: {error}"))?;
    if start != history_start {
        return Err(format!(
            "series {id} starts at {start}, the history at {history_start}"
        ));
    }
    Ok(PanelSeries { id, values })
}

fn hours_of_week(hours: &[u32]) -> Result<Vec<u8>, String> {
    hours
        .iter()
        .map(|hour| u8::try_from(*hour).map_err(|_| format!("{hour} is no hour of a week")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> FrameQuery {
        FrameQuery {
            use_case: "attack_volume".parse().unwrap(),
            as_of: "2026-11-23T06:10:00Z".parse().unwrap(),
            horizon_hours: 2,
            history_hours: 3,
        }
    }

    fn reply() -> features::GetScoringFrameResponse {
        let start: DateTime<Utc> = "2026-11-23T06:00:00Z".parse().unwrap();
        features::GetScoringFrameResponse {
            start: timestamp(start),
            horizon_hours: 2,
            regressors: vec![features::RegressorColumn {
                name: "holiday".to_owned(),
                values: vec![0.0, 0.0, 0.0, 1.0, 2.0],
            }],
            series: vec![features::SeriesHistory {
                series_id: "attack_volume/total".to_owned(),
                start: timestamp(start - TimeDelta::hours(3)),
                values: vec![1.0, 2.0, 3.0],
            }],
            hour_of_week: vec![6, 7],
            history_hour_of_week: vec![3, 4, 5],
            completeness: 0.75,
        }
    }

    #[test]
    fn a_good_frame_is_read_with_regressors_past_and_ahead() {
        let inputs = read_frame(&query(), reply()).unwrap();
        assert_eq!(inputs.frame.regressors[0].values, [0.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!(inputs.frame.history_hour_of_week, [3, 4, 5]);
        assert!((inputs.completeness - 0.75).abs() < f64::EPSILON);
    }

    #[test]
    fn a_frame_that_does_not_fit_is_refused_with_the_reason() {
        type Spoil = fn(&mut features::GetScoringFrameResponse);
        let cases: [(Spoil, &str); 9] = [
            (|r| r.start = None, "start"),
            (
                |r| r.start = timestamp("2026-11-23T05:00:00Z".parse().unwrap()),
                "starts at",
            ),
            (|r| r.horizon_hours = 3, "hours ahead"),
            (|r| r.hour_of_week.push(8), "hours ahead"),
            (|r| r.hour_of_week[0] = 700, "hour of a week"),
            (|r| r.completeness = f64::NAN, "completeness"),
            (
                |r| r.regressors[0].values.truncate(4),
                "regressor \"holiday\"",
            ),
            (
                |r| r.series[0].series_id = "risk_period/total".to_owned(),
                "another use case",
            ),
            (|r| r.series[0].start = None, "series attack_volume/total"),
        ];
        for (spoil, expected) in cases {
            let mut reply = reply();
            spoil(&mut reply);
            let problem = read_frame(&query(), reply).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
