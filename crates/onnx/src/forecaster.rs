//! Runs a panel model artefact.

use std::sync::{Mutex, PoisonError};

use foretide_forecasting::{PanelInputs, PanelPrediction, PanelSchema, STATE_CANDIDATES};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::Tensor;

use crate::error::OnnxError;
use crate::metadata::read_schema;
use crate::runtime::Runtime;
use crate::write::{STATE_PARTS, inputs, outputs};

/// A panel model artefact, ready to predict. One session on one thread: callers that want more run
/// several forecasters, or call one from several threads in turn.
pub struct OnnxForecaster {
    schema: PanelSchema,
    session: Mutex<Session>,
}

impl std::fmt::Debug for OnnxForecaster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxForecaster")
            .field("series", &self.schema.series.len())
            .finish()
    }
}

impl OnnxForecaster {
    /// Prepares an artefact.
    ///
    /// # Errors
    /// When the bytes are no ONNX model, not a model of this signature, or ONNX Runtime refuses
    /// the graph.
    pub fn load(runtime: &Runtime, artefact: &[u8]) -> Result<Self, OnnxError> {
        let schema = read_schema(artefact)?;
        let session = session(runtime, artefact)
            .map_err(|error| OnnxError::Refused(error.message().to_owned()))?;
        let needed = inputs::names(&schema);
        for input in session.inputs() {
            if !needed.contains(&input.name()) {
                return Err(OnnxError::Foreign(format!(
                    "it wants an input {:?}",
                    input.name()
                )));
            }
        }
        for output in outputs::ALL {
            if !session.outputs().iter().any(|found| found.name() == output) {
                return Err(OnnxError::Foreign(format!("it has no output {output:?}")));
            }
        }
        Ok(Self {
            schema,
            session: Mutex::new(session),
        })
    }

    /// What the model says about itself.
    #[must_use]
    pub fn schema(&self) -> &PanelSchema {
        &self.schema
    }

    /// Foresees every row.
    ///
    /// # Errors
    /// When a row does not fit the model, or ONNX Runtime fails or gives something that is no
    /// prediction.
    pub fn predict(&self, rows: &PanelInputs) -> Result<PanelPrediction, OnnxError> {
        rows.check(&self.schema)?;
        if rows.rows() == 0 {
            return Ok(PanelPrediction {
                quantiles: vec![],
                mean: vec![],
                drivers: vec![],
            });
        }
        let failed = |error: ort::Error| OnnxError::Run(error.message().to_owned());
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: Vec<_> = session
            .inputs()
            .iter()
            .map(|input| input.name().to_owned())
            .collect();
        let mut values = tensors(rows).map_err(failed)?;
        values.retain(|(name, _)| wanted.iter().any(|wanted| wanted == name));
        let outputs = session.run(values).map_err(failed)?;
        let quantiles = column(&outputs, outputs::QUANTILES, rows.rows() * 5)?;
        Ok(PanelPrediction {
            quantiles: quantiles.as_chunks().0.to_vec(),
            mean: column(&outputs, outputs::MEAN, rows.rows())?.to_vec(),
            drivers: column(
                &outputs,
                outputs::DRIVERS,
                rows.rows() * self.schema.drivers.len(),
            )?
            .to_vec(),
        })
    }
}

fn session(runtime: &Runtime, artefact: &[u8]) -> ort::Result<Session> {
    let mut builder = Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?;
    builder.commit_from_memory(artefact)
}

type NamedValue = (&'static str, SessionInputValue<'static>);

fn tensors(rows: &PanelInputs) -> ort::Result<Vec<NamedValue>> {
    let count = rows.rows();
    let numbers = |values: &[f64], width: usize| -> ort::Result<SessionInputValue<'static>> {
        let tensor = if width == 1 {
            Tensor::from_array(([count], values.to_vec()))?
        } else {
            Tensor::from_array(([count, width], values.to_vec()))?
        };
        Ok(tensor.into())
    };
    let indices = |values: &[i64]| -> ort::Result<SessionInputValue<'static>> {
        Ok(Tensor::from_array(([count], values.to_vec()))?.into())
    };
    let mut tensors = vec![
        (inputs::SERIES, indices(&rows.series)?),
        (inputs::HOUR_OF_WEEK, indices(&rows.hour_of_week)?),
        (inputs::BAND, indices(&rows.band)?),
        (inputs::DAYS, numbers(&rows.days, 1)?),
        (inputs::ISSUE_DAYS, numbers(&rows.issue_days, 1)?),
        (inputs::WEEK_LEVEL, numbers(&rows.week_level, 1)?),
        (inputs::MONTH_LEVEL, numbers(&rows.month_level, 1)?),
        (inputs::RECENT, numbers(rows.recent.as_flattened(), 5)?),
    ];
    let state = [count, STATE_CANDIDATES.len(), STATE_PARTS];
    let state_parts = rows.state_parts.as_flattened().to_vec();
    let state_parts = Tensor::from_array((state, state_parts))?;
    tensors.push((inputs::STATE_PARTS, state_parts.into()));
    if !rows.counts.is_empty() {
        let parts: Vec<f64> = rows.counts.iter().flat_map(|hour| hour.parts).collect();
        let quantiles: Vec<f64> = rows.counts.iter().flat_map(|hour| hour.quantiles).collect();
        tensors.push((inputs::COUNT_PARTS, numbers(&parts, STATE_PARTS)?));
        tensors.push((inputs::COUNT_QUANTILES, numbers(&quantiles, 5)?));
    }
    let mut matrix = |name, values: &[f64]| -> ort::Result<()> {
        if !values.is_empty() {
            let tensor = Tensor::from_array(([count, values.len() / count], values.to_vec()))?;
            tensors.push((name, tensor.into()));
        }
        Ok(())
    };
    matrix(inputs::FEATURES, &rows.features)?;
    matrix(inputs::REGRESSORS, &rows.regressors)?;
    Ok(tensors)
}

fn column<'o>(
    outputs: &'o SessionOutputs<'_>,
    output: &'static str,
    length: usize,
) -> Result<&'o [f64], OnnxError> {
    let bad = |problem: String| OnnxError::BadOutput { output, problem };
    let value = outputs
        .get(output)
        .ok_or_else(|| bad("is missing".to_owned()))?;
    let (_, values) = value
        .try_extract_tensor::<f64>()
        .map_err(|error| bad(format!("is no tensor of doubles: {}", error.message())))?;
    if values.len() != length {
        return Err(bad(format!(
            "has {} values, expected {length}",
            values.len()
        )));
    }
    if let Some(position) = values.iter().position(|value| !value.is_finite()) {
        return Err(bad(format!(
            "is {} at position {position}",
            values[position]
        )));
    }
    Ok(values)
}
