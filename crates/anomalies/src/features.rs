//! The views of the series in which an anomaly may show, each with its own reference.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::observation::Reason;
use crate::robust::median;
use crate::tail::Tail;

const SHORT: usize = 20;
const LONG: usize = 80;

/// One number an observation about the last points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feature {
    Value,
    Mean,
    Median,
    AboveMedian,
    ShortSpread,
    LongSpread,
    Unchanged,
    Residual,
    MeanResidual,
}

/// Those that need no prediction.
const OF_VALUES: [Feature; 7] = [
    Feature::Value,
    Feature::Mean,
    Feature::Median,
    Feature::AboveMedian,
    Feature::ShortSpread,
    Feature::LongSpread,
    Feature::Unchanged,
];
/// Those that every predictor has.
const OF_RESIDUALS: [Feature; 2] = [Feature::Residual, Feature::MeanResidual];
/// The place of the residual itself among them.
const RESIDUAL: usize = 0;

impl Feature {
    /// What it means to be above and to be below what was seen before.
    fn reasons(self) -> (Reason, Reason) {
        match self {
            Self::Value => (Reason::HighValue, Reason::LowValue),
            Self::Mean | Self::Median => (Reason::LevelUp, Reason::LevelDown),
            Self::AboveMedian => (Reason::JumpUp, Reason::JumpDown),
            Self::ShortSpread | Self::LongSpread => (Reason::Unsteady, Reason::Still),
            Self::Unchanged => (Reason::Flatline, Reason::Changing),
            Self::Residual => (Reason::AboveExpected, Reason::BelowExpected),
            Self::MeanResidual => (Reason::StaysAboveExpected, Reason::StaysBelowExpected),
        }
    }

    /// The feature of a window that ends now, or nothing while the window is not full.
    fn measure(self, window: &VecDeque<f64>) -> Option<f64> {
        match self {
            Self::Value | Self::Residual => window.back().copied(),
            Self::Mean | Self::MeanResidual => mean(window, SHORT),
            Self::Median => median(last_points(window, SHORT)?),
            Self::AboveMedian => above_median(window, LONG),
            Self::ShortSpread => spread(window, SHORT),
            Self::LongSpread => spread(window, LONG),
            Self::Unchanged => Some(unchanged(window)),
        }
    }
}

/// How rare one feature is, and why that would matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    pub(crate) surprise: f64,
    pub(crate) reason: Reason,
}

impl Finding {
    fn rarer(self, other: Self) -> Self {
        if other.surprise > self.surprise {
            return other;
        }
        self
    }
}

/// The last points of the series or of one predictor's residuals, with the features' references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct View {
    window: VecDeque<f64>,
    references: Vec<Tail>,
}

impl View {
    fn new(features: &[Feature], history_points: usize) -> Self {
        Self {
            window: VecDeque::new(),
            references: vec![Tail::new(history_points); features.len()],
        }
    }

    /// How rare each feature is now, on its rarer side, judged by what was seen before; then
    /// learns it.
    fn observe(&mut self, features: &[Feature], value: f64) -> Vec<Option<Finding>> {
        if self.window.len() == LONG + 1 {
            self.window.pop_front();
        }
        self.window.push_back(value);
        let mut findings = Vec::with_capacity(features.len());
        for (feature, reference) in features.iter().zip(&mut self.references) {
            let finding = feature.measure(&self.window).map(|now| {
                let surprise = reference.surprise(now);
                reference.push(now);
                let (above, below) = feature.reasons();
                let finding = |surprise, reason| Finding { surprise, reason };
                finding(surprise.above, above).rarer(finding(surprise.below, below))
            });
            findings.push(finding);
        }
        findings
    }
}

/// All views of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Features {
    values: View,
    residuals: Vec<View>,
}

impl Features {
    pub(crate) fn new(predictors: usize, history_points: usize) -> Self {
        Self {
            values: View::new(&OF_VALUES, history_points),
            residuals: vec![View::new(&OF_RESIDUALS, history_points); predictors],
        }
    }

    /// Where 99% of a predictor's residuals were; nothing while there are none.
    pub(crate) fn usual_residuals(&self, predictor: usize) -> Option<(f64, f64)> {
        let reference = &self.residuals[predictor].references[RESIDUAL];
        Some((reference.quantile(0.005)?, reference.quantile(0.995)?))
    }

    /// What is rare now: a finding for each feature of the values, and one for each feature of the
    /// residuals, of the predictor it is rarest for. (One finding a feature, since predictors agree
    /// more often than not, and one view must not count thrice.)
    pub(crate) fn observe(&mut self, value: f64, residuals: &[Option<f64>]) -> Vec<Finding> {
        let mut findings = self.values.observe(&OF_VALUES, value);
        let mut rarest = [None; OF_RESIDUALS.len()];
        for (view, residual) in self.residuals.iter_mut().zip(residuals) {
            let Some(residual) = residual else { continue };
            for (rarest, found) in rarest
                .iter_mut()
                .zip(view.observe(&OF_RESIDUALS, *residual))
            {
                *rarest = match (*rarest, found) {
                    (Some(one), Some(other)) => Some(Finding::rarer(one, other)),
                    (one, other) => one.or(other),
                };
            }
        }
        findings.extend(rarest);
        findings.into_iter().flatten().collect()
    }
}

/// The last `points`, or nothing if there are not that many.
fn last_points(window: &VecDeque<f64>, points: usize) -> Option<impl Iterator<Item = f64> + '_> {
    let start = window.len().checked_sub(points)?;
    Some(window.range(start..).copied())
}

fn mean(window: &VecDeque<f64>, points: usize) -> Option<f64> {
    Some(last_points(window, points)?.sum::<f64>() / points as f64)
}

/// Standard deviation.
fn spread(window: &VecDeque<f64>, points: usize) -> Option<f64> {
    let mean = mean(window, points)?;
    let squares: f64 = last_points(window, points)?
        .map(|value| (value - mean).powi(2))
        .sum();
    Some((squares / points as f64).sqrt())
}

/// The last value less the median of the `points` before it.
fn above_median(window: &VecDeque<f64>, points: usize) -> Option<f64> {
    let last = window.back()?;
    let before = last_points(window, points + 1)?.take(points);
    Some(last - median(before)?)
}

/// How many of the last points, without a break, were what the last one is.
fn unchanged(window: &VecDeque<f64>) -> f64 {
    let mut backwards = window.iter().rev();
    let last = backwards.next();
    backwards.take_while(|value| Some(*value) == last).count() as f64
}
