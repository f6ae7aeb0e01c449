//! Windows of a forecast that are raised, and their merging into periods.

use chrono::{DateTime, Duration, Utc};
use foretide_domain::{TimeSpan, Trigger};

use super::capacity::learned_capacity;
use super::spread::WindowSpread;
use crate::statistics::{mean, variance};
use crate::week::HOURS_OF_WEEK;

/// Name of the rule that acts.
pub const WEEKDAY_CONFORMAL: &str = "weekday_conformal";

/// Name of the baseline rule, recorded for comparison only.
pub const ROLLING_2SD: &str = "rolling_2sd";

/// Hours the baseline looks back.
const ROLLING_HOURS: usize = 30 * 24;

/// One series of a forecast, and the history it was issued from.
#[derive(Debug, Clone, Copy)]
pub struct RiskInput<'a> {
    /// First hour forecast.
    pub start: DateTime<Utc>,
    /// Local hour of the week of each hour ahead.
    pub hour_of_week: &'a [u8],
    /// Expected count of each hour ahead.
    pub mean: &'a [f64],
    /// Drivers of each hour ahead, row by row.
    pub drivers: &'a [f64],
    /// Names of the drivers.
    pub driver_names: &'a [String],
    /// The series' window spreads, from the model's schema.
    pub spreads: &'a [WindowSpread],
    /// Known counts up to the start; the more weeks (up to 26), the better a learned capacity.
    pub history: &'a [f64],
    /// Local hour of the week of each hour of the history.
    pub history_hour_of_week: &'a [u8],
}

/// A period in which the load is foreseen to exceed the capacity.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskWindow {
    /// The rule that raised it: [`WEEKDAY_CONFORMAL`] or [`ROLLING_2SD`].
    pub trigger: &'static str,
    /// When.
    pub span: TimeSpan,
    /// Largest P(load > capacity) of the windows it was merged from.
    pub probability: f64,
    /// Expected load over the period.
    pub expected: f64,
    /// Capacity over the period.
    pub capacity: f64,
    /// Named drivers, summed over the period; they sum to the expected load.
    pub drivers: Vec<(String, f64)>,
}

/// Periods in which P(load > capacity) reaches the trigger's probability.
///
/// Windows are laid so that they start at the same local hours every day where the length divides
/// the week. Adjoining raised windows become one. Empty when no capacity is given and the history
/// holds too few weeks to learn one, or when the slices of the input do not fit each other.
#[must_use]
pub fn weekday_conformal(input: &RiskInput<'_>, trigger: &Trigger) -> Vec<RiskWindow> {
    let hours = trigger.window_hours as usize;
    let Some(spread) = WindowSpread::nearest(input.spreads, hours) else {
        return Vec::new();
    };
    input.raise(WEEKDAY_CONFORMAL, trigger, |first, expected| {
        let capacity = match trigger.capacity {
            Some(capacity) => capacity,
            None => learned_capacity(
                input.history,
                input.history_hour_of_week,
                input.hour_of_week[first],
                hours,
                trigger.usual_share,
            )?,
        };
        let probability = spread.exceedance(expected, capacity);
        Some(Judgement {
            capacity,
            probability,
            is_raised: probability >= trigger.probability,
        })
    })
}

/// Periods in which the expected load exceeds mean + 2 standard deviations of the windows of the
/// trailing 30 days, whatever their weekday. A baseline to compare with, not to act on. Empty when
/// the history is shorter than that.
#[must_use]
pub fn rolling_2sd(input: &RiskInput<'_>, trigger: &Trigger) -> Vec<RiskWindow> {
    let hours = trigger.window_hours as usize;
    let Some(first) = input.history.len().checked_sub(ROLLING_HOURS) else {
        return Vec::new();
    };
    let sums: Vec<f64> = input.history[first..]
        .rchunks_exact(hours.max(1))
        .map(|window| window.iter().sum())
        .collect();
    let capacity = mean(&sums) + 2.0 * variance(&sums).sqrt();
    let spread = WindowSpread::nearest(input.spreads, hours);
    input.raise(ROLLING_2SD, trigger, |_, expected| {
        let is_raised = expected > capacity;
        let certain = if is_raised { 1.0 } else { 0.0 };
        let probability = spread.map_or(certain, |spread| spread.exceedance(expected, capacity));
        Some(Judgement {
            capacity,
            probability,
            is_raised,
        })
    })
}

struct Judgement {
    capacity: f64,
    probability: f64,
    is_raised: bool,
}

impl RiskInput<'_> {
    fn is_consistent(&self) -> bool {
        self.hour_of_week.len() == self.mean.len()
            && self.drivers.len() == self.mean.len() * self.driver_names.len()
            && self.history.len() == self.history_hour_of_week.len()
    }

    fn raise(
        &self,
        rule: &'static str,
        trigger: &Trigger,
        judge: impl Fn(usize, f64) -> Option<Judgement>,
    ) -> Vec<RiskWindow> {
        let hours = trigger.window_hours as usize;
        if hours == 0 || !self.is_consistent() {
            return Vec::new();
        }
        let mut windows: Vec<RiskWindow> = Vec::new();
        for first in self.window_starts(trigger) {
            let expected: f64 = self.mean[first..first + hours].iter().sum();
            let Some(judgement) = judge(first, expected).filter(|judged| judged.is_raised) else {
                continue;
            };
            let window = self.window(rule, first, hours, expected, &judgement);
            match windows
                .last_mut()
                .filter(|last| last.span.end == window.span.start)
            {
                Some(last) => last.absorb(window),
                None => windows.push(window),
            }
        }
        windows
    }

    /// First hours of the windows, one after the other, inside the trigger's hours.
    fn window_starts(&self, trigger: &Trigger) -> impl Iterator<Item = usize> + use<> {
        let hours = trigger.window_hours as usize;
        let (from, to) = (trigger.from_hours as usize, trigger.to_hours as usize);
        let end = to.min(self.mean.len());
        let divides_week = HOURS_OF_WEEK.is_multiple_of(hours);
        let is_aligned = |first: &usize| {
            !divides_week || usize::from(self.hour_of_week[*first]).is_multiple_of(hours)
        };
        let first = (from..end).find(is_aligned).unwrap_or(end);
        (first..(end + 1).saturating_sub(hours)).step_by(hours)
    }

    fn window(
        &self,
        trigger: &'static str,
        first: usize,
        hours: usize,
        expected: f64,
        judgement: &Judgement,
    ) -> RiskWindow {
        let start = self.start + Duration::hours(first as i64);
        let span = TimeSpan {
            start,
            end: start + Duration::hours(hours as i64),
        };
        let width = self.driver_names.len();
        let sum_of = |driver: usize| -> f64 {
            (first..first + hours)
                .map(|hour| self.drivers[hour * width + driver])
                .sum()
        };
        let named = self.driver_names.iter().enumerate();
        RiskWindow {
            trigger,
            span,
            probability: judgement.probability,
            expected,
            capacity: judgement.capacity,
            drivers: named
                .map(|(driver, name)| (name.clone(), sum_of(driver)))
                .collect(),
        }
    }
}

impl RiskWindow {
    fn absorb(&mut self, next: Self) {
        self.span.end = next.span.end;
        self.probability = self.probability.max(next.probability);
        self.expected += next.expected;
        self.capacity += next.capacity;
        for ((_, sum), (_, part)) in self.drivers.iter_mut().zip(next.drivers) {
            *sum += part;
        }
    }
}
