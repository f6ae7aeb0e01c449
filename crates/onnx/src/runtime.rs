//! ONNX Runtime, loaded once for the whole process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::error::OnnxError;

/// ONNX Runtime, loaded. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
}

struct Loaded {
    library: PathBuf,
    runtime: Runtime,
}

/// The library stays mapped until the process ends, so there is one, and it is remembered here.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

impl Runtime {
    /// Loads ONNX Runtime from a shared library. Loading the same file again gives the same
    /// runtime.
    ///
    /// # Errors
    /// When the file is missing, is no fitting ONNX Runtime, or another one is loaded already.
    pub fn load(library: &Path) -> Result<Self, OnnxError> {
        let missing = |_| OnnxError::LibraryMissing(library.to_path_buf());
        let asked = library.canonicalize().map_err(missing)?;
        if !asked.is_file() {
            return Err(OnnxError::LibraryMissing(asked));
        }
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = loaded.as_ref() {
            if loaded.library == asked {
                return Ok(loaded.runtime.clone());
            }
            return Err(OnnxError::AlreadyLoaded {
                loaded: loaded.library.clone(),
                asked,
            });
        }
        let unusable = |reason: String| OnnxError::LibraryUnusable {
            path: asked.clone(),
            reason,
        };
        let environment = ort::init_from(&asked)
            .map_err(|error| unusable(error.to_string()))?
            .with_telemetry(false)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        tracing::info!(library = %asked.display(), "loaded ONNX Runtime");
        let runtime = Self { environment };
        *loaded = Some(Loaded {
            library: asked,
            runtime: runtime.clone(),
        });
        Ok(runtime)
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}
