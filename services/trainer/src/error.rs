//! What can go wrong while training, and what it means to the caller.

use foretide_api::{ErrorCode, ServiceError};
use foretide_db::DbError;
use foretide_domain::{RunId, UseCaseId};
use foretide_forecasting::ForecastError;
use foretide_lake::LakeError;
use foretide_onnx::OnnxError;

/// Why there is no model version.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainError {
    #[error("use case {0} is not declared")]
    UnknownUseCase(UseCaseId),
    #[error("use case {0} is no forecast: only forecasts are trained here")]
    NotAForecast(UseCaseId),
    #[error(
        "use case {use_case} has no model of its own: it watches the forecast of {of}, so train {of}"
    )]
    HasNoModel { use_case: UseCaseId, of: UseCaseId },
    #[error("run {run_id} has already trained {use_case} as of another moment; use a new run id")]
    RunTaken { run_id: RunId, use_case: UseCaseId },
    #[error("{0} has no model version yet: train it first")]
    NoChampion(UseCaseId),
    #[error("model {name} has no version {version}")]
    NoVersion { name: String, version: u32 },
    #[error(
        "ONNX Runtime is not installed, so no model can be checked: run `foretide demo` once, which fetches it, or set ORT_DYLIB_PATH to libonnxruntime.so"
    )]
    NoOnnxRuntime,
    #[error("feature store: {message}")]
    FeatureStore { code: ErrorCode, message: String },
    #[error("training set {path} cannot be used: {problem}")]
    BadTrainingSet { path: String, problem: String },
    #[error("{0}")]
    Forecast(#[from] ForecastError),
    #[error("{0}")]
    Onnx(#[from] OnnxError),
    #[error(
        "native and ONNX predictions differ by {difference:e} relative, allowed is {allowed:e}: the version is not registered"
    )]
    Disagreement { difference: f64, allowed: f64 },
    #[error("{0}")]
    Lake(#[from] LakeError),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("the training was interrupted")]
    Interrupted,
}

impl ServiceError for TrainError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownUseCase(_) | Self::NoChampion(_) | Self::NoVersion { .. } => {
                ErrorCode::NotFound
            }
            Self::RunTaken { .. } => ErrorCode::AlreadyExists,
            Self::NotAForecast(_)
            | Self::HasNoModel { .. }
            | Self::NoOnnxRuntime
            | Self::BadTrainingSet { .. }
            | Self::Onnx(_)
            | Self::Forecast(_) => ErrorCode::FailedPrecondition,
            Self::FeatureStore { code, .. } => *code,
            Self::Lake(error) => lake_code(error),
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Database(_) | Self::Disagreement { .. } | Self::Interrupted => {
                ErrorCode::Internal
            }
        }
    }
}

fn lake_code(error: &LakeError) -> ErrorCode {
    match error {
        LakeError::NotFound { .. }
        | LakeError::ChecksumMismatch { .. }
        | LakeError::Corrupt { .. }
        | LakeError::TooLarge { .. } => ErrorCode::FailedPrecondition,
        _ => ErrorCode::Unavailable,
    }
}
