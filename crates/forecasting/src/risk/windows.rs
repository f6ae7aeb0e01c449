//! Windows of a forecast as a rule judges them, and the periods they are raised as.

use chrono::{DateTime, Duration, Utc};
use foretide_domain::{CapacityKind, TimeSpan, Trigger};

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
    /// Whether something announced was on in each hour of the history, see
    /// [`announced_hours`](super::announced_hours). Such hours are not usual.
    pub history_announced: &'a [bool],
}

/// One window of a forecast, raised or not.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedWindow {
    /// The rule that judged it: [`WEEKDAY_CONFORMAL`] or [`ROLLING_2SD`].
    pub rule: &'static str,
    /// When.
    pub span: TimeSpan,
    /// P(load > capacity).
    pub probability: f64,
    /// Expected load.
    pub expected: f64,
    /// What the load is compared with.
    pub capacity: f64,
    /// Where the capacity comes from.
    pub capacity_kind: CapacityKind,
    /// Whether the rule raises it.
    pub is_raised: bool,
}

/// A period in which the load is foreseen to exceed the capacity.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskWindow {
    /// The rule that raised it: [`WEEKDAY_CONFORMAL`] or [`ROLLING_2SD`].
    pub trigger: &'static str,
    /// When.
    pub span: TimeSpan,
    /// P(load of the whole period > its capacity).
    pub probability: f64,
    /// Expected load over the period.
    pub expected: f64,
    /// Capacity over the period.
    pub capacity: f64,
    /// Where the capacity comes from.
    pub capacity_kind: CapacityKind,
    /// Named drivers, summed over the period; they sum to the expected load.
    pub drivers: Vec<(String, f64)>,
}

/// The windows of a forecast by the rule that acts: raised where P(load > capacity) reaches the
/// trigger's probability.
///
/// Windows are laid so that they start at the same local hours every day where the length divides
/// the week. Empty when no capacity is declared and the history holds too few weeks to learn the
/// usual upper load, or when the slices of the input do not fit each other.
#[must_use]
pub fn weekday_conformal(input: &RiskInput<'_>, trigger: &Trigger) -> Vec<JudgedWindow> {
    let hours = trigger.window_hours as usize;
    input.judge(WEEKDAY_CONFORMAL, trigger, |first, expected| {
        let (capacity, capacity_kind) = input.capacity(first, trigger)?;
        let probability = WindowSpread::exceedance_of(input.spreads, hours, expected, capacity)?;
        Some(Judgement {
            capacity,
            capacity_kind,
            probability,
            is_raised: probability >= trigger.probability,
        })
    })
}

/// The windows of a forecast by the baseline: raised where the expected load exceeds mean + 2
/// standard deviations of the windows of the trailing 30 days, whatever their weekday. To compare
/// with, not to act on. Empty when the history is shorter than that.
#[must_use]
pub fn rolling_2sd(input: &RiskInput<'_>, trigger: &Trigger) -> Vec<JudgedWindow> {
    let hours = trigger.window_hours as usize;
    let Some(first) = input.history.len().checked_sub(ROLLING_HOURS) else {
        return Vec::new();
    };
    let sums: Vec<f64> = input.history[first..]
        .rchunks_exact(hours.max(1))
        .map(|window| window.iter().sum())
        .collect();
    let capacity = mean(&sums) + 2.0 * variance(&sums).sqrt();
    input.judge(ROLLING_2SD, trigger, |_, expected| {
        let is_raised = expected > capacity;
        let certain = if is_raised { 1.0 } else { 0.0 };
        let probability = WindowSpread::exceedance_of(input.spreads, hours, expected, capacity);
        Some(Judgement {
            capacity,
            capacity_kind: CapacityKind::Usual,
            probability: probability.unwrap_or(certain),
            is_raised,
        })
    })
}

struct Judgement {
    capacity: f64,
    capacity_kind: CapacityKind,
    probability: f64,
    is_raised: bool,
}

