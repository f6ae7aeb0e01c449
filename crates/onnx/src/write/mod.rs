//! Writes a panel model as an ONNX graph: the formulas of `foretide-forecasting`, for all rows at
//! once. Parameters are tables by series index; a row gathers its own. What needs a pass over
//! history (the state step, the features of the trees) comes in as columns of the rows.
//!
//! Inside the graph numbers of a row are vectors `[N]` and quantiles are `[5, N]`, because ONNX
//! Runtime is fast on long rows and slow on many short ones.

mod candidates;
mod counts;
mod events;
mod quantiles;
mod tables;
mod trees;

use foretide_forecasting::{
    CandidateKind, PanelModel, PanelSchema, RESERVED_DRIVERS, STATE_CANDIDATES, TABLE_CANDIDATES,
};
use prost::Message;

use crate::error::OnnxError;
use crate::graph::{Element, Graph, Value};
use crate::metadata;
use crate::proto::{ModelProto, OperatorSetIdProto};
use candidates::{Candidate, ClimateLevel};
use tables::Tables;

/// Names of the inputs.
pub(crate) mod inputs {
    use foretide_forecasting::PanelSchema;

    pub(crate) const SERIES: &str = "series";
    pub(crate) const HOUR_OF_WEEK: &str = "hour_of_week";
    pub(crate) const BAND: &str = "band";
    pub(crate) const DAYS: &str = "days";
    pub(crate) const ISSUE_DAYS: &str = "issue_days";
    pub(crate) const STATE_PARTS: &str = "state_parts";
    pub(crate) const FEATURES: &str = "features";
    pub(crate) const COUNT_PARTS: &str = "count_parts";
    pub(crate) const COUNT_QUANTILES: &str = "count_quantiles";
    pub(crate) const WEEK_LEVEL: &str = "week_level";
    pub(crate) const MONTH_LEVEL: &str = "month_level";
    pub(crate) const RECENT: &str = "recent";
    pub(crate) const REGRESSORS: &str = "regressors";

