//! How the level of a series moved: it shifted once, or grows by the same share every day.

use super::prior::CountPrior;
use super::profile::WeekProfile;
use super::state::week_and_course;
use super::whole::{in_units, unit_of};

/// Days that a course is found in, at most: eight weeks.
const MOST_DAYS: usize = 56;

/// Days before a shift without which nobody knows what it shifted from, and after it, for a holiday or
/// a flood not to be one; older shifts are what levels have long adapted to.
const FEWEST_BEFORE: usize = 14;
const FEWEST_AFTER: usize = 3;
const MOST_AFTER: usize = 28;

/// A shift is no smaller than this, as a logarithm: by a third.
const SMALLEST_SHIFT: f64 = 0.288;

/// Nor smaller than so many standard deviations of the days on its own sides, and so many standard
/// errors.
const SHIFT_DEVIATIONS: f64 = 5.0;
const SHIFT_ERRORS: f64 = 8.0;

/// Share of a shift that lies between the days next to it on both sides, so that what climbs is no step,
/// and how many these are.
const JUMP_SHARE: f64 = 0.7;
const JUMP_DAYS: usize = 3;

/// Days until which a shift is believed by half.
const DOUBTED_DAYS: f64 = 1.0;

/// Days without which growth is not believed.
const FEWEST_GROWTH_DAYS: usize = 28;

/// Standard errors that growth is drawn towards none by.
const GROWTH_ERRORS: f64 = 6.0;

/// No series grows or falls faster, in logarithms an hour: by half in a week.
const FASTEST_GROWTH: f64 = 0.405 / 168.0;

/// Share of growth that is left a day later.
const GROWTH_KEPT: f64 = 0.97;

/// Scatter of a day's level that is always there, whatever a short history says.
const SMALLEST_SCATTER: f64 = 0.03;

/// A step of a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelShift {
    /// Hours since it, the first at the new level counted.
    pub hours: usize,
    /// The new level over the old one.
    pub ratio: f64,
}

impl LevelShift {
    /// The ratio as far as it is believed: a young one may yet be a holiday or a flood.
    fn believed(&self) -> f64 {
        let days = self.hours as f64 / 24.0;
        self.ratio.powf(days / (days + DOUBTED_DAYS))
    }
}

/// The shift of the level, if any, that the last eight weeks show, whose local hours of the week (0 to
/// 167) are given. One that is younger than three days is not told from a holiday or a flood.
///
/// # Panics
/// When both slices differ in length or an hour of the week is above 167.
#[must_use]
pub fn level_shift(values: &[f64], hour_of_week: &[u8]) -> Option<LevelShift> {
    let first = values.len().saturating_sub(24 * MOST_DAYS);
    let values = in_units(&values[first..], unit_of(values)?);
    let (_, course) = week_and_course(&values, &hour_of_week[first..], &CountPrior::default());
    course.shift
}

/// How the level of a series moved.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Course {
    pub(super) shift: Option<LevelShift>,
    /// Logarithm an hour.
    growth: f64,
}

impl Course {
    pub(super) fn is_still(&self) -> bool {
        *self == Self::default()
    }

    /// The level `age` hours before the last known hour, over that at this hour.
    fn factor(&self, age: usize) -> f64 {
        let shifted = self.shift.filter(|shift| age >= shift.hours);
        (-self.growth * age as f64).exp() / shifted.map_or(1.0, |shift| shift.believed())
    }

    /// The factors of known hours, of which the last is the newest.
    pub(super) fn factors(&self, hours: usize) -> impl Iterator<Item = f64> {
        (0..hours).rev().map(|age| self.factor(age))
    }

    /// The level so many hours after the last known one, over that at this hour: growth wears off.
    pub(super) fn ahead(&self, hours: usize) -> f64 {
        let kept = GROWTH_KEPT.powf(1.0 / 24.0);
        let grown = kept * (1.0 - kept.powi(hours as i32)) / (1.0 - kept);
        (self.growth * grown).exp()
    }
}

/// What happened and what a profile let expect, cumulated, so that any hour's course is found fast.
pub(super) struct Levels {
    happened: Vec<f64>,
    expected: Vec<f64>,
}

fn cumulated(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    let sums = values.map(|value| {
        sum += value;
        sum
    });
    std::iter::once(0.0).chain(sums).collect()
}

/// Days by age, youngest first: logarithms of their levels, with sums of these and of their squares.
struct Days {
    logarithms: Vec<f64>,
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// Scatter that counts have by chance.
    chance: f64,
}

