//! What can be wrong with an artefact or the runtime.

use std::path::PathBuf;

use foretide_forecasting::ForecastError;

/// An artefact that cannot be written or run, or a runtime that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The shared library is not there.
    #[error(
        "no ONNX Runtime library at {0}: set ORT_DYLIB_PATH to libonnxruntime.so {version} or let the set-up fetch it",
        version = crate::library::VERSION
    )]
    LibraryMissing(PathBuf),
    /// The file is there but is not a fitting ONNX Runtime.
    #[error("{path} cannot be loaded as ONNX Runtime {version}: {reason}", path = .path.display(), version = crate::library::VERSION)]
    LibraryUnusable {
        /// Which file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// Another library is loaded already; a process can hold one only.
    #[error(
        "ONNX Runtime is already loaded from {loaded} and cannot be loaded again from {asked}: restart with one library",
        loaded = .loaded.display(), asked = .asked.display()
    )]
    AlreadyLoaded {
        /// What is loaded.
        loaded: PathBuf,
        /// What was asked for.
        asked: PathBuf,
    },
    /// Not protobuf, or cut off.
    #[error("the artefact is no ONNX model: {0}")]
    Corrupt(String),
    /// An ONNX model without our metadata, or with another signature.
    #[error("the ONNX model is not a forecaster of this kind: {0}")]
    Foreign(String),
    /// ONNX Runtime refused the graph.
    #[error("ONNX Runtime refuses the model: {0}")]
    Refused(String),
    /// ONNX Runtime failed while running.
    #[error("ONNX Runtime failed to predict: {0}")]
    Run(String),
    /// The outputs do not have the promised shape or values.
    #[error("the model's output {output:?} {problem}")]
    BadOutput {
        /// Which output.
        output: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The inputs do not fit the model.
    #[error(transparent)]
    Inputs(#[from] ForecastError),
}
