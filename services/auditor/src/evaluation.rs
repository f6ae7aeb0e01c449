//! A forecast beside what happened, and beside what seasonal naive would have said.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{HOUR, LEVELS, Quantiles, TimeSpan};
use foretide_forecasting::metrics;

use crate::model::{ForecastHour, HourlyCounts, SeriesScore};

/// A week: seasonal naive repeats the count of the same hour one week earlier.
const SEASON_HOURS: i64 = 168;
/// Weeks before the forecast whose errors give seasonal naive its intervals.
const RESIDUAL_WEEKS: i64 = 4;
/// Fewer errors than this say nothing about the tails: seasonal naive is then a single value.
const LEAST_RESIDUALS: usize = 168;

/// Hours of history that [`score`] needs before a forecast to compare it fairly.
pub(crate) const HISTORY_HOURS: i64 = SEASON_HOURS * (RESIDUAL_WEEKS + 1);

/// Compares the hours of a forecast with the counts. Hours without a count are left out; nothing when
/// none is left.
///
/// Seasonal naive is given the same chance: its intervals are the quantiles of its own errors over the
/// four weeks before the forecast. For horizons beyond a week it repeats the last whole week known when
/// the forecast was issued.
pub(crate) fn score(
    forecast: &[ForecastHour],
    span: TimeSpan,
    counts: &HourlyCounts,
) -> Option<SeriesScore> {
    let naive = SeasonalNaive::before(span.start, counts);
    let mut sums = Sums::default();
    for hour in forecast.iter().filter(|hour| span.contains(hour.time)) {
        if let Some(count) = counts.at(hour.time) {
            let naive = naive.as_ref().and_then(|naive| naive.quantiles(hour.time));
            sums.add(hour, count, naive);
        }
    }
    sums.score()
}

#[derive(Default)]
struct Sums {
    hours: u32,
    absolute_error: f64,
    pinball: f64,
    naive_hours: u32,
    naive_pinball: f64,
    inside_80: u32,
    inside_95: u32,
}

impl Sums {
    fn add(&mut self, hour: &ForecastHour, count: f64, naive: Option<Quantiles>) {
        let inside = |interval| u32::from(metrics::is_covered(interval, count));
        self.hours += 1;
        self.absolute_error += metrics::absolute_error(&hour.quantiles, count);
        self.pinball += metrics::pinball(&hour.quantiles, count);
        self.inside_80 += inside(hour.quantiles.interval_80());
        self.inside_95 += inside(hour.quantiles.interval_95());
        if let Some(naive) = naive {
            self.naive_hours += 1;
            self.naive_pinball += metrics::pinball(&naive, count);
        }
    }

    fn score(&self) -> Option<SeriesScore> {
        if self.hours == 0 {
            return None;
        }
        let hours = f64::from(self.hours);
        // Losses are compared over the same hours or not at all.
        let comparable = self.naive_hours == self.hours;
        Some(SeriesScore {
            hours: self.hours,
            mae: self.absolute_error / hours,
            pinball: self.pinball / hours,
            naive_pinball: comparable.then_some(self.naive_pinball / hours),
            coverage_80: f64::from(self.inside_80) / hours,
            coverage_95: f64::from(self.inside_95) / hours,
        })
    }
}

struct SeasonalNaive<'c> {
    counts: &'c HourlyCounts,
    start: DateTime<Utc>,
    /// What is added to the repeated count at each level.
    offsets: [f64; 5],
}

impl<'c> SeasonalNaive<'c> {
    fn before(start: DateTime<Utc>, counts: &'c HourlyCounts) -> Option<Self> {
        let season = TimeDelta::hours(SEASON_HOURS);
        counts.at(start - season)?;
        let mut errors: Vec<f64> = (1..=SEASON_HOURS * RESIDUAL_WEEKS)
            .map(|back| start - TimeDelta::hours(back))
            .filter_map(|hour| Some(counts.at(hour)? - counts.at(hour - season)?))
            .collect();
        errors.sort_by(f64::total_cmp);
        let offsets = if errors.len() < LEAST_RESIDUALS {
            [0.0; 5]
        } else {
            LEVELS.map(|level| quantile(&errors, level))
        };
        Some(Self {
            counts,
            start,
            offsets,
        })
    }

