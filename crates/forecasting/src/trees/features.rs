//! What the trees look at: lags known at the origin, recent level and its moves, the calendar.
//!
//! Every number is a difference from an *anchor* (day and week before, mixed by how well each has
//! foretold the series lately) in units of what a seasonal rule usually misses. So one model can
//! learn from series of any level and size.

use super::{TreesSeries, median};
use crate::statistics::above_zero;

const DAY: usize = 24;
const WEEK: usize = 168;

/// Hours that the unit and the slow level look back: four weeks.
const SLOW: usize = 4 * WEEK;

/// Features are cut off at so many units: a spike in one series must not rule a split.
const LIMIT: f64 = 30.0;

/// Columns of a row before the features: the anchor and the unit, both in counts.
pub const ROW_HEAD: usize = 2;

/// Names of the features, in their order.
pub const FEATURES: [&str; 30] = [
    "day_1",
    "day_2",
    "day_3",
    "days_7",
    "week_1",
    "week_2",
    "weeks_4",
    "day_1_moved_by_week",
    "day_1_smooth",
    "week_1_smooth",
    "level_week",
    "last",
    "last_on_day",
    "last_on_week",
    "last_3_on_day",
    "last_3_on_week",
    "day_on_day",
    "day_on_week",
    "week_on_week",
    "month_on_week",
    "day_or_week",
    "season_strength",
    "day_volatility",
    "hours_ahead",
    "hour_of_day",
    "day_of_week",
    "weekend_step",
    "fading_last",
    "days_7_median",
    "week_median",
];

/// Number of columns of a row: [`ROW_HEAD`] and the [`FEATURES`].
pub const ROW_WIDTH: usize = ROW_HEAD + FEATURES.len();

/// A series made ready to be asked at any origin: running sums, so that a row costs no scan.
#[derive(Debug)]
pub struct TreesHistory<'a> {
    values: &'a [f64],
    hour_of_week: &'a [u8],
    sum: Vec<f64>,
    squares: Vec<f64>,
    daily_moves: Vec<f64>,
    weekly_moves: Vec<f64>,
}

/// Where a series stands at an origin: what all rows of that origin share.
pub(super) struct Standing {
    origin: usize,
    unit: f64,
    day_share: f64,
    level_week: f64,
    recent: [f64; 12],
    median_week: f64,
}

impl<'a> TreesHistory<'a> {
    /// Prepares a series.
    #[must_use]
    pub fn new(series: &TreesSeries<'a>) -> Self {
        let values = series.values;
        let moves = |lag: usize| {
            running(values.iter().enumerate().map(|(hour, value)| {
                hour.checked_sub(lag)
                    .map_or(0.0, |before| (value - values[before]).abs().sqrt())
            }))
        };
        Self {
            values,
            hour_of_week: series.hour_of_week,
            sum: running(values.iter().copied()),
            squares: running(values.iter().map(|value| value * value)),
            daily_moves: moves(DAY),
            weekly_moves: moves(WEEK),
        }
    }

    /// The row of the hour `ahead` (1 is the first) of an origin: the hours before index `origin`
    /// are known. At least one must be, and the calendar must reach the hour forecast.
    pub fn row(&self, origin: usize, ahead: usize, row: &mut Vec<f64>) {
        let standing = self.standing(origin);
        self.row_of(&standing, ahead, row);
    }

    /// All rows of an origin, one after the other.
    #[must_use]
    pub fn rows(&self, origin: usize, horizon: usize) -> Vec<f64> {
        let standing = self.standing(origin);
        let mut rows = Vec::with_capacity(horizon * ROW_WIDTH);
        for ahead in 1..=horizon {
            self.row_of(&standing, ahead, &mut rows);
        }
        rows
    }

    pub(super) fn standing(&self, origin: usize) -> Standing {
        let mean = |from: usize, to: usize| self.mean(origin, from, to);
        let day_moves = self.move_size(&self.daily_moves, origin, DAY);
        let week_moves = self.move_size(&self.weekly_moves, origin, WEEK);
        let (day_moves, week_moves) = match (day_moves, week_moves) {
            (Some(day), Some(week)) => (day, week),
            (Some(day), None) => (day, 2.0 * day),
            _ => (0.0, 0.0),
        };
        let level_week = mean(WEEK, 0);
        let floor = above_zero(1e-3 * level_week.abs(), 1e-9);
        let unit = day_moves.min(week_moves).max(floor);
        let (day_weight, week_weight) = (week_moves.powi(2), day_moves.powi(2));
        let all = day_weight + week_weight;
        let day_share = if all > 0.0 { day_weight / all } else { 0.5 };
        let last = self.known(origin, 1);
        let last_day = mean(DAY, 0);
        let recent = [
            last - self.known(origin, 1 + DAY),
            last - self.known(origin, 1 + WEEK),
            mean(3, 0) - mean(3 + DAY, DAY),
            mean(3, 0) - mean(3 + WEEK, WEEK),
            last_day - mean(2 * DAY, DAY),
            last_day - mean(DAY + WEEK, WEEK),
            level_week - mean(2 * WEEK, WEEK),
            mean(SLOW, 0) - level_week,
            unit * ((day_moves + floor) / (week_moves + floor)).ln(),
            unit * (self.deviation(origin, WEEK) / unit).max(1e-3).ln(),
            unit * (self.deviation(origin, DAY) / unit).max(1e-3).ln(),
            last,
        ];
        Standing {
            origin,
            unit,
            day_share,
            level_week,
            recent,
            median_week: median(&mut self.values[origin.saturating_sub(WEEK)..origin].to_vec()),
        }
    }