    /// The inputs that rows of this schema can fill.
    pub(crate) fn names(schema: &PanelSchema) -> Vec<&'static str> {
        let mut names = vec![
            SERIES,
            HOUR_OF_WEEK,
            BAND,
            DAYS,
            ISSUE_DAYS,
            STATE_PARTS,
            WEEK_LEVEL,
            MONTH_LEVEL,
            RECENT,
        ];
        if schema.has_counts() {
            names.extend([COUNT_PARTS, COUNT_QUANTILES]);
        }
        if schema.trees {
            names.push(FEATURES);
        }
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

/// Numbers of a state candidate in a row: level, trend, daily season, weekly season.
pub(crate) const STATE_PARTS: usize = 4;

/// Writes a model as a self-contained ONNX artefact. The same model gives the same bytes.
///
/// # Errors
/// When the model's schema and parameters do not fit each other.
pub fn write(model: &PanelModel) -> Result<Vec<u8>, OnnxError> {
    check(model)?;
    let mut panel = Panel::new(model);
    let (quiet, drivers) = panel.weighted_candidates();
    let quantiles = panel.quantiles(&quiet);
    let (quiet, drivers, quantiles) = panel.with_counts(quiet, drivers, quantiles);
    let (mean, quantiles, drivers) = panel.with_events(quiet, quantiles, &drivers);
    let quantiles = panel.graph.apply("Transpose", &[&quantiles]);
    panel.graph.output(&quantiles, outputs::QUANTILES, 5);
    let mean = panel.graph.columns(&[mean]);
    panel.graph.output(&mean, outputs::MEAN, 1);
    let width = model.schema.drivers.len();
    panel.graph.output(&drivers, outputs::DRIVERS, width);
    let operators = |domain: &str, version| OperatorSetIdProto {
        domain: Some(domain.to_owned()),
        version: Some(version),
    };
    let artefact = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("foretide".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        doc_string: Some(
            "Quantiles, mean and drivers of hourly counts, one row an hour".to_owned(),
        ),
        opset_import: vec![
            operators("", OPSET_VERSION),
            operators(trees::DOMAIN, trees::DOMAIN_VERSION),
        ],
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
        && model.schema.trees == model.trees.is_some()
        && regressors.len() == model.schema.regressor_ranges.len()
        && series.len() == model.schema.effects.len()
        && model
            .schema
            .effects
            .iter()
            .all(|effects| effects.len() == regressors.len());
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
    /// `[N, candidates, parts]`
    state_parts: Value,
    week_level: Value,
    month_level: Value,
    recent: Value,
    /// Distances of the regressors from their centres, `[N, R]`.
    distances: Option<Value>,
    /// Index of (series, part of the week).
    part: Value,
    /// Index of (series, horizon band).
    band: Value,
}

/// The graph of one model under construction.
struct Panel<'a> {
    model: &'a PanelModel,
    graph: Graph,
    rows: Rows,
    /// What the point and the quantiles of climatology share, once it is there.
    climate: Option<ClimateLevel>,
}

impl<'a> Panel<'a> {
    fn new(model: &'a PanelModel) -> Self {
        use foretide_forecasting::HORIZON_BANDS;
        let mut graph = Graph::default();
        let series = graph.input(inputs::SERIES, Element::Integer, &[]);
        let hour_of_week = graph.input(inputs::HOUR_OF_WEEK, Element::Integer, &[]);
        let band = graph.input(inputs::BAND, Element::Integer, &[]);
        let mut number = |name| graph.input(name, Element::Double, &[]);
        let (days, issue_days) = (number(inputs::DAYS), number(inputs::ISSUE_DAYS));
        let (week_level, month_level) = (number(inputs::WEEK_LEVEL), number(inputs::MONTH_LEVEL));
        let state = [STATE_CANDIDATES.len(), STATE_PARTS];
        let state_parts = graph.input(inputs::STATE_PARTS, Element::Double, &state);
        let recent = graph.input(inputs::RECENT, Element::Double, &[5]);
        let recent = graph.apply("Transpose", &[&recent]);
        let distances = regressor_distances(&mut graph, model);
        let day = graph.integer(24);
        let hour_of_day = graph.apply("Mod", &[&hour_of_week, &day]);
        let part = part_index(&mut graph, &series, &hour_of_week);
        let band = index_of_pair(&mut graph, &series, HORIZON_BANDS, &band);
        let rows = Rows {
            series,
            hour_of_week,
            hour_of_day,
            days,
            issue_days,
            state_parts,
            week_level,
            month_level,
            recent,
            distances,
            part,
            band,
        };
        Self {
            model,
            graph,
            rows,
            climate: None,
        }
    }

    /// Sum over the candidates by their weights, those that have any: mean `[N]` without events,
    /// reserved drivers `[N, 6]`.
    fn weighted_candidates(&mut self) -> (Value, Value) {
        let mut total = self.state_candidates();
        for kind in TABLE_CANDIDATES {
            let weights = Tables(self.model).weights(kind);
            if weights.iter().any(|&weight| weight != 0.0) {
                let candidate = self.candidate(kind);
                total = self.with_candidate(&total, kind, &weights, &candidate);
            }
        }
        let weights = Tables(self.model).weights(CandidateKind::Trees);
        let have_weight = weights.iter().any(|&weight| weight != 0.0);
        if let Some(model) = self.model.trees.as_ref().filter(|_| have_weight) {
            let candidate = self.trees(model);
            total = self.with_candidate(&total, CandidateKind::Trees, &weights, &candidate);
        }
        let zero = self.graph.number(0.0);
        (self.graph.max(&total.0, &zero), total.1)
    }

