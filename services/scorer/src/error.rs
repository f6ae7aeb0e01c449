//! What can go wrong while scoring, and what it means to the caller.

use foretide_api::{ErrorCode, ServiceError};
use foretide_db::DbError;
use foretide_domain::{ForecastId, RunId, SeriesId, UseCaseId};
use foretide_forecasting::ForecastError;
use foretide_lake::LakeError;
use foretide_onnx::OnnxError;

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScoreError {
    #[error("use case {0} is not declared")]
    UnknownUseCase(UseCaseId),
    #[error("use case {0} is no forecast: only forecasts are scored here")]
    NotAForecast(UseCaseId),
    #[error(
        "run {run_id} has already forecast {use_case} as of another moment or for another horizon; use a new run id"
    )]
    RunTaken { run_id: RunId, use_case: UseCaseId },
    #[error(
        "{use_case} watches the forecast of {of}, which run {run_id} has not made: score {of} in the same run first"
    )]
    NotForecastYet {
        use_case: UseCaseId,
        of: UseCaseId,
        run_id: RunId,
    },
    #[error("there is no forecast of {0} yet")]
    NoForecast(UseCaseId),
    #[error("there is no forecast {id} of {use_case}")]
    UnknownForecast { id: ForecastId, use_case: UseCaseId },
    #[error("forecast {forecast} has no series {series}")]
    UnknownSeries {
        forecast: ForecastId,
        series: SeriesId,
    },
    #[error(
        "horizon_hours must be at most {most}, which model version {version} was trained for; got {got}"
    )]
    HorizonTooLong { got: u32, most: usize, version: u32 },
    #[error(
        "ONNX Runtime is not installed, so no model can be run: run `foretide demo` once, which fetches it, or set ORT_DYLIB_PATH to libonnxruntime.so"
    )]
    NoOnnxRuntime,
    #[error("trainer: {message}")]
    Trainer { code: ErrorCode, message: String },
    #[error("feature store: {message}")]
    FeatureStore { code: ErrorCode, message: String },
    #[error("the scoring frame cannot be used: {0}")]
    BadFrame(String),
    #[error("{0}")]
    Forecast(#[from] ForecastError),
    #[error("the model answered with a value that is no count: {0}")]
    BadPrediction(String),
    #[error("{0}")]
    Onnx(#[from] OnnxError),
    #[error("{0}")]
    Lake(#[from] LakeError),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("the scoring was interrupted")]
    Interrupted,
}

impl ServiceError for ScoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownUseCase(_)
            | Self::NoForecast(_)
            | Self::UnknownForecast { .. }
            | Self::UnknownSeries { .. } => ErrorCode::NotFound,
            Self::RunTaken { .. } => ErrorCode::AlreadyExists,
            Self::HorizonTooLong { .. } => ErrorCode::InvalidArgument,
            Self::NotAForecast(_)
            | Self::NotForecastYet { .. }
            | Self::NoOnnxRuntime
            | Self::BadFrame(_)
            | Self::Onnx(_)
            | Self::Forecast(_) => ErrorCode::FailedPrecondition,
            // A use case without a champion has to be trained first.
            Self::Trainer {
                code: ErrorCode::NotFound,
                ..
            } => ErrorCode::FailedPrecondition,
            Self::Trainer { code, .. } | Self::FeatureStore { code, .. } => *code,
            Self::Lake(error) => lake_code(error),
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Database(_) | Self::BadPrediction(_) | Self::Interrupted => ErrorCode::Internal,
        }
    }
}

fn lake_code(error: &LakeError) -> ErrorCode {
    match error {
        LakeError::NotFound { .. }
        | LakeError::ChecksumMismatch { .. }
        | LakeError::Corrupt { .. }
        | LakeError::InvalidPath { .. }
        | LakeError::TooLarge { .. } => ErrorCode::FailedPrecondition,
        _ => ErrorCode::Unavailable,
    }
}
