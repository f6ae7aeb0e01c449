//! Which of many smoothing constants misses least: twelve variants side by side, so that the
//! arithmetic of one hides the waiting of another. Each is computed as [`Smoothed`] does it.

use super::scale::Scale;
use super::smoothing::{DAMPING, Smoothed, Smoothing};
use crate::week::HOURS_OF_WEEK;

/// Variants that are followed side by side. Both banks are multiples of it.
const LANES: usize = 12;

/// One number for each variant.
type Lane = [f64; LANES];

/// Distance on the logarithmic scale beyond which an error is no longer taken as proportional.
const SMALL_ERROR: f64 = 0.5;

/// What variants are judged by: forecasts from each cut (known hours, ascending, and the weight of
/// the errors from there), `ahead` hours each.
pub(super) struct Trial<'a> {
    pub(super) scale: Scale,
    /// On the scale.
    pub(super) values: &'a [f64],
    pub(super) counts: &'a [f64],
    pub(super) cuts: &'a [(usize, f64)],
    pub(super) ahead: usize,
}

impl Trial<'_> {
    fn first(&self) -> usize {
        self.cuts.first().map_or(self.values.len(), |cut| cut.0)
    }

    /// What is known at the first cut.
    pub(super) fn known(&self) -> &[f64] {
        &self.values[..self.first()]
    }

    /// The variant of a bank with the least weighted absolute error; all start alike.
    pub(super) fn best(&self, start: &Smoothed, bank: &[Smoothing]) -> Smoothing {
        let first = self.first();
        let slope = |&count: &f64| self.scale.slope(count);
        let slopes: Vec<f64> = self.counts[first..].iter().map(slope).collect();
        let errors = bank.chunks(LANES).flat_map(|variants| {
            let errors = self.errors(Lanes::new(start, variants), &slopes);
            variants.iter().zip(errors)
        });
        let best = errors.min_by(|a, b| a.1.total_cmp(&b.1));
        *best.expect("a bank is not empty").0
    }

    fn errors(&self, mut lanes: Lanes, slopes: &[f64]) -> Lane {
        let first = self.first();
        let is_logarithm = matches!(self.scale, Scale::Logarithm { .. });
        let mut totals = [0.0; LANES];
        for &(cut, weight) in self.cuts {
            lanes.follow(&self.values[..cut]);
            let actuals = self.values[cut..].iter().take(self.ahead);
            let mut sums = [0.0; LANES];
            let mut ahead = Ahead::new(&lanes);
            for ((step, actual), slope) in actuals.enumerate().zip(&slopes[cut - first..]) {
                let mut sizes = ahead.missed(&lanes, step, *actual);
                if is_logarithm {
                    for size in &mut sizes {
                        if size.abs() > SMALL_ERROR {
                            *size = size.exp() - 1.0;
                        }
                    }
                }
                for (sum, size) in sums.iter_mut().zip(sizes) {
                    *sum += size.abs() * slope;
                }
            }
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total += weight * sum;
            }
        }
        totals
    }
}

/// Constants of the variants, part by part.
struct Constants {
    level: Lane,
    trend: Lane,
    daily: Lane,
    weekly: Lane,
    error: Lane,
}

/// [`Smoothed`], twelve at once.
struct Lanes {
    constants: Constants,
    level: Lane,
    trend: Lane,
    error: Lane,
    daily: Vec<Lane>,
    weekly: Vec<Lane>,
    seen: usize,
}

impl Lanes {
    /// Twelve variants, or fewer and the last one again, from where all start.
    fn new(start: &Smoothed, variants: &[Smoothing]) -> Self {
        let each = |part: fn(&Smoothing) -> f64| -> Lane {
            std::array::from_fn(|lane| part(&variants[lane.min(variants.len() - 1)]))
        };
        Self {
            constants: Constants {
                level: each(|variant| variant.level),
                trend: each(|variant| variant.trend),
                daily: each(|variant| variant.daily),
                weekly: each(|variant| variant.weekly),
                error: each(|variant| variant.error),
            },
            level: [start.level; LANES],
            trend: [start.trend; LANES],
            error: [start.error; LANES],
            daily: start.daily.iter().map(|&at| [at; LANES]).collect(),
            weekly: start.weekly.iter().map(|&at| [at; LANES]).collect(),
            seen: start.seen,
        }
    }

