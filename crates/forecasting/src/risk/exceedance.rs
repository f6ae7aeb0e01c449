//! How likely an hour exceeds a threshold: the forecast's own answer, corrected by what came of
//! such answers, and helped by what the history shows about this threshold.

use serde::{Deserialize, Serialize};

use super::quantile_function::QuantileFunction;
use crate::statistics::mean;
use crate::structural::solve;
use crate::week::HOURS_OF_WEEK;

/// Number of signals.
pub const SIGNALS: usize = 10;

/// Hours of history that signals look back: four weeks, beyond the horizon's own.
const WEEKS_BACK: usize = 4;
const DAYS_BACK: usize = 4;
/// Trailing means, hours.
const LEVELS: [usize; 3] = [24, 72, 168];

/// Added to both sides of a ratio to the threshold, as a share of it.
const RATIO_FLOOR: f64 = 0.02;

/// Probabilities nearer to certainty are not told apart.
const NEAREST: f64 = 1e-3;

/// Weights of the hour before, the hour itself and the hour after in a signal.
const SMOOTHING: [f64; 3] = [0.27, 0.46, 0.27];

/// What is known at an origin about one hour ahead and one threshold: the log odds that the
/// forecast gives, and logarithms of ratios to the threshold of the forecast's median, of the same
/// hour of the week in the last weeks, of the same hour of the last days, and of recent means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signals([f64; SIGNALS]);

impl Signals {
    /// Signals of the hour `ahead` (1 for the first after the known `history`). A history too short
    /// for a signal lets the mean of all of it stand for what is missing.
    #[must_use]
    pub fn new(forecast: &QuantileFunction, history: &[f64], ahead: usize, threshold: f64) -> Self {
        let chance = forecast.exceedance(threshold).clamp(NEAREST, 1.0 - NEAREST);
        let overall = mean(history);
        let ratio = |value: f64| {
            let floor = RATIO_FLOOR * threshold.max(f64::MIN_POSITIVE);
            ((value.max(0.0) + floor) / (threshold.max(0.0) + floor)).ln()
        };
        let hour = history.len() + ahead - 1;
        let at = |hours_back: usize| {
            let known = hour
                .checked_sub(hours_back)
                .and_then(|hour| history.get(hour));
            known.copied().unwrap_or(overall)
        };
        let around = |hours_back: usize| {
            // At the newest edge the hour after may not be known yet.
            let after = if hours_back > ahead {
                hours_back - 1
            } else {
                hours_back
            };
            SMOOTHING[0] * at(hours_back + 1)
                + SMOOTHING[1] * at(hours_back)
                + SMOOTHING[2] * at(after)
        };
        let first_week = ahead.div_ceil(HOURS_OF_WEEK).max(1);
        let weeks: [f64; WEEKS_BACK] =
            std::array::from_fn(|back| around((first_week + back) * HOURS_OF_WEEK));
        let first_day = ahead.div_ceil(24).max(1);
        let days: [f64; DAYS_BACK] = std::array::from_fn(|back| around((first_day + back) * 24));
        let recent = |hours: usize| ratio(mean(&history[history.len().saturating_sub(hours)..]));
        Self([
            (chance / (1.0 - chance)).ln(),
            ratio(forecast.at(0.5)),
            ratio(at(first_week * HOURS_OF_WEEK)),
            ratio(weeks[0]),
            ratio(weeks[1]),
            ratio(0.5 * (weeks[2] + weeks[3])),
            ratio(mean(&days)),
            recent(LEVELS[0]),
            recent(LEVELS[1]),
            recent(LEVELS[2]),
        ])
    }
}

/// Signals at an origin of the past, and what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Occasion {
    /// What was known.
    pub signals: Signals,
    /// Whether the hour exceeded the threshold.
    pub exceeded: bool,
}

/// From signals to a probability: a logistic regression on occasions of the past.
///
/// With the forecast's log odds alone it is Platt's calibration ("Probabilistic outputs for support
/// vector machines", 1999); the other signals enter as far as they foretell other stretches of time
/// than those they were learned from. A Gaussian prior holds it near the forecast's own answer, so that few occasions
/// change little.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExceedanceCalibration {
    intercept: f64,
    coefficients: [f64; SIGNALS],
}

impl Default for ExceedanceCalibration {
    /// The forecast's own answer.
    fn default() -> Self {
        let mut coefficients = [0.0; SIGNALS];
        coefficients[0] = 1.0;
        Self {
            intercept: 0.0,
            coefficients,
        }
    }
}

/// Fewest occasions of each kind that anything is learned from.
const FEWEST_OF_EACH: usize = 20;

/// Prior precision of the coefficient of the forecast's own log odds; of the intercept a hundredth.
const OWN_PRECISION: f64 = 2.0;

/// Choices of the prior precision of the other coefficients; the last leaves them out.
const PRECISIONS: [f64; 4] = [2.0, 30.0, 300.0, f64::INFINITY];

