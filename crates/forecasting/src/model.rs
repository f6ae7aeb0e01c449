//! One model for all series of a use case: a weighted sum of candidates with intervals of its own.
//!
//! For a row of series `s`, `band` hours ahead: mean = sum over candidates `c` of `weight[s, c] *
//! point_c`, and quantiles = (1 - share[s]) * (mean + unit(mean) * misses[s, band]) + share[s] * the
//! calibrated quantiles of climatology. Mean and quantiles are then averaged with those of the count
//! mixture, by the share that it has in the series. Climatology and the Prophet kinds are computed
//! from tables; the other candidates come in as columns of parts, which [`crate::StateStep`] makes
//! from fresh history, and the count mixture as columns of parts and quantiles. All of them foresee the series as it would be without events; what the regressors say of
//! the hour then moves mean and quantiles by a factor. The same formulas stand as an ONNX graph in
//! `foretide-onnx`.

use crate::calibration::Calibration;
use crate::candidate::CandidateKind;
use crate::candidates::{STATE_CANDIDATES, point};
use crate::climatology::Climatology;
use crate::counts::CountForecast;
use crate::effects::with_events;
use crate::error::ForecastError;
use crate::intervals::Intervals;
use crate::schema::{PanelInputs, PanelSchema, RESERVED_DRIVERS};
use crate::structural::{Link, Structural};
use crate::trees::TreesModel;

/// Everything the model knows about one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesParameters {
    /// Weights of the candidates, in the order of [`CandidateKind::ALL`]. All but the count
    /// mixture's sum to one, unless that is one; it is the mixture's share in what is served, beside
    /// all others together.
    pub weights: [f64; CandidateKind::ALL.len()],
    /// Level x profile x ratios.
    pub climatology: Climatology,
    /// Trend and seasons added up.
    pub additive: Structural,
    /// Trend and seasons multiplied.
    pub multiplicative: Structural,
    /// Intervals around the weighted point.
    pub intervals: Intervals,
    /// Share of climatology's own quantiles in those served, 0 to 1.
    pub climatology_share: f64,
    /// Conformal correction of climatology's quantiles.
    pub calibration: Calibration,
}

/// What each candidate has in what is served, if anything; sums to one.
pub(crate) fn served_weights(
    weights: &[f64; CandidateKind::ALL.len()],
) -> Vec<(CandidateKind, f64)> {
    let counts = CandidateKind::CountMixture;
    let share = weights[counts.index()];
    let of = |(kind, weight)| {
        let rest = if kind == counts { 1.0 } else { 1.0 - share };
        (kind, rest * weight)
    };
    let all = CandidateKind::ALL.into_iter().zip(*weights).map(of);
    all.filter(|(_, weight)| *weight > 0.0).collect()
}

/// The candidates that are computed from a series' tables; all others come in as columns.
pub const TABLE_CANDIDATES: [CandidateKind; 3] = [
    CandidateKind::Climatology,
    CandidateKind::ProphetAdditive,
    CandidateKind::ProphetMultiplicative,
];

/// A trained model of all series of a use case.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelModel {
    /// What the model says about itself.
    pub schema: PanelSchema,
    /// Trees learned from all series, if there are enough hours for them.
    pub trees: Option<TreesModel>,
    /// Parameters of the series, in the schema's order.
    pub series: Vec<SeriesParameters>,
}

/// What a panel model foresees, row by row in the order of its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelPrediction {
    /// Quantiles at the five levels: never negative, never crossing.
    pub quantiles: Vec<[f64; 5]>,
    /// Expected counts.
    pub mean: Vec<f64>,
    /// Additive parts of the mean in the order of the schema's drivers, row by row. In every row
    /// they sum to the mean.
    pub drivers: Vec<f64>,
}

impl PanelPrediction {
    /// Largest difference to another prediction, relative to the larger of the two values. Values
    /// below a thousandth of their row's highest quantile are measured against that: so close to
    /// zero they are differences of large numbers. Infinite when the shapes differ or a value is
    /// not a number.
    #[must_use]
    pub fn max_relative_difference(&self, other: &Self) -> f64 {
        let same_shape = self.quantiles.len() == other.quantiles.len()
            && self.mean.len() == other.mean.len()
            && self.drivers.len() == other.drivers.len();
        if !same_shape {
            return f64::INFINITY;
        }
        let width = self.drivers.len() / self.mean.len().max(1);
        let rows = (0..self.mean.len()).map(|row| self.row_difference(other, row, width));
        rows.fold(0.0, f64::max)
    }

