//! Training: from a training set to a registered, checked version.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use foretide_domain::{ModelKind, RunId, SharedClock, UseCase, UseCaseId};
use foretide_forecasting::{PanelModel, TrainOptions, TrainedPanel, TrainingPanel, train};
use foretide_lake::{Lake, LakeError};
use foretide_onnx::{OnnxForecaster, Runtime};
use foretide_outbox::Courier;
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::metrics;
use crate::model::{LedgerStatus, ModelVersion, NewVersion, SeriesModel, TrainingSet};
use crate::panel;
use crate::sources::TrainingSets;
use crate::storage::Store;

/// Largest relative difference between native and ONNX predictions of a version that is registered.
const MAX_RELATIVE_ERROR: f64 = 1e-5;

/// Told how far the training is: stage in plain words, units done, units in all.
pub(crate) type Progress = Arc<dyn Fn(&str, usize, usize) + Send + Sync>;

/// What the service can do.
pub(crate) struct Trainer {
    pub(crate) training_sets: Arc<dyn TrainingSets>,
    pub(crate) lake: Lake,
    pub(crate) store: Store,
    pub(crate) use_cases: Arc<Vec<UseCase>>,
    pub(crate) onnx_library: Option<PathBuf>,
    pub(crate) clock: SharedClock,
    pub(crate) ledger: Option<Courier>,
    /// A training takes the processor; a second one waits its turn, and so finds what the same run
    /// has made meanwhile.
    pub(crate) one_at_a_time: tokio::sync::Mutex<()>,
}

/// What a training asks for.
#[derive(Debug, Clone)]
pub(crate) struct TrainCommand {
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) as_of: DateTime<Utc>,
}

impl Trainer {
    /// Trains and registers, or finds the version that this run has made before.
    pub(crate) async fn train(
        &self,
        command: &TrainCommand,
        progress: Progress,
    ) -> Result<ModelVersion, TrainError> {
        let use_case = self.trained_use_case(&command.use_case)?;
        let _turn = self.one_at_a_time.lock().await;
        if let Some(made) = self.made_before(command).await? {
            return Ok(made);
        }
        let runtime = self.runtime()?;
        let began = Instant::now();
        progress("building the training set", 0, 0);
        let training_set = self
            .training_sets
            .training_set(command.run_id, &command.use_case, command.as_of)
            .await?;
        let panel = self.read_panel(&training_set, &command.use_case).await?;
        let history_hours = u32::try_from(panel.hours()).unwrap_or(u32::MAX);
        let horizon = use_case.horizon_hours;
        let (trained, panel) = backtest(panel, horizon, Arc::clone(&progress)).await?;
        progress("checking the ONNX artefact", 0, 0);
        let checked = check_artefact(runtime, trained.model, panel, horizon).await?;
        let (path, sha256) = self
            .keep_artefact(&command.use_case, checked.artefact)
            .await?;
        let version = NewVersion {
            use_case: command.use_case.clone(),
            run_id: command.run_id,
            trained_at: self.clock.now(),
            known_at: command.as_of,
            training_set,
            artefact_path: path,
            artefact_sha256: sha256,
            onnx_max_relative_error: checked.max_relative_error,
            history_hours,
            horizon_hours: horizon,
            series: trained
                .reports
                .iter()
                .map(|report| SeriesModel::of(report, horizon))
                .collect(),
        };
        let registered = self.store.register(&version).await?;
        if let Some(ledger) = &self.ledger {
            ledger.wake();
        }
        metrics::trained(&command.use_case, began.elapsed());
        tracing::info!(use_case = %command.use_case, run_id = %command.run_id, version = registered.version, series = registered.content.series.len(), "champion trained");
        Ok(registered)
    }

    fn declared(&self, id: &UseCaseId) -> Result<&UseCase, TrainError> {
        let found = self.use_cases.iter().find(|use_case| use_case.id == *id);
        found.ok_or_else(|| TrainError::UnknownUseCase(id.clone()))
    }

    fn trained_use_case(&self, id: &UseCaseId) -> Result<&UseCase, TrainError> {
        let use_case = self.declared(id)?;
        match use_case.model {
            ModelKind::Forecast => Ok(use_case),
            ModelKind::Periods => Err(TrainError::HasNoModel {
                use_case: id.clone(),
                of: use_case.modelled_by().clone(),
            }),
            ModelKind::Ranking => Err(TrainError::NotAForecast(id.clone())),
        }
    }

    async fn made_before(
        &self,
        command: &TrainCommand,
    ) -> Result<Option<ModelVersion>, TrainError> {
        let made = self
            .store
            .version_of_run(command.run_id, &command.use_case)
            .await?;
        match made {
            Some(made) if made.content.known_at != command.as_of => Err(TrainError::RunTaken {
                run_id: command.run_id,
                use_case: command.use_case.clone(),
            }),
            other => Ok(other),
        }
    }

