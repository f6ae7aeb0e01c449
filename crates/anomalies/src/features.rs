//! The views of the series in which an anomaly may show, each with its own reference.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::expectation::Expectations;
use crate::observation::Reason;
use crate::tail::Tail;

const SHORT: usize = 20;
const LONG: usize = 80;

/// One number an observation about the series' last points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feature {
    Value,
    Mean,
    ShortSpread,
    LongSpread,
    Unchanged,
    Residual,
    MeanResidual,
}

/// Those that need no prediction.
const OF_VALUES: [Feature; 5] = [
    Feature::Value,
    Feature::Mean,
    Feature::ShortSpread,
    Feature::LongSpread,
    Feature::Unchanged,
];
/// Those that every predictor has.
const OF_RESIDUALS: [Feature; 2] = [Feature::Residual, Feature::MeanResidual];

impl Feature {
    fn reasons(self) -> (Reason, Reason) {
        match self {
            Self::Value => (Reason::HighValue, Reason::LowValue),
            Self::Mean => (Reason::LevelUp, Reason::LevelDown),
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

    /// How rare each feature is now, judged by what was seen before; then learns it.
    fn observe(&mut self, features: &[Feature], value: f64) -> Vec<Finding> {
        if self.window.len() == LONG {
            self.window.pop_front();
        }
        self.window.push_back(value);
        let mut findings = Vec::with_capacity(2 * features.len());
        for (feature, reference) in features.iter().zip(&mut self.references) {
            let Some(now) = feature.measure(&self.window) else {
                continue;
            };
            let surprise = reference.surprise(now);
            reference.push(now);
            let (above, below) = feature.reasons();
            for (surprise, reason) in [(surprise.above, above), (surprise.below, below)] {
                findings.push(Finding { surprise, reason });
            }
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

    /// Forgets the last points, not the references: windows must not reach across a gap.
    pub(crate) fn start_anew(&mut self) {
        self.values.window.clear();
        for view in &mut self.residuals {
            view.window.clear();
        }
    }

    /// What is rare about the series now and about the residuals of the best predictor; the other
    /// predictors' residuals are learnt, in case one of them is the best one day.
    pub(crate) fn observe(&mut self, value: f64, expectations: &Expectations) -> Vec<Finding> {
        let mut findings = self.values.observe(&OF_VALUES, value);
        let best = expectations.best.map(|best| best.predictor);
        for (index, residual) in expectations.residuals.iter().enumerate() {
            let Some(residual) = residual else { continue };
            let found = self.residuals[index].observe(&OF_RESIDUALS, *residual);
            if best == Some(index) {
                findings.extend(found);
            }
        }
        findings
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

/// How many of the last points, without a break, were what the last one is.
fn unchanged(window: &VecDeque<f64>) -> f64 {
    let mut backwards = window.iter().rev();
    let last = backwards.next();
    backwards.take_while(|value| Some(*value) == last).count() as f64
}
