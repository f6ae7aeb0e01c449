//! Writes a panel model as an ONNX graph: the formulas of `foretide-forecasting`, for all rows at
//! once. Parameters are tables by series index; a row gathers its own.
//!
//! Inside the graph numbers of a row are vectors `[N]` and quantiles are `[5, N]`, because ONNX
//! Runtime is fast on long rows and slow on many short ones.

mod candidates;
mod tables;

use foretide_forecasting::{CandidateKind, PanelModel, PanelSchema};
use prost::Message;

use crate::error::OnnxError;
use crate::graph::{Element, Graph, Value};
use crate::metadata;
use crate::proto::{ModelProto, OperatorSetIdProto};
use candidates::Candidate;
use tables::Tables;

/// Names of the inputs.
pub(crate) mod inputs {
    use foretide_forecasting::PanelSchema;

    pub(crate) const SERIES: &str = "series";
    pub(crate) const HOUR_OF_WEEK: &str = "hour_of_week";
    pub(crate) const DAYS: &str = "days";
    pub(crate) const ISSUE_DAYS: &str = "issue_days";
    pub(crate) const LAG_WEEK: &str = "lag_week";
    pub(crate) const WEEK_LEVEL: &str = "week_level";
    pub(crate) const MONTH_LEVEL: &str = "month_level";
    pub(crate) const RECENT: &str = "recent";
    pub(crate) const REGRESSORS: &str = "regressors";

    /// The inputs that rows of this schema can fill.
    pub(crate) fn names(schema: &PanelSchema) -> Vec<&'static str> {
        let mut names = vec![
            SERIES,
            HOUR_OF_WEEK,
            DAYS,
            ISSUE_DAYS,
            LAG_WEEK,
            WEEK_LEVEL,
            MONTH_LEVEL,
            RECENT,
        ];
        if !schema.regressors.is_empty() {
            names.push(REGRESSORS);
        }
        names
    }
}

/// Names of the outputs.
pub(crate) mod outputs {
    pub(crate) const QUANTILES: &str = "quantiles";
    pub(crate) const MEAN: &str = "mean";
    pub(crate) const DRIVERS: &str = "drivers";
    pub(crate) const ALL: [&str; 3] = [QUANTILES, MEAN, DRIVERS];
}

const IR_VERSION: i64 = 9;
const OPSET_VERSION: i64 = 18;

/// Writes a model as a self-contained ONNX artefact. The same model gives the same bytes.
///
/// # Errors
/// When the model's schema and parameters do not fit each other.
pub fn write(model: &PanelModel) -> Result<Vec<u8>, OnnxError> {
    check(model)?;
    let mut panel = Panel::new(model);
    let (quantiles, mean, drivers) = panel.weighted_candidates();
    let quantiles = panel.calibrated(&quantiles);
    panel.graph.output(&quantiles, outputs::QUANTILES, 5);
    let mean = panel.graph.columns(&[mean]);
    panel.graph.output(&mean, outputs::MEAN, 1);
    let width = model.schema.drivers.len();
    panel.graph.output(&drivers, outputs::DRIVERS, width);
    let artefact = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("foretide".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        doc_string: Some(
            "Quantiles, mean and drivers of hourly counts, one row an hour".to_owned(),
        ),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET_VERSION),
        }],
        graph: Some(panel.graph.finish("foretide_panel")),
        metadata_props: metadata::entries(&model.schema),
        ..ModelProto::default()
    };
    Ok(artefact.encode_to_vec())
}

fn check(model: &PanelModel) -> Result<(), OnnxError> {
    let PanelSchema {
        series, regressors, ..
    } = &model.schema;
    let fits = series.len() == model.series.len()
        && !series.is_empty()
        && regressors.len() == model.regressors.len()
        && model.series.iter().all(|parameters| {
            [&parameters.additive, &parameters.multiplicative]
                .iter()
                .all(|structural| structural.effects.len() == regressors.len())
        });
    let problem = || OnnxError::Foreign("its schema and its parameters differ in size".to_owned());
    fits.then_some(()).ok_or_else(problem)
}