    fn with_candidate(
        &mut self,
        total: &(Value, Value),
        kind: CandidateKind,
        weights: &[f64],
        candidate: &Candidate,
    ) -> (Value, Value) {
        let weight = self.by_series(&format!("{kind}.weight"), weights);
        let graph = &mut self.graph;
        let column = graph.columns(std::slice::from_ref(&weight));
        let mean = graph.mul(&candidate.mean, &weight);
        let drivers = graph.mul(&candidate.drivers, &column);
        (graph.add(&total.0, &mean), graph.add(&total.1, &drivers))
    }

    /// The candidates that come in as columns of parts.
    fn state_candidates(&mut self) -> (Value, Value) {
        let weights = Tables(self.model).state_weights();
        let dims = [self.model.series.len(), STATE_CANDIDATES.len(), 1];
        let graph = &mut self.graph;
        let table = graph.table("state.weights", &dims, &weights);
        let weight = graph.gather(&table, &self.rows.series, 0);
        let weighted = graph.mul(&self.rows.state_parts, &weight);
        let axis = graph.integers_once("candidate_axis", &[1]);
        let parts = graph.apply_with("ReduceSum", &[&weighted, &axis], &[("keepdims", 0)]);
        let mean = graph.apply_with("ReduceSum", &[&parts, &axis], &[("keepdims", 0)]);
        let drivers = self.with_other_drivers(&parts);
        (mean, drivers)
    }

    /// Parts as drivers `[N, D]`; those of the other drivers are zero.
    fn with_other_drivers(&mut self, parts: &Value) -> Value {
        debug_assert!(RESERVED_DRIVERS.len() >= STATE_PARTS, "parts come first");
        let graph = &mut self.graph;
        let zero = graph.number(0.0);
        let none = graph.mul(&self.rows.days, &zero);
        let others = graph.columns(&vec![none; RESERVED_DRIVERS.len() - STATE_PARTS]);
        graph.apply_with("Concat", &[parts, &others], &[("axis", 1)])
    }

    /// One number a series, gathered for each row.
    fn by_series(&mut self, name: &str, values: &[f64]) -> Value {
        let table = self.graph.table(name, &[values.len()], values);
        self.graph.gather(&table, &self.rows.series, 0)
    }

    /// Five numbers for each place of an index (`[5, places]`), gathered for each row to `[5, N]`.
    fn five_by(&mut self, index: fn(&Rows) -> &Value, name: &str, values: &[f64]) -> Value {
        let table = self.graph.table(name, &[5, values.len() / 5], values);
        self.graph.gather(&table, index(&self.rows), 1)
    }

    /// One number for each series and hour (of the day or the week), gathered for each row.
    fn by_hour(&mut self, name: &str, hours: usize, values: &[f64]) -> Value {
        let table = self.graph.table(name, &[values.len()], values);
        let hour = if hours == 24 {
            &self.rows.hour_of_day
        } else {
            &self.rows.hour_of_week
        };
        let index = index_of_pair(&mut self.graph, &self.rows.series, hours, hour);
        self.graph.gather(&table, &index, 0)
    }
}

/// Distances of the regressors from their centres, kept within what training has seen.
fn regressor_distances(graph: &mut Graph, model: &PanelModel) -> Option<Value> {
    let ranges = &model.schema.regressor_ranges;
    let count = ranges.len();
    if count == 0 {
        return None;
    }
    let values = graph.input(inputs::REGRESSORS, Element::Double, &[count]);
    let column = |of: fn(&foretide_forecasting::RegressorRange) -> f64| -> Vec<f64> {
        ranges.iter().map(of).collect()
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
    index_of_pair(graph, series, PARTS_OF_WEEK, &part)
}

/// Place of (series, one of `count`) in a table that goes through the series.
fn index_of_pair(graph: &mut Graph, series: &Value, count: usize, one: &Value) -> Value {
    let count = graph.integer(count as i64);
    let first = graph.mul(series, &count);
    graph.add(&first, one)
}