    fn follow(&mut self, values: &[f64]) {
        let constants = &self.constants;
        let (mut levels, mut trends, mut errors) = (self.level, self.trend, self.error);
        let (mut day, mut week) = (self.seen % 24, self.seen % HOURS_OF_WEEK);
        for &value in &values[self.seen..] {
            let (daily, weekly) = (&mut self.daily[day], &mut self.weekly[week]);
            for lane in 0..LANES {
                let trend = DAMPING * trends[lane];
                let expected = levels[lane] + trend + daily[lane] + weekly[lane];
                let error = value - expected;
                let surprise = error - constants.error[lane] * errors[lane];
                levels[lane] += trend + constants.level[lane] * surprise;
                trends[lane] = trend + constants.trend[lane] * surprise;
                daily[lane] += constants.daily[lane] * surprise;
                weekly[lane] += constants.weekly[lane] * surprise;
                errors[lane] = error;
            }
            day = (day + 1) % 24;
            week = (week + 1) % HOURS_OF_WEEK;
        }
        (self.level, self.trend, self.error) = (levels, trends, errors);
        self.seen = values.len();
    }
}

/// What is carried on of level, trend and error, hour by hour.
struct Ahead {
    moved: Lane,
    trend: Lane,
    error: Lane,
}

impl Ahead {
    fn new(lanes: &Lanes) -> Self {
        Self {
            moved: [0.0; LANES],
            trend: lanes.trend,
            error: lanes.error,
        }
    }

    /// By how much each variant foresees more than what happened `step` hours ahead; called for
    /// each hour in turn.
    fn missed(&mut self, lanes: &Lanes, step: usize, actual: f64) -> Lane {
        let at = lanes.seen + step;
        let (daily, weekly) = (&lanes.daily[at % 24], &lanes.weekly[at % HOURS_OF_WEEK]);
        let mut missed = [0.0; LANES];
        for lane in 0..LANES {
            self.trend[lane] *= DAMPING;
            self.moved[lane] += self.trend[lane];
            self.error[lane] *= lanes.constants.error[lane];
            let level = lanes.level[lane] + self.error[lane];
            missed[lane] = level + self.moved[lane] + daily[lane] + weekly[lane] - actual;
        }
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates::point;

    fn errors_one_by_one(trial: &Trial<'_>, bank: &[Smoothing]) -> Vec<f64> {
        let error = |constants: &Smoothing| {
            let mut state = Smoothed::start(*constants, trial.known());
            let mut total = 0.0;
            for &(cut, weight) in trial.cuts {
                state.follow(&trial.values[..cut]);
                let ahead = trial.ahead.min(trial.values.len() - cut);
                state.project(ahead, |step, parts| {
                    let missed = point(&parts) - trial.values[cut + step];
                    let is_small = missed.abs() <= SMALL_ERROR || trial.scale == Scale::Counts;
                    let size = if is_small { missed } else { missed.exp_m1() };
                    let slope = trial.scale.slope(trial.counts[cut + step]);
                    total += weight * size.abs() * slope;
                });
            }
            total
        };
        bank.iter().map(error).collect()
    }

    #[test]
    fn side_by_side_as_one_by_one() {
        let counts: Vec<f64> = (0..700)
            .map(|hour| ((hour % 24) * (3 + hour % 7) + hour * hour % 31) as f64)
            .collect();
        let cuts = [(500, 0.5), (524, 0.7), (690, 1.0)];
        for scale in [Scale::Counts, Scale::logarithm(40.0)] {
            let values = scale.of(&counts);
            let trial = Trial {
                scale,
                values: &values,
                counts: &counts,
                cuts: &cuts,
                ahead: 48,
            };
            // The last chunk is not full.
            for bank in [Smoothing::daily_seasonal(), Smoothing::double_seasonal()] {
                let bank = &bank[..31];
                let errors = errors_one_by_one(&trial, bank);
                let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
                let start = Smoothed::start(bank[0], trial.known());
                let best = trial.best(&start, bank);
                let at = bank.iter().position(|variant| *variant == best).unwrap();
                assert!((errors[at] - least).abs() <= 1e-9 * least, "{scale:?}");
                assert!(errors.iter().any(|error| *error > 1.01 * least));
            }
        }
    }
}