/// Most steps of a fit, and halvings of one.
const STEPS: usize = 25;
const HALVINGS: i32 = 12;

/// Stretches of time that these choices are judged on, each after learning from the others.
const STRETCHES: usize = 4;

/// Choices whose log loss is within this share of the least are averaged.
const NEARLY_AS_GOOD: f64 = 0.02;

impl ExceedanceCalibration {
    /// Learns from occasions in the order of time, of one series or of several together.
    #[must_use]
    pub fn learn(occasions: &[Occasion]) -> Self {
        let happened = occasions
            .iter()
            .filter(|occasion| occasion.exceeded)
            .count();
        if happened.min(occasions.len() - happened) < FEWEST_OF_EACH {
            return Self::default();
        }
        let losses = PRECISIONS.map(|precision| Self::loss_on_others(occasions, precision));
        let least = losses.into_iter().fold(f64::INFINITY, f64::min);
        let good = PRECISIONS
            .into_iter()
            .zip(losses)
            .filter(|(_, loss)| *loss <= (1.0 + NEARLY_AS_GOOD) * least);
        let fits: Vec<Self> = good
            .map(|(precision, _)| Self::fit(occasions, precision))
            .collect();
        Self::average(&fits)
    }

    /// Averages log odds, which are linear in what is averaged here.
    fn average(fits: &[Self]) -> Self {
        let of = |part: &dyn Fn(&Self) -> f64| mean(&fits.iter().map(part).collect::<Vec<_>>());
        Self {
            intercept: of(&|fit| fit.intercept),
            coefficients: std::array::from_fn(|index| of(&|fit| fit.coefficients[index])),
        }
    }

    /// Calibrated probability.
    #[must_use]
    pub fn probability(&self, signals: &Signals) -> f64 {
        1.0 / (1.0 + (-self.log_odds(signals)).exp())
    }

    fn log_odds(&self, signals: &Signals) -> f64 {
        let terms = self.coefficients.iter().zip(signals.0);
        self.intercept + terms.map(|(c, signal)| c * signal).sum::<f64>()
    }

    fn log_loss(&self, occasions: &[Occasion]) -> f64 {
        let losses = occasions.iter().map(|occasion| {
            let odds = self.log_odds(&occasion.signals);
            let missed = if occasion.exceeded { -odds } else { odds };
            missed.max(0.0) + (-missed.abs()).exp().ln_1p()
        });
        losses.sum::<f64>() / occasions.len().max(1) as f64
    }

    /// Log loss on each stretch of time of what the other stretches teach.
    fn loss_on_others(occasions: &[Occasion], precision: f64) -> f64 {
        let length = occasions.len().div_ceil(STRETCHES);
        let stretches = (0..occasions.len()).step_by(length);
        let losses = stretches.map(|start| {
            let end = (start + length).min(occasions.len());
            let others = [&occasions[..start], &occasions[end..]].concat();
            let judged = &occasions[start..end];
            Self::fit(&others, precision).log_loss(judged) * judged.len() as f64
        });
        losses.sum::<f64>() / occasions.len() as f64
    }

    /// Newton's method on the penalised likelihood; a step that overshoots is halved.
    fn fit(occasions: &[Occasion], precision: f64) -> Self {
        let mut fitted = Self::default();
        let mut loss = fitted.penalised_loss(occasions, precision);
        for _ in 0..STEPS {
            let Some(step) = fitted.newton_step(occasions, precision) else {
                break;
            };
            let halved = (0..HALVINGS).map(|times| fitted.moved(&step, 0.5_f64.powi(times)));
            let mut judged =
                halved.map(|moved| (moved.penalised_loss(occasions, precision), moved));
            let Some((less, moved)) = judged.find(|(moved, _)| *moved < loss) else {
                break;
            };
            let gain = loss - less;
            (loss, fitted) = (less, moved);
            if gain < 1e-9 * loss {
                break;
            }
        }
        fitted
    }

    fn newton_step(&self, occasions: &[Occasion], precision: f64) -> Option<Vec<f64>> {
        let size = if precision.is_finite() {
            SIGNALS + 1
        } else {
            2
        };
        let mut curvature = vec![0.0; size * size];
        let mut slope = vec![0.0; size];
        for (index, (precision, away)) in self.prior(precision).into_iter().take(size).enumerate() {
            curvature[index * size + index] = precision;
            slope[index] = -precision * away;
        }
        for occasion in occasions {
            self.add(occasion, &mut curvature, &mut slope);
        }
        solve(&mut curvature, &slope)
    }

    /// Precision of the prior of the intercept and of each coefficient, and the distance from it.
    fn prior(&self, precision: f64) -> [(f64, f64); SIGNALS + 1] {
        std::array::from_fn(|index| match index {
            0 => (OWN_PRECISION / 100.0, self.intercept),
            1 => (OWN_PRECISION, self.coefficients[0] - 1.0),
            _ => (precision, self.coefficients[index - 1]),
        })
    }

