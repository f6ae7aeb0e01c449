//! One model for all series of a use case, as a weighted sum of candidates.
//!
//! For a row of series `s`: quantiles = sum over candidates `c` of `weight[s, c] * q_c`, calibrated
//! and repaired. Today the weights are one-hot (the champion); an ensemble is other weights, not
//! another shape. The same formulas stand as an ONNX graph in `foretide-onnx`.

use crate::calibration::Calibration;
use crate::candidate::CandidateKind;
use crate::climatology::Climatology;
use crate::error::ForecastError;
use crate::schema::{PanelInputs, PanelSchema, RESERVED_DRIVERS};
use crate::spread::PartSpread;
use crate::structural::{Link, Structural};

/// Range and centre of a regressor in training. Values outside the range are taken as its end: a
/// model does not extrapolate an effect it has not seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegressorRange {
    /// Value without effect: the median in training.
    pub centre: f64,
    /// Smallest value in training.
    pub low: f64,
    /// Largest value in training.
    pub high: f64,
}

/// Everything the model knows about one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesParameters {
    /// Weights of the candidates, in the order of [`CandidateKind::ALL`]; they sum to one.
    pub weights: [f64; 4],
    /// Residual quantiles around the same hour of last week.
    pub seasonal_naive: PartSpread,
    /// Level x profile x ratios.
    pub climatology: Climatology,
    /// Trend and seasons added up.
    pub additive: Structural,
    /// Trend and seasons multiplied.
    pub multiplicative: Structural,
    /// Conformal correction of the weighted quantiles.
    pub calibration: Calibration,
}

/// A trained model of all series of a use case.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelModel {
    /// What the model says about itself.
    pub schema: PanelSchema,
    /// Ranges of the regressors, in the schema's order.
    pub regressors: Vec<RegressorRange>,
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
pub(crate) struct Row<'a> {
    pub(crate) days: f64,
    pub(crate) issue_days: f64,
    pub(crate) hour_of_week: usize,
    pub(crate) regressors: &'a [f64],
    pub(crate) lag_week: f64,
    pub(crate) week_level: f64,
    pub(crate) month_level: f64,
    pub(crate) recent: [f64; 5],
}

/// What one candidate says about one row. `parts` are the reserved drivers; together with the
/// effects of the regressors they sum to the mean.
pub(crate) struct CandidateForecast {
    pub(crate) mean: f64,
    pub(crate) quantiles: [f64; 5],
    pub(crate) parts: [f64; RESERVED_DRIVERS.len()],
    /// Contribution of one unit of effect of a regressor; zero for candidates without regressors.
    pub(crate) per_effect: f64,
}

impl SeriesParameters {
    pub(crate) fn candidate(
        &self,
        kind: CandidateKind,
        row: &Row<'_>,
        ranges: &[RegressorRange],
    ) -> CandidateForecast {
        match kind {
            CandidateKind::SeasonalNaive => self.naive(row),
            CandidateKind::Climatology => self.climatology.forecast(row),
            CandidateKind::ProphetAdditive => self.additive.forecast(Link::Identity, row, ranges),
            CandidateKind::ProphetMultiplicative => {
                self.multiplicative.forecast(Link::Log, row, ranges)
            }
        }
    }

    fn naive(&self, row: &Row<'_>) -> CandidateForecast {
        let season = row.lag_week - row.week_level;
        CandidateForecast {
            mean: row.lag_week,
            quantiles: self.seasonal_naive.around(row.lag_week, row.hour_of_week),
            parts: [row.week_level, 0.0, 0.0, season, 0.0, 0.0],
            per_effect: 0.0,
        }
    }

    fn effects(&self, kind: CandidateKind) -> Option<&[f64]> {
        match kind {
            CandidateKind::ProphetAdditive => Some(&self.additive.effects),
            CandidateKind::ProphetMultiplicative => Some(&self.multiplicative.effects),
            CandidateKind::SeasonalNaive | CandidateKind::Climatology => None,
        }
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
        for index in 0..inputs.rows() {
            let row = inputs.row(index, self.regressors.len());
            let parameters = &self.series[inputs.series[index] as usize];
            let drivers = &mut prediction.drivers[index * width..(index + 1) * width];
            let (mean, quantiles) = self.predict_row(parameters, &row, drivers);
            prediction.mean.push(mean);
            prediction.quantiles.push(quantiles);
        }
        Ok(prediction)
    }

    fn predict_row(
        &self,
        parameters: &SeriesParameters,
        row: &Row<'_>,
        drivers: &mut [f64],
    ) -> (f64, [f64; 5]) {
        let (mut mean, mut quantiles) = (0.0, [0.0; 5]);
        for kind in CandidateKind::ALL {
            let weight = parameters.weights[kind.index()];
            if weight == 0.0 {
                continue;
            }
            let forecast = parameters.candidate(kind, row, &self.regressors);
            mean += weight * forecast.mean;
            for (sum, quantile) in quantiles.iter_mut().zip(forecast.quantiles) {
                *sum += weight * quantile;
            }
            let (reserved, calendar) = drivers.split_at_mut(RESERVED_DRIVERS.len());
            for (sum, part) in reserved.iter_mut().zip(forecast.parts) {
                *sum += weight * part;
            }
            let effects = parameters.effects(kind).unwrap_or_default();
            for (index, effect) in effects.iter().enumerate() {
                let unit = self.regressors[index].distance(row.regressors[index]);
                calendar[index] += weight * forecast.per_effect * effect * unit;
            }
        }
        (mean, parameters.calibration.apply(quantiles))
    }
}

impl RegressorRange {
    /// Distance from the centre, kept within what training has seen.
    pub(crate) fn distance(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high) - self.centre
    }
}

impl PanelInputs {
    fn row(&self, index: usize, regressors: usize) -> Row<'_> {
        Row {
            days: self.days[index],
            issue_days: self.issue_days[index],
            hour_of_week: self.hour_of_week[index] as usize,
            regressors: &self.regressors[index * regressors..(index + 1) * regressors],
            lag_week: self.lag_week[index],
            week_level: self.week_level[index],
            month_level: self.month_level[index],
            recent: self.recent[index],
        }
    }
}
