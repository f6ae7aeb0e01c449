//! Champions in memory: read once, checked, kept until another one is champion.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use foretide_domain::UseCaseId;
use foretide_lake::Lake;
use foretide_onnx::{OnnxForecaster, Runtime};

use crate::error::ScoreError;
use crate::sources::Champion;

/// One session a use case: that of its last champion.
pub(crate) struct Sessions {
    lake: Lake,
    onnx_library: Option<PathBuf>,
    loaded: Mutex<HashMap<UseCaseId, Loaded>>,
}

struct Loaded {
    sha256: String,
    forecaster: Arc<OnnxForecaster>,
}

impl Sessions {
    pub(crate) fn new(lake: Lake, onnx_library: Option<PathBuf>) -> Self {
        Self {
            lake,
            onnx_library,
            loaded: Mutex::default(),
        }
    }

    /// The champion, ready to run. An artefact whose bytes do not fit the registered checksum is
    /// refused.
    pub(crate) async fn get(
        &self,
        use_case: &UseCaseId,
        champion: &Champion,
    ) -> Result<Arc<OnnxForecaster>, ScoreError> {
        if let Some(forecaster) = self.cached(use_case, &champion.artefact_sha256) {
            return Ok(forecaster);
        }
        let library = self.onnx_library.clone().ok_or(ScoreError::NoOnnxRuntime)?;
        let artefact = self
            .lake
            .get(&champion.artefact_path, Some(&champion.artefact_sha256))
            .await?;
        let load = move || {
            let runtime = Runtime::load(&library)?;
            OnnxForecaster::load(&runtime, &artefact)
        };
        let forecaster = tokio::task::spawn_blocking(load)
            .await
            .map_err(|_| ScoreError::Interrupted)??;
        let forecaster = Arc::new(forecaster);
        let loaded = Loaded {
            sha256: champion.artefact_sha256.clone(),
            forecaster: Arc::clone(&forecaster),
        };
        self.lock().insert(use_case.clone(), loaded);
        tracing::info!(%use_case, version = champion.version, sha256 = %champion.artefact_sha256, "champion loaded");
        Ok(forecaster)
    }

    fn cached(&self, use_case: &UseCaseId, sha256: &str) -> Option<Arc<OnnxForecaster>> {
        let loaded = self.lock();
        let found = loaded
            .get(use_case)
            .filter(|loaded| loaded.sha256 == sha256)?;
        Some(Arc::clone(&found.forecaster))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UseCaseId, Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