    pub(super) fn row_of(&self, standing: &Standing, ahead: usize, row: &mut Vec<f64>) {
        let &Standing {
            origin,
            unit,
            day_share,
            level_week,
            ref recent,
            median_week,
        } = standing;
        let target = origin + ahead - 1;
        let day_back = target - self.same_hour(target, origin, DAY, 0);
        let lag = |period: usize, more: usize| {
            self.values[target - self.same_hour(target, origin, period, more)]
        };
        let (day_1, week_1) = (lag(DAY, 0), lag(WEEK, 0));
        let mut days: [f64; 7] = std::array::from_fn(|more| lag(DAY, more));
        let days_7 = days.iter().sum::<f64>() / 7.0;
        let days_7_median = median(&mut days);
        let weeks_4 = (0..4).map(|more| lag(WEEK, more)).sum::<f64>() / 4.0;
        let moved = day_1 + self.weekly_step(target, day_back, origin);
        let anchor = day_share * day_1 + (1.0 - day_share) * week_1;
        let scaled = |value: f64| (value / unit).clamp(-LIMIT, LIMIT);
        let from_anchor = |value: f64| scaled(value - anchor);
        row.extend([anchor, unit]);
        row.extend(
            [
                day_1,
                lag(DAY, 1),
                lag(DAY, 2),
                days_7,
                week_1,
                lag(WEEK, 1),
                weeks_4,
                moved,
                self.around(day_back, origin),
                self.around(target - self.same_hour(target, origin, WEEK, 0), origin),
                level_week,
                recent[11],
            ]
            .map(from_anchor),
        );
        row.extend(recent[..11].iter().map(|&value| scaled(value)));
        let hour_of_week = usize::from(self.hour_of_week[target]);
        let is_weekend = |hour: usize| f64::from(u8::from(self.hour_of_week[hour] >= 120));
        row.extend([
            ahead as f64,
            (hour_of_week % DAY) as f64,
            (hour_of_week / DAY) as f64,
            is_weekend(target) - is_weekend(day_back),
            scaled(recent[0]) * (-(ahead as f64) / 6.0).exp(),
            from_anchor(days_7_median),
            from_anchor(median_week),
        ]);
    }

    /// Hours back to the newest known hour of the same phase, `more` periods further; the oldest
    /// one there is when the history is shorter, and any known hour when it has no such phase.
    fn same_hour(&self, target: usize, origin: usize, period: usize, more: usize) -> usize {
        let ahead = target + 1 - origin;
        let nearest = ahead.div_ceil(period);
        let furthest = target / period;
        if furthest >= nearest {
            (nearest + more).min(furthest) * period
        } else if period > DAY {
            self.same_hour(target, origin, DAY, more)
        } else {
            ahead
        }
    }

    /// How much the target's hour of the week usually lies above that of `day_back`.
    fn weekly_step(&self, target: usize, day_back: usize, origin: usize) -> f64 {
        let nearest = (target + 1 - origin).div_ceil(WEEK);
        let pairs = (nearest..nearest + 3)
            .filter(|weeks| weeks * WEEK <= day_back)
            .map(|weeks| self.values[target - weeks * WEEK] - self.values[day_back - weeks * WEEK]);
        let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), step| (sum + step, count + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    }

    /// Mean of an hour and its known neighbours.
    fn around(&self, hour: usize, origin: usize) -> f64 {
        let (from, to) = (hour.saturating_sub(1), (hour + 2).min(origin));
        (self.sum[to] - self.sum[from]) / (to - from) as f64
    }

    /// The value `back` hours before the origin, or the oldest.
    fn known(&self, origin: usize, back: usize) -> f64 {
        self.values[origin.saturating_sub(back)]
    }

    /// Mean of the hours from `from` to `to` before the origin, or of what there is of them.
    fn mean(&self, origin: usize, from: usize, to: usize) -> f64 {
        let start = origin.saturating_sub(from);
        let end = origin.saturating_sub(to).max(start + 1);
        (self.sum[end] - self.sum[start]) / (end - start) as f64
    }

    fn deviation(&self, origin: usize, hours: usize) -> f64 {
        let start = origin.saturating_sub(hours);
        let count = (origin - start) as f64;
        let mean = (self.sum[origin] - self.sum[start]) / count;
        let squares = (self.squares[origin] - self.squares[start]) / count;
        (squares - mean * mean).max(0.0).sqrt()
    }

    /// Mean size of the moves from one season to the next over the last four weeks.
    fn move_size(&self, moves: &[f64], origin: usize, lag: usize) -> Option<f64> {
        let start = origin.saturating_sub(SLOW).max(lag);
        (origin > start).then(|| ((moves[origin] - moves[start]) / (origin - start) as f64).powi(2))
    }
}

/// Running sums with a leading zero.
fn running(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut total = 0.0;
    let sums = values.map(|value| {
        total += value;
        total
    });
    std::iter::once(0.0).chain(sums).collect()
}