    fn runtime(&self) -> Result<Runtime, TrainError> {
        let library = self
            .onnx_library
            .as_deref()
            .ok_or(TrainError::NoOnnxRuntime)?;
        Ok(Runtime::load(library)?)
    }

    async fn read_panel(
        &self,
        set: &TrainingSet,
        use_case: &UseCaseId,
    ) -> Result<TrainingPanel, TrainError> {
        let unusable = |problem: String| TrainError::BadTrainingSet {
            path: set.path.clone(),
            problem,
        };
        let frame = match self.lake.read_frame(&set.path, Some(&set.sha256)).await {
            Err(LakeError::InvalidPath { problem, .. }) => {
                return Err(unusable(problem.to_owned()));
            }
            other => other?,
        };
        panel::read(&frame, use_case).map_err(unusable)
    }

    async fn keep_artefact(
        &self,
        use_case: &UseCaseId,
        artefact: Vec<u8>,
    ) -> Result<(String, String), TrainError> {
        let sha256 = hex::encode(Sha256::digest(&artefact));
        let path = format!("artefacts/{use_case}/{sha256}.onnx");
        let stored = self
            .lake
            .put_immutable(&path, Bytes::from(artefact))
            .await?;
        Ok((stored.path, stored.sha256))
    }

    /// The version that a use case is served by: of its own model, or of that of the use case it
    /// watches.
    pub(crate) async fn champion(&self, use_case: &UseCaseId) -> Result<ModelVersion, TrainError> {
        let use_case = self.declared(use_case)?.modelled_by();
        let champion = self.store.champion(use_case).await?;
        champion.ok_or_else(|| TrainError::NoChampion(use_case.clone()))
    }

    /// One version.
    pub(crate) async fn version(
        &self,
        name: &UseCaseId,
        version: u32,
    ) -> Result<ModelVersion, TrainError> {
        let found = self.store.version(name, version).await?;
        found.ok_or_else(|| TrainError::NoVersion {
            name: name.to_string(),
            version,
        })
    }

    /// The newest versions, newest first.
    pub(crate) async fn versions(
        &self,
        use_case: &UseCaseId,
        limit: u32,
    ) -> Result<Vec<ModelVersion>, TrainError> {
        let use_case = self.declared(use_case)?.modelled_by();
        Ok(self.store.versions(use_case, limit).await?)
    }

    /// How far the ledger has got.
    pub(crate) async fn ledger_status(&self) -> Result<LedgerStatus, TrainError> {
        let ledger = self.store.ledger();
        let counts = ledger.counts(None).await?;
        let failing = ledger.first_failing().await?;
        Ok(LedgerStatus {
            pending: counts.waiting,
            delivered: counts.delivered,
            last_error: failing.and_then(|item| item.last_error),
        })
    }
}

/// Backtests on a blocking thread and gives the panel back.
async fn backtest(
    panel: TrainingPanel,
    horizon_hours: u32,
    progress: Progress,
) -> Result<(TrainedPanel, TrainingPanel), TrainError> {
    let work = move || {
        let options = TrainOptions {
            horizon_hours: horizon_hours as usize,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            ..TrainOptions::default()
        };
        let mut tell = |done: usize, total: usize| progress("backtesting series", done, total);
        let trained = train(&panel, &options, &mut tell)?;
        Ok((trained, panel))
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| TrainError::Interrupted)?
}

struct CheckedArtefact {
    artefact: Vec<u8>,
    max_relative_error: f64,
}

/// Writes the graph, loads it back and runs it beside the native formulas on the last horizon.
async fn check_artefact(
    runtime: Runtime,
    model: PanelModel,
    panel: TrainingPanel,
    horizon_hours: u32,
) -> Result<CheckedArtefact, TrainError> {
    let work = move || {
        let artefact = foretide_onnx::write(&model)?;
        let longest = panel
            .hours()
            .saturating_sub(168)
            .min(horizon_hours as usize);
        let frame =
            panel::last_horizon(&panel, longest).ok_or_else(|| TrainError::BadTrainingSet {
                path: "(read)".to_owned(),
                problem: "it is shorter than a week and an hour".to_owned(),
            })?;
        let inputs = model.schema.inputs(&frame)?;
        let native = model.predict(&inputs)?;
        let forecaster = OnnxForecaster::load(&runtime, &artefact)?;
        let difference = native.max_relative_difference(&forecaster.predict(&inputs)?);
        if difference.is_nan() || difference > MAX_RELATIVE_ERROR {
            return Err(TrainError::Disagreement {
                difference,
                allowed: MAX_RELATIVE_ERROR,
            });
        }
        Ok(CheckedArtefact {
            artefact,
            max_relative_error: difference,
        })
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| TrainError::Interrupted)?
}
