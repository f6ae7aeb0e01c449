//! Panel models as ONNX artefacts: written here, run by ONNX Runtime.
//!
//! [`write()`] turns a [`foretide_forecasting::PanelModel`] into a graph in double precision with the
//! model's schema as metadata, so that an artefact explains itself. [`Runtime::load`] loads ONNX
//! Runtime from a shared library (found or fetched by [`library`]), and [`OnnxForecaster`] runs an
//! artefact. Native and ONNX predictions of the same inputs agree to far better than 1e-5; the
//! trainer checks it before a version is registered.
//!
//! An artefact made elsewhere is served alike when it takes the same inputs, gives the same outputs
//! and carries the two metadata entries named in [`metadata`].

mod error;
mod forecaster;
mod graph;
pub mod library;
pub mod metadata;
mod proto;
mod runtime;
mod write;

pub use error::OnnxError;
pub use forecaster::OnnxForecaster;
pub use library::LibraryError;
pub use runtime::Runtime;
pub use write::write;
