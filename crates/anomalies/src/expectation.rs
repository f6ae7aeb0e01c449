//! What the next value should be, and how far off that usually is.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::DetectorOptions;
use crate::robust::median;
use crate::season::SeasonalProfile;

/// Points of which the median is the level: a day of five-minute values.
const LEVEL_POINTS: usize = 288;
/// How fast a predictor's earlier errors are forgotten, per point.
const ERROR_MEMORY: f64 = 0.998;
/// What every predictor said of one point, and which to believe.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expectations {
    /// Value less prediction, a predictor each; nothing where it could not say.
    pub(crate) residuals: Vec<Option<f64>>,
    /// Nothing before the first value.
    pub(crate) best: Option<Expected>,
}

/// A prediction made before the value was known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    pub(crate) value: f64,
    /// Who said so: 0 is the level, the rest are seasons.
    pub(crate) predictor: usize,
}

/// Predicts by the level or by a season, whichever erred less lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Expectation {
    recent: VecDeque<f64>,
    profiles: Vec<SeasonalProfile>,
    /// Discounted absolute errors: of the level, then of each profile.
    errors: Vec<Option<f64>>,
}

impl Expectation {
    pub(crate) fn new(options: &DetectorOptions) -> Self {
        let profiles: Vec<_> = options
            .seasons
            .iter()
            .map(|season| SeasonalProfile::new(*season))
            .collect();
        Self {
            recent: VecDeque::new(),
            errors: vec![None; profiles.len() + 1],
            profiles,
        }
    }

    pub(crate) fn predictors(&self) -> usize {
        self.errors.len()
    }

    /// Predicts the value at `at`, then learns what it was.
    pub(crate) fn observe(&mut self, at: DateTime<Utc>, value: f64) -> Expectations {
        let level = median(self.recent.iter().copied());
        let predictions: Vec<Option<f64>> = std::iter::once(level)
            .chain(self.profiles.iter().map(|profile| profile.expect(at)))
            .collect();
        let best = self.choose(&predictions);
        self.learn(at, value, &predictions);
        let residual = |prediction: &Option<f64>| prediction.map(|prediction| value - prediction);
        let residuals: Vec<_> = predictions.iter().map(residual).collect();
        Expectations { residuals, best }
    }

    fn choose(&self, predictions: &[Option<f64>]) -> Option<Expected> {
        let mut best: Option<(usize, f64)> = None;
        for (index, prediction) in predictions.iter().enumerate() {
            let error = self.errors[index].unwrap_or(f64::INFINITY);
            if prediction.is_some() && best.is_none_or(|(_, least)| error < least) {
                best = Some((index, error));
            }
        }
        let (predictor, _) = best?;
        predictions[predictor].map(|value| Expected { value, predictor })
    }

    fn learn(&mut self, at: DateTime<Utc>, value: f64, predictions: &[Option<f64>]) {
        for (error, prediction) in self.errors.iter_mut().zip(predictions) {
            if let Some(prediction) = prediction {
                let now = (value - prediction).abs();
                *error = Some(match *error {
                    Some(before) => ERROR_MEMORY * before + (1.0 - ERROR_MEMORY) * now,
                    None => now,
                });
            }
        }
        if self.recent.len() == LEVEL_POINTS {
            self.recent.pop_front();
        }
        self.recent.push_back(value);
        for profile in &mut self.profiles {
            profile.learn(at, value);
        }
    }
}