    fn row_difference(&self, other: &Self, row: usize, width: usize) -> f64 {
        let (quantiles, others) = (self.quantiles[row], other.quantiles[row]);
        let size = (quantiles[4].abs() / 1000.0).max(1e-9);
        let parts = row * width..(row + 1) * width;
        // The parts of a mean are judged by their weight in it.
        let part_size = size.max(self.mean[row].abs());
        let values = quantiles
            .into_iter()
            .zip(others)
            .chain([(self.mean[row], other.mean[row])]);
        let drivers = self.drivers[parts.clone()]
            .iter()
            .zip(&other.drivers[parts]);
        let all = values
            .map(|(a, b)| (a, b, size))
            .chain(drivers.map(|(&a, &b)| (a, b, part_size)));
        let difference = |(a, b, size): (f64, f64, f64)| {
            let difference = (a - b).abs() / a.abs().max(b.abs()).max(size);
            if difference.is_nan() {
                f64::INFINITY
            } else {
                difference
            }
        };
        all.map(difference).fold(0.0, f64::max)
    }
}

/// One row of inputs.
pub(crate) struct Row {
    pub(crate) days: f64,
    pub(crate) issue_days: f64,
    pub(crate) hour_of_week: usize,
    pub(crate) week_level: f64,
    pub(crate) month_level: f64,
    pub(crate) recent: [f64; 5],
}

/// What one table candidate says about one row. `parts` are the reserved drivers; they sum to the
/// mean.
pub(crate) struct CandidateForecast {
    pub(crate) mean: f64,
    pub(crate) parts: [f64; RESERVED_DRIVERS.len()],
}

impl SeriesParameters {
    pub(crate) fn candidate(&self, kind: CandidateKind, row: &Row) -> CandidateForecast {
        match kind {
            CandidateKind::ProphetAdditive => self.additive.forecast(Link::Identity, row),
            CandidateKind::ProphetMultiplicative => self.multiplicative.forecast(Link::Log, row),
            _ => self.climatology.forecast(row),
        }
    }

    /// Quantiles of a row without events whose weighted point is `mean`.
    pub(crate) fn quantiles(&self, mean: f64, band: usize, row: &Row) -> [f64; 5] {
        let own = self.intervals.around(mean, band);
        let share = self.climatology_share;
        if share == 0.0 {
            return own;
        }
        let climate = self.calibration.apply(self.climatology.quantiles(row));
        std::array::from_fn(|level| (1.0 - share) * own[level] + share * climate[level])
    }
}

impl PanelModel {
    /// Foresees every row natively. The ONNX artefact gives the same numbers.
    ///
    /// # Errors
    /// When a row does not fit the model.
    pub fn predict(&self, inputs: &PanelInputs) -> Result<PanelPrediction, ForecastError> {
        inputs.check(&self.schema)?;
        let width = self.schema.drivers.len();
        let mut prediction = PanelPrediction {
            quantiles: Vec::with_capacity(inputs.rows()),
            mean: Vec::with_capacity(inputs.rows()),
            drivers: vec![0.0; inputs.rows() * width],
        };
        let tree_counts = self.tree_counts(inputs);
        for index in 0..inputs.rows() {
            let row = inputs.row(index);
            let series = inputs.series[index] as usize;
            let parameters = &self.series[series];
            let drivers = &mut prediction.drivers[index * width..(index + 1) * width];
            let (reserved, calendar) = drivers.split_at_mut(RESERVED_DRIVERS.len());
            let trees = tree_counts.get(index).copied();
            let quiet = self.weighted_mean(parameters, inputs, (index, &row), trees, reserved);
            // Parts that cancel may leave a rounding error below zero.
            let quiet = quiet.max(0.0);
            let quantiles = parameters.quantiles(quiet, inputs.band[index] as usize, &row);
            let mut hour = (quiet, quantiles);
            if let Some(counts) = inputs.counts.get(index) {
                let share = parameters.weights[CandidateKind::CountMixture.index()];
                hour = mixed_with_counts(hour, counts, share, reserved);
            }
            let (quiet, quantiles) = hour;
            let values = &inputs.regressors[index * calendar.len()..][..calendar.len()];
            let effects = self.schema.effects_on(series);
            let (logarithm, mean) = effects.apply(quiet, values, calendar);
            prediction.mean.push(mean);
            prediction
                .quantiles
                .push(with_events(quantiles, logarithm.exp()));
        }
        Ok(prediction)
    }