    fn quantiles(&self, hour: DateTime<Utc>) -> Option<Quantiles> {
        let ahead = (hour - self.start).num_hours();
        let seasons = ahead.div_euclid(SEASON_HOURS) + 1;
        let repeated = self
            .counts
            .at(hour - HOUR * i32::try_from(seasons * SEASON_HOURS).ok()?)?;
        Quantiles::repaired(self.offsets.map(|offset| repeated + offset)).ok()
    }
}

/// Linear interpolation between the closest of the sorted values.
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let position = level * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = position.ceil() as usize;
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        "2026-02-02T06:00:00Z".parse().unwrap()
    }

    fn span(hours: i64) -> TimeSpan {
        TimeSpan::new(start(), start() + HOUR * i32::try_from(hours).unwrap()).unwrap()
    }

    /// Six weeks before the forecast and two weeks after, as a function of the hour.
    fn counts(value: impl Fn(i64) -> f64) -> HourlyCounts {
        let first = start() - TimeDelta::hours(6 * SEASON_HOURS);
        let values = (0..8 * SEASON_HOURS)
            .map(|hour| value(hour - 6 * SEASON_HOURS))
            .collect();
        HourlyCounts {
            start: first,
            values,
        }
    }

    fn forecast(hours: i64, quantiles: [f64; 5]) -> Vec<ForecastHour> {
        let quantiles = Quantiles::new(quantiles).unwrap();
        (0..hours)
            .map(|hour| ForecastHour {
                time: start() + TimeDelta::hours(hour),
                quantiles,
            })
            .collect()
    }

    #[test]
    fn measures_what_it_says() {
        let actual = counts(|hour| if hour % 2 == 0 { 10.0 } else { 30.0 });
        let forecast = forecast(24, [8.0, 9.0, 10.0, 11.0, 30.0]);
        let score = score(&forecast, span(24), &actual).unwrap();
        assert_eq!(score.hours, 24);
        assert!((score.mae - 10.0).abs() < 1e-12);
        assert!((score.coverage_80 - 0.5).abs() < 1e-12);
        assert!((score.coverage_95 - 1.0).abs() < 1e-12);
        assert!(score.pinball > 0.0);
        // The same hour one week earlier is exactly right, and so were the weeks before.
        assert_eq!(score.naive_pinball, Some(0.0));
    }

    #[test]
    fn hours_outside_the_span_or_without_a_count_are_left_out() {
        let mut actual = counts(|_| 5.0);
        actual.values.truncate(6 * 168 + 10);
        let forecast = forecast(48, [5.0; 5]);
        assert_eq!(score(&forecast, span(24), &actual).unwrap().hours, 10);
        assert_eq!(score(&forecast, span(0), &actual), None);
    }

    #[test]
    fn without_a_week_of_history_there_is_no_comparison() {
        let actual = HourlyCounts {
            start: start() - TimeDelta::hours(167),
            values: vec![1.0; 400],
        };
        let score = score(&forecast(24, [1.0; 5]), span(24), &actual).unwrap();
        assert_eq!(score.naive_pinball, None);
    }

    #[test]
    fn with_little_history_seasonal_naive_is_a_single_value() {
        let actual = HourlyCounts {
            start: start() - TimeDelta::hours(200),
            values: (0..400).map(f64::from).collect(),
        };
        let naive = SeasonalNaive::before(start(), &actual).unwrap();
        let quantiles = naive.quantiles(start()).unwrap();
        assert_eq!(quantiles.interval_95(), (32.0, 32.0));
    }

    #[test]
    fn beyond_a_week_only_what_was_known_is_repeated() {
        let actual = counts(|hour| hour as f64 + 2_000.0);
        let naive = SeasonalNaive::before(start(), &actual).unwrap();
        let errors = naive.offsets[2];
        let within = naive
            .quantiles(start() + TimeDelta::hours(167))
            .unwrap()
            .median();
        let beyond = naive
            .quantiles(start() + TimeDelta::hours(168))
            .unwrap()
            .median();
        assert!((within - errors - 1_999.0).abs() < 1e-9);
        assert!((beyond - errors - 1_832.0).abs() < 1e-9);
    }

    #[test]
    fn naive_intervals_are_its_own_errors() {
        let actual = counts(|hour| {
            if (hour.div_euclid(168)) % 2 == 0 {
                10.0
            } else {
                20.0
            }
        });
        let naive = SeasonalNaive::before(start(), &actual).unwrap();
        assert_eq!(naive.offsets, [-10.0, -10.0, 0.0, 10.0, 10.0]);
    }
}