/// What the rows bring.
struct Rows {
    series: Value,
    hour_of_week: Value,
    hour_of_day: Value,
    days: Value,
    issue_days: Value,
    lag_week: Value,
    week_level: Value,
    month_level: Value,
    recent: Value,
    /// Distances of the regressors from their centres, `[N, R]`.
    distances: Option<Value>,
    /// Index of (series, part of the week).
    part: Value,
}

/// The graph of one model under construction.
struct Panel<'a> {
    model: &'a PanelModel,
    graph: Graph,
    rows: Rows,
}

impl<'a> Panel<'a> {
    fn new(model: &'a PanelModel) -> Self {
        let mut graph = Graph::default();
        let series = graph.input(inputs::SERIES, Element::Integer, None);
        let hour_of_week = graph.input(inputs::HOUR_OF_WEEK, Element::Integer, None);
        let mut number = |name| graph.input(name, Element::Double, None);
        let (days, issue_days) = (number(inputs::DAYS), number(inputs::ISSUE_DAYS));
        let lag_week = number(inputs::LAG_WEEK);
        let (week_level, month_level) = (number(inputs::WEEK_LEVEL), number(inputs::MONTH_LEVEL));
        let recent = graph.input(inputs::RECENT, Element::Double, Some(5));
        let recent = graph.apply("Transpose", &[&recent]);
        let distances = regressor_distances(&mut graph, model);
        let day = graph.integer(24);
        let hour_of_day = graph.apply("Mod", &[&hour_of_week, &day]);
        let part = part_index(&mut graph, &series, &hour_of_week);
        let rows = Rows {
            series,
            hour_of_week,
            hour_of_day,
            days,
            issue_days,
            lag_week,
            week_level,
            month_level,
            recent,
            distances,
            part,
        };
        Self { model, graph, rows }
    }

    /// Sum over the candidates that have weight anywhere: quantiles `[5, N]`, mean `[N]`, drivers
    /// `[N, D]`.
    fn weighted_candidates(&mut self) -> (Value, Value, Value) {
        let mut total: Option<(Value, Value, Value)> = None;
        for kind in CandidateKind::ALL {
            let weights = Tables(self.model).weights(kind);
            if weights.iter().all(|&weight| weight == 0.0) {
                continue;
            }
            let weight = self.by_series(&format!("{kind}.weight"), &weights);
            let Candidate {
                quantiles,
                mean,
                drivers,
            } = self.candidate(kind);
            let weight_column = self.graph.columns(std::slice::from_ref(&weight));
            let part = (
                self.graph.mul(&quantiles, &weight),
                self.graph.mul(&mean, &weight),
                self.graph.mul(&drivers, &weight_column),
            );
            total = Some(match total {
                None => part,
                Some(sum) => (
                    self.graph.add(&sum.0, &part.0),
                    self.graph.add(&sum.1, &part.1),
                    self.graph.add(&sum.2, &part.2),
                ),
            });
        }
        total.unwrap_or_else(|| self.silence())
    }

    /// A model in which no candidate has weight foresees nothing.
    fn silence(&mut self) -> (Value, Value, Value) {
        let zero = self.graph.number(0.0);
        let mean = self.graph.mul(&self.rows.days.clone(), &zero);
        let quantiles = self.graph.mul(&self.rows.recent.clone(), &zero);
        let drivers = self
            .graph
            .columns(&vec![mean.clone(); self.model.schema.drivers.len()]);
        (quantiles, mean, drivers)
    }