impl Days {
    fn mean(&self, from: usize, to: usize) -> f64 {
        (self.sums[to] - self.sums[from]) / (to - from) as f64
    }

    /// Sum of squares around the mean.
    fn scatter(&self, from: usize, to: usize) -> f64 {
        let sum = self.sums[to] - self.sums[from];
        (self.squares[to] - self.squares[from] - sum * sum / (to - from) as f64).max(0.0)
    }
}

impl Levels {
    pub(super) fn new(values: &[f64], hour_of_week: &[u8], profile: &WeekProfile) -> Self {
        let hours = hour_of_week.iter();
        Self {
            happened: cumulated(values.iter().copied()),
            expected: cumulated(hours.map(|&hour| profile.factor(usize::from(hour)))),
        }
    }

    /// The course as it was known at the end of the first `known` hours.
    pub(super) fn course(&self, known: usize) -> Course {
        let Some(days) = self.days(known) else {
            return Course::default();
        };
        match self.shift(known, &days) {
            Some(shift) => Course {
                shift: Some(shift),
                growth: 0.0,
            },
            None => Course {
                shift: None,
                growth: growth(&days),
            },
        }
    }

    fn between(&self, from: usize, to: usize) -> (f64, f64) {
        let over = |sums: &[f64]| sums[to] - sums[from];
        (over(&self.happened), over(&self.expected))
    }

    fn days(&self, known: usize) -> Option<Days> {
        let count = (known / 24).min(MOST_DAYS);
        let (all, expected) = self.between(known - 24 * count, known);
        if count < FEWEST_BEFORE + FEWEST_AFTER || all <= 0.0 {
            return None;
        }
        let level = all / expected;
        let logarithm = |age: usize| {
            let (happened, expected) = self.between(known - 24 * (age + 1), known - 24 * age);
            // Half an event at the usual level keeps an empty day finite.
            ((happened + 0.5) / (expected * level + 0.5)).ln()
        };
        let logarithms: Vec<f64> = (0..count).map(logarithm).collect();
        Some(Days {
            sums: cumulated(logarithms.iter().copied()),
            squares: cumulated(logarithms.iter().map(|x| x * x)),
            logarithms,
            chance: count as f64 / all,
        })
    }

    fn shift(&self, known: usize, days: &Days) -> Option<LevelShift> {
        let count = days.logarithms.len();
        let latest = MOST_AFTER.min(count - FEWEST_BEFORE);
        let strength = |after: usize| {
            let step = days.mean(0, after) - days.mean(after, count);
            let scatter = days.scatter(0, after) + days.scatter(after, count);
            let variance = scatter / (count - 2) as f64;
            let variance = variance.max(days.chance + SMALLEST_SCATTER.powi(2));
            let weight = after as f64 * (count - after) as f64 / count as f64;
            let near = JUMP_DAYS.min(after);
            let jump = days.mean(after - near, after) - days.mean(after, after + JUMP_DAYS);
            let is_step = step.abs() >= SMALLEST_SHIFT
                && step * step >= SHIFT_DEVIATIONS.powi(2) * variance
                && weight * step * step >= SHIFT_ERRORS.powi(2) * variance
                && jump * step.signum() >= JUMP_SHARE * step.abs();
            is_step.then_some((weight * step * step / variance, after))
        };
        let steps = (FEWEST_AFTER..=latest).filter_map(strength);
        let (_, after) = steps.max_by(|one, other| one.0.total_cmp(&other.0))?;
        let hours = self.first_hour(known, count, 24 * after);
        let ratio =
            self.level(known - hours, known) / self.level(known - 24 * count, known - hours);
        (hours >= 24 * FEWEST_AFTER).then_some(LevelShift { hours, ratio })
    }

    fn level(&self, from: usize, to: usize) -> f64 {
        let (happened, expected) = self.between(from, to);
        (happened + 0.5) / expected
    }

    /// The most likely hour of a shift within a day of where it seems to be, both sides being Poisson.
    fn first_hour(&self, known: usize, days: usize, around: usize) -> usize {
        let start = known - 24 * days;
        let new = self.level(known - around + 12, known);
        let old = self.level(start, known - around - 12);
        // Hours between that are at the new level gain this by the new, not the old one.
        let gain = |hours: usize| {
            let (happened, expected) = self.between(known - hours, known);
            happened * (new / old).ln() - expected * (new - old)
        };
        let hours = around - 24..=around + 24;
        let best = hours.max_by(|one, other| gain(*one).total_cmp(&gain(*other)));
        best.unwrap_or(around)
    }
}