    fn penalised_loss(&self, occasions: &[Occasion], precision: f64) -> f64 {
        let away = self
            .prior(precision)
            .into_iter()
            .filter(|(_, away)| *away != 0.0);
        let penalty: f64 = away
            .map(|(precision, away)| 0.5 * precision * away * away)
            .sum();
        penalty + self.log_loss(occasions) * occasions.len() as f64
    }

    fn moved(&self, step: &[f64], length: f64) -> Self {
        let mut moved = *self;
        moved.intercept += length * step[0];
        for (coefficient, step) in moved.coefficients.iter_mut().zip(&step[1..]) {
            *coefficient += length * step;
        }
        moved
    }

    /// Adds an occasion to the lower triangle of the curvature, and to the slope.
    fn add(&self, occasion: &Occasion, curvature: &mut [f64], slope: &mut [f64]) {
        let size = slope.len();
        let chance = self.probability(&occasion.signals);
        let missed = f64::from(u8::from(occasion.exceeded)) - chance;
        let weight = chance * (1.0 - chance);
        let signal = |index: usize| match index.checked_sub(1) {
            Some(index) => occasion.signals.0[index],
            None => 1.0,
        };
        for row in 0..size {
            slope[row] += missed * signal(row);
            for column in 0..=row {
                curvature[row * size + column] += weight * signal(row) * signal(column);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ExceedanceCalibration, Occasion, QuantileFunction, Signals};

    fn forecast(median: f64) -> QuantileFunction {
        QuantileFunction::new([0.4, 0.6, 1.0, 1.7, 2.2].map(|share| share * median)).unwrap()
    }

    /// Deterministic numbers between zero and one.
    fn draw(index: usize) -> f64 {
        (index as f64 * 0.618_033_988_749_895).fract()
    }

    #[test]
    fn too_few_occasions_leave_the_forecasts_answer() {
        let signals = Signals::new(&forecast(8.0), &[8.0; 700], 30, 15.0);
        let own = forecast(8.0).exceedance(15.0);
        for occasions in [
            vec![],
            vec![
                Occasion {
                    signals,
                    exceeded: true
                };
                500
            ],
        ] {
            let learned = ExceedanceCalibration::learn(&occasions);
            assert_eq!(learned, ExceedanceCalibration::default());
            assert!((learned.probability(&signals) - own).abs() < 1e-9);
        }
    }

    #[test]
    fn a_forecast_that_cries_wolf_is_corrected() {
        let occasions: Vec<Occasion> = (0..2_000)
            .map(|index| {
                let median = 5.0 + 10.0 * draw(index);
                let signals = Signals::new(&forecast(median), &[10.0; 700], 30, 15.0);
                // Happens a quarter as often as the forecast says.
                let chance = 0.25 * forecast(median).exceedance(15.0);
                Occasion {
                    signals,
                    exceeded: draw(index * 7 + 3) < chance,
                }
            })
            .collect();
        let learned = ExceedanceCalibration::learn(&occasions);
        let said: f64 = occasions
            .iter()
            .map(|o| learned.probability(&o.signals))
            .sum();
        let happened = occasions.iter().filter(|o| o.exceeded).count() as f64;
        assert!((said / happened - 1.0).abs() < 0.05, "{said} {happened}");
        let order: Vec<f64> = [6.0, 9.0, 14.0]
            .map(|median| {
                learned.probability(&Signals::new(&forecast(median), &[10.0; 700], 30, 15.0))
            })
            .into();
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{order:?}");
    }

    #[test]
    fn the_past_helps_a_forecast_that_does_not_know_the_season() {
        let history: Vec<f64> = (0..1_500)
            .map(|hour| if hour % 24 == 9 { 30.0 } else { 5.0 })
            .collect();
        let occasions: Vec<Occasion> = (30..58)
            .flat_map(|day| {
                let known = day * 24;
                let history = &history;
                (1..=72).map(move |ahead| Occasion {
                    signals: Signals::new(&forecast(6.0), &history[..known], ahead, 15.0),
                    exceeded: history[known + ahead - 1] > 15.0,
                })
            })
            .collect();
        let learned = ExceedanceCalibration::learn(&occasions);
        let at = |ahead| {
            learned.probability(&Signals::new(
                &forecast(6.0),
                &history[..1_320],
                ahead,
                15.0,
            ))
        };
        assert!(at(34) > 0.8 && at(40) < 0.05, "{} {}", at(34), at(40));
    }

    #[test]
    fn odd_input_gives_a_probability_all_the_same() {
        for (history, threshold) in [(vec![], 0.0), (vec![0.0; 3], -5.0), (vec![1e15; 200], 1e15)] {
            let signals = Signals::new(&forecast(0.0), &history, 400, threshold);
            let chance = ExceedanceCalibration::default().probability(&signals);
            assert!((0.0..=1.0).contains(&chance), "{chance}");
        }
    }
}