    /// The conformal correction and the repair outward from the median; `[5, N]` to `[N, 5]`.
    fn calibrated(&mut self, quantiles: &Value) -> Value {
        let tables = Tables(self.model);
        let (shift, floor) = (tables.calibration_shift(), tables.calibration_floor());
        let shift = self.by_series_of_five("calibration.shift", &shift);
        let floor = self.by_series("calibration.floor", &floor);
        let graph = &mut self.graph;
        let middle = graph.integer(2);
        let median = graph.gather(quantiles, &middle, 0);
        let difference = graph.sub(quantiles, &median);
        let distance = graph.apply("Abs", &[&difference]);
        let distance = graph.add(&distance, &floor);
        let correction = graph.mul(&shift, &distance);
        let moved = graph.add(quantiles, &correction);
        let zero = graph.number(0.0);
        let moved = graph.max(&moved, &zero);
        let mut level = |index: i64| {
            let index = graph.integer(index);
            graph.gather(&moved, &index, 0)
        };
        let [q0, q1, median, q3, q4] = [level(0), level(1), level(2), level(3), level(4)];
        let low_80 = graph.min(&q1, &median);
        let low_95 = graph.min(&q0, &low_80);
        let high_80 = graph.max(&q3, &median);
        let high_95 = graph.max(&q4, &high_80);
        graph.columns(&[low_95, low_80, median, high_80, high_95])
    }

    /// One number a series, gathered for each row.
    fn by_series(&mut self, name: &str, values: &[f64]) -> Value {
        let table = self.graph.table(name, &[values.len()], values);
        self.graph.gather(&table, &self.rows.series, 0)
    }

    /// Five numbers a series (`[5, S]`), gathered for each row to `[5, N]`.
    fn by_series_of_five(&mut self, name: &str, values: &[f64]) -> Value {
        let table = self.graph.table(name, &[5, values.len() / 5], values);
        self.graph.gather(&table, &self.rows.series, 1)
    }

    /// Five numbers for each series and part of the week, gathered for each row to `[5, N]`.
    fn by_part_of_week(&mut self, name: &str, values: &[f64]) -> Value {
        let table = self.graph.table(name, &[5, values.len() / 5], values);
        self.graph.gather(&table, &self.rows.part, 1)
    }

    /// One number for each series and hour (of the day or the week), gathered for each row.
    fn by_hour(&mut self, name: &str, hours: usize, values: &[f64]) -> Value {
        let table = self.graph.table(name, &[values.len()], values);
        let hour = if hours == 24 {
            &self.rows.hour_of_day
        } else {
            &self.rows.hour_of_week
        };
        let count = self.graph.integer(hours as i64);
        let first = self.graph.mul(&self.rows.series, &count);
        let index = self.graph.add(&first, hour);
        self.graph.gather(&table, &index, 0)
    }
}

/// Distances of the regressors from their centres, kept within what training has seen.
fn regressor_distances(graph: &mut Graph, model: &PanelModel) -> Option<Value> {
    let count = model.regressors.len();
    if count == 0 {
        return None;
    }
    let values = graph.input(inputs::REGRESSORS, Element::Double, Some(count));
    let column = |of: fn(&foretide_forecasting::RegressorRange) -> f64| -> Vec<f64> {
        model.regressors.iter().map(of).collect()
    };
    let low = graph.table("regressors.low", &[count], &column(|range| range.low));
    let high = graph.table("regressors.high", &[count], &column(|range| range.high));
    let centre = graph.table("regressors.centre", &[count], &column(|range| range.centre));
    let raised = graph.max(&values, &low);
    let kept = graph.min(&raised, &high);
    Some(graph.sub(&kept, &centre))
}

fn part_index(graph: &mut Graph, series: &Value, hour_of_week: &Value) -> Value {
    use foretide_forecasting::{HOURS_OF_WEEK, PARTS_OF_WEEK, part_of_week};
    let parts: Vec<i64> = (0..HOURS_OF_WEEK)
        .map(|hour| part_of_week(hour) as i64)
        .collect();
    let parts = graph.integers("part_of_week", &[HOURS_OF_WEEK], &parts);
    let part = graph.gather(&parts, hour_of_week, 0);
    let count = graph.integer(PARTS_OF_WEEK as i64);
    let first = graph.mul(series, &count);
    graph.add(&first, &part)
}