/// Growth by least squares on logarithms, drawn towards none as far as chance explains it: errors of
/// days that follow each other are alike, so that what wanders has no trend.
fn growth(days: &Days) -> f64 {
    let count = days.logarithms.len();
    if count < FEWEST_GROWTH_DAYS {
        return 0.0;
    }
    let (middle, mean) = ((count - 1) as f64 / 2.0, days.mean(0, count));
    let each = || {
        (0..)
            .zip(&days.logarithms)
            .map(|(age, x)| (f64::from(age) - middle, x - mean))
    };
    let spread: f64 = each().map(|(age, _)| age * age).sum();
    let slope = each().map(|(age, x)| age * x).sum::<f64>() / spread;
    let misses: Vec<f64> = each().map(|(age, x)| x - slope * age).collect();
    let squares: f64 = misses.iter().map(|miss| miss * miss).sum();
    let alike: f64 = misses.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let alike = (alike / squares.max(f64::MIN_POSITIVE)).clamp(0.0, 0.95);
    let variance = (squares / (count - 2) as f64).max(days.chance + SMALLEST_SCATTER.powi(2));
    let error = variance / spread * (1.0 + alike) / (1.0 - alike);
    let believed = 1.0 - GROWTH_ERRORS.powi(2) * error / (slope * slope).max(f64::MIN_POSITIVE);
    (-slope / 24.0 * believed.max(0.0)).clamp(-FASTEST_GROWTH, FASTEST_GROWTH)
}

#[cfg(test)]
mod tests {
    use super::{Course, Levels, level_shift};
    use crate::counts::WeekProfile;

    fn hours(count: usize) -> Vec<u8> {
        (0..count).map(|hour| (hour % 168) as u8).collect()
    }

    /// Noise without randomness: the golden ratio's multiples modulo one.
    fn jitter(index: usize) -> f64 {
        (index as f64 * 0.618_033_988_749_895).fract() - 0.5
    }

    fn noisy(level: impl Fn(usize) -> f64, count: usize) -> Vec<f64> {
        let each = 0..count;
        each.map(|hour| (level(hour) * (1.0 + 0.8 * jitter(hour))).round())
            .collect()
    }

    fn course(values: &[f64]) -> Course {
        let levels = Levels::new(values, &hours(values.len()), &WeekProfile::flat());
        levels.course(values.len())
    }

    #[test]
    fn a_shift_is_found_to_the_hour_and_doubted_while_it_is_young() {
        let shift = noisy(|hour| if hour < 1440 - 125 { 20.0 } else { 60.0 }, 1440);
        let found = level_shift(&shift, &hours(1440)).unwrap();
        assert!((123..=127).contains(&found.hours), "{found:?}");
        assert!((2.9..3.1).contains(&found.ratio), "{found:?}");
        let before = course(&shift).factors(1440).next().unwrap();
        assert!((0.36..0.43).contains(&before), "{before}");
        let young = &shift[..1440 - 125 + 60];
        assert_eq!(level_shift(young, &hours(young.len())), None);
    }

    #[test]
    fn a_flood_of_two_days_a_slow_climb_and_noise_are_no_shifts() {
        let flood = noisy(|hour| if hour < 1392 { 20.0 } else { 200.0 }, 1440);
        assert!(course(&flood).is_still());
        let climb = noisy(|hour| 10.0 * (hour as f64 / 1000.0).exp(), 1440);
        assert_eq!(course(&climb).shift, None);
        assert!(course(&noisy(|_| 20.0, 1440)).is_still());
    }

    #[test]
    fn steady_growth_goes_on_and_wears_off() {
        let climb = noisy(|hour| 10.0 * (hour as f64 / 1000.0).exp(), 1440);
        let course = course(&climb);
        let day = course.ahead(24).ln();
        assert!((0.022..0.0245).contains(&day), "{day}");
        assert!(course.ahead(240).ln() < 9.5 * day);
        let first = course.factors(1440).next().unwrap().ln();
        assert!((-1.5..-1.3).contains(&first), "{first}");
    }

    #[test]
    fn what_wanders_has_no_trend() {
        // Up for four weeks, down for four.
        let level = |hour: usize| 20.0 * (-(hour as f64 - 672.0).abs() / 500.0).exp();
        assert!(course(&noisy(level, 1344)).is_still());
    }
}