    /// What the trees say of each row in which they weigh something, and zero of others; nothing
    /// where there are no trees.
    fn tree_counts(&self, inputs: &PanelInputs) -> Vec<f64> {
        let Some(trees) = &self.trees else {
            return vec![];
        };
        let is_wanted = |row: &usize| {
            let parameters = &self.series[inputs.series[*row] as usize];
            parameters.weights[CandidateKind::Trees.index()] > 0.0
        };
        let wanted: Vec<usize> = (0..inputs.rows()).filter(is_wanted).collect();
        let features = |&row: &usize| self.features(inputs, row);
        let rows: Vec<&[f64]> = wanted.iter().map(features).collect();
        let mut counts = vec![0.0; inputs.rows()];
        for (row, count) in wanted.into_iter().zip(trees.predict_each(&rows)) {
            counts[row] = count;
        }
        counts
    }

    fn features<'a>(&self, inputs: &'a PanelInputs, row: usize) -> &'a [f64] {
        let width = self.schema.feature_width();
        &inputs.features[row * width..(row + 1) * width]
    }

    /// `trees` is what they say of the row.
    fn weighted_mean(
        &self,
        parameters: &SeriesParameters,
        inputs: &PanelInputs,
        (index, row): (usize, &Row),
        trees: Option<f64>,
        reserved: &mut [f64],
    ) -> f64 {
        let mut mean = 0.0;
        for (kind, parts) in STATE_CANDIDATES.iter().zip(inputs.state_parts(index)) {
            let weight = parameters.weights[kind.index()];
            mean += weight * point(parts);
            for (sum, part) in reserved.iter_mut().zip(parts) {
                *sum += weight * part;
            }
        }
        for kind in TABLE_CANDIDATES {
            let weight = parameters.weights[kind.index()];
            if weight != 0.0 {
                let forecast = parameters.candidate(kind, row);
                mean += weight * forecast.mean;
                for (sum, part) in reserved.iter_mut().zip(forecast.parts) {
                    *sum += weight * part;
                }
            }
        }
        let weight = parameters.weights[CandidateKind::Trees.index()];
        if let (Some(count), true) = (trees, weight > 0.0) {
            let features = self.features(inputs, index);
            let parts = TreesModel::parts_of(count, features, row.week_level);
            for (sum, part) in reserved.iter_mut().zip(parts) {
                mean += weight * part;
                *sum += weight * part;
            }
        }
        mean
    }
}

/// Averages mean, quantiles and drivers of an hour with what the count mixture says of it.
fn mixed_with_counts(
    (mean, quantiles): (f64, [f64; 5]),
    counts: &CountForecast,
    share: f64,
    drivers: &mut [f64],
) -> (f64, [f64; 5]) {
    let mix = |other: f64, own: f64| (1.0 - share) * other + share * own;
    let parts = counts.parts.into_iter().chain(std::iter::repeat(0.0));
    for (driver, part) in drivers.iter_mut().zip(parts) {
        *driver = mix(*driver, part);
    }
    let level = |level: usize| mix(quantiles[level], counts.quantiles[level]);
    (mix(mean, counts.mean()), std::array::from_fn(level))
}

impl PanelInputs {
    fn row(&self, index: usize) -> Row {
        Row {
            days: self.days[index],
            issue_days: self.issue_days[index],
            hour_of_week: self.hour_of_week[index] as usize,
            week_level: self.week_level[index],
            month_level: self.month_level[index],
            recent: self.recent[index],
        }
    }
}