impl RiskInput<'_> {
    fn is_consistent(&self) -> bool {
        self.hour_of_week.len() == self.mean.len()
            && self.drivers.len() == self.mean.len() * self.driver_names.len()
            && self.history.len() == self.history_hour_of_week.len()
            && self.history.len() == self.history_announced.len()
    }

    /// What the window that begins so many hours ahead can carry.
    fn capacity(&self, first: usize, trigger: &Trigger) -> Option<(f64, CapacityKind)> {
        let hours = trigger.window_hours as usize;
        if let Some(declared) = &trigger.capacity {
            let capacity = declared.of_window(&self.hour_of_week[first..first + hours]);
            return Some((capacity, CapacityKind::Declared));
        }
        let usual = learned_capacity(
            self.history,
            self.history_hour_of_week,
            self.history_announced,
            self.hour_of_week[first],
            hours,
            trigger.usual_share,
        )?;
        Some((usual, CapacityKind::Usual))
    }

    fn judge(
        &self,
        rule: &'static str,
        trigger: &Trigger,
        judge: impl Fn(usize, f64) -> Option<Judgement>,
    ) -> Vec<JudgedWindow> {
        let hours = trigger.window_hours as usize;
        if hours == 0 || !self.is_consistent() {
            return Vec::new();
        }
        let judged = self.window_starts(trigger).filter_map(|first| {
            let expected: f64 = self.mean[first..first + hours].iter().sum();
            let judgement = judge(first, expected)?;
            Some(JudgedWindow {
                rule,
                span: self.span(first, hours),
                probability: judgement.probability,
                expected,
                capacity: judgement.capacity,
                capacity_kind: judgement.capacity_kind,
                is_raised: judgement.is_raised,
            })
        });
        judged.collect()
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

    fn span(&self, first: usize, hours: usize) -> TimeSpan {
        let start = self.start + Duration::hours(first as i64);
        TimeSpan {
            start,
            end: start + Duration::hours(hours as i64),
        }
    }

    /// The periods that raised windows make: those that adjoin become one, whose probability is that
    /// of its own load, over all its hours, exceeding its own capacity.
    #[must_use]
    pub fn periods(&self, judged: &[JudgedWindow]) -> Vec<RiskWindow> {
        let raised = judged.iter().filter(|window| window.is_raised);
        let mut periods: Vec<RiskWindow> = Vec::new();
        for window in raised {
            let last = periods.last_mut();
            match last.filter(|last| last.span.end == window.span.start) {
                Some(last) => {
                    last.span.end = window.span.end;
                    last.expected += window.expected;
                    last.capacity += window.capacity;
                    self.judge_whole(last);
                }
                None => periods.push(RiskWindow {
                    trigger: window.rule,
                    span: window.span,
                    probability: window.probability,
                    expected: window.expected,
                    capacity: window.capacity,
                    capacity_kind: window.capacity_kind,
                    drivers: Vec::new(),
                }),
            }
        }
        for period in &mut periods {
            period.drivers = self.drivers_in(period.span);
        }
        periods
    }

    fn judge_whole(&self, period: &mut RiskWindow) {
        let hours = period.span.hours();
        let (expected, capacity) = (period.expected, period.capacity);
        let whole = WindowSpread::exceedance_of(self.spreads, hours, expected, capacity);
        if let Some(probability) = whole {
            period.probability = probability;
        }
    }

    fn drivers_in(&self, span: TimeSpan) -> Vec<(String, f64)> {
        let hour = |moment: DateTime<Utc>| {
            usize::try_from((moment - self.start).num_hours()).unwrap_or(usize::MAX)
        };
        let width = self.driver_names.len();
        let hours = hour(span.start)..hour(span.end);
        let named = self.driver_names.iter().enumerate();
        let summed = named.map(|(driver, name)| {
            let parts = hours
                .clone()
                .map(|hour| self.drivers[hour * width + driver]);
            (name.clone(), parts.sum())
        });
        summed.collect()
    }
}
