//! The geometry of a forecast chart: everything the SVG template needs, computed.

use std::fmt::Write;

use chrono::{DateTime, Duration, Timelike, Utc};
use foretide_domain::{Quantiles, floor_day};

pub(crate) const WIDTH: f64 = 960.0;
pub(crate) const HEIGHT: f64 = 340.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = HEIGHT - 44.0;

/// One hour of a forecast.
pub(crate) struct ForecastHour {
    pub(crate) time: DateTime<Utc>,
    pub(crate) quantiles: Quantiles,
}

/// One hour that happened.
#[derive(Clone, Copy)]
pub(crate) struct ActualHour {
    pub(crate) time: DateTime<Utc>,
    pub(crate) value: f64,
    /// Whether it may still grow.
    pub(crate) provisional: bool,
}

/// A mark on an axis.
pub(crate) struct Tick {
    pub(crate) position: f64,
    pub(crate) label: String,
}

/// A chart, in the coordinates of its view box.
pub(crate) struct Chart {
    pub(crate) band_95: String,
    pub(crate) band_80: String,
    pub(crate) median: String,
    pub(crate) actual: String,
    pub(crate) provisional: String,
    /// Where the forecast begins.
    pub(crate) issue: f64,
    pub(crate) issue_label: f64,
    pub(crate) x_ticks: Vec<Tick>,
    pub(crate) y_ticks: Vec<Tick>,
}

impl Chart {
    pub(crate) const VIEW_BOX: (f64, f64) = (WIDTH, HEIGHT);
    pub(crate) const LEFT: f64 = LEFT;
    pub(crate) const RIGHT: f64 = RIGHT;
    pub(crate) const TOP: f64 = TOP;
    pub(crate) const BOTTOM: f64 = BOTTOM;

    /// Draws a forecast and what happened; nothing without a forecast.
    pub(crate) fn of(forecast: &[ForecastHour], actuals: &[ActualHour]) -> Option<Self> {
        let first_hour = forecast.first()?.time;
        let times = forecast
            .iter()
            .map(|hour| hour.time)
            .chain(actuals.iter().map(|hour| hour.time));
        let (start, end) = (times.clone().min()?, times.max()?);
        let highest = forecast
            .iter()
            .map(|hour| hour.quantiles.values()[4])
            .chain(actuals.iter().map(|hour| hour.value))
            .fold(1.0, f64::max);
        let step = nice_step(highest / 5.0);
        let top = (highest / step).ceil() * step;
        let scale = Scale { start, end, top };
        let line = |level: usize| -> Vec<(f64, f64)> {
            forecast
                .iter()
                .map(|hour| scale.point(hour.time, hour.quantiles.values()[level]))
                .collect()
        };
        let issue = scale.x(first_hour);
        Some(Self {
            band_95: band(&line(0), &line(4)),
            band_80: band(&line(1), &line(3)),
            median: points(&line(2)),
            actual: scale.actual_line(actuals, false),
            provisional: scale.actual_line(actuals, true),
            issue,
            issue_label: issue.clamp(LEFT + 44.0, RIGHT - 44.0),
            x_ticks: scale.x_ticks(),
            y_ticks: scale.y_ticks(step),
        })
    }
}

struct Scale {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    top: f64,
}

impl Scale {
    fn x(&self, time: DateTime<Utc>) -> f64 {
        let whole = (self.end - self.start).num_seconds().max(1) as f64;
        let share = (time - self.start).num_seconds() as f64 / whole;
        rounded(LEFT + share * (RIGHT - LEFT))
    }

    fn y(&self, value: f64) -> f64 {
        rounded(BOTTOM - value / self.top * (BOTTOM - TOP))
    }

    fn point(&self, time: DateTime<Utc>, value: f64) -> (f64, f64) {
        (self.x(time), self.y(value))
    }

    /// The settled hours as one line; the provisional ones as another that begins at its end.
    fn actual_line(&self, actuals: &[ActualHour], provisional: bool) -> String {
        let first = actuals
            .iter()
            .position(|hour| hour.provisional)
            .unwrap_or(actuals.len());
        let shown = if provisional {
            &actuals[first.saturating_sub(1)..]
        } else {
            &actuals[..first]
        };
        if provisional && first == actuals.len() {
            return String::new();
        }
        points(
            &shown
                .iter()
                .map(|hour| self.point(hour.time, hour.value))
                .collect::<Vec<_>>(),
        )
    }

    fn x_ticks(&self) -> Vec<Tick> {
        let long = self.end - self.start > Duration::hours(40);
        let days = (self.end - self.start).num_days();
        let step = if long {
            Duration::days(1 + days / 9)
        } else {
            Duration::hours(6)
        };
        let mut ticks = Vec::new();
        let mut time = floor_day(self.start);
        while time <= self.end {
            let position = self.x(time);
            if time >= self.start && position <= RIGHT - 64.0 {
                let is_midnight = time.hour() == 0;
                let form = if is_midnight { "%a %-d %b" } else { "%H:%M" };
                ticks.push(Tick {
                    position,
                    label: time.format(form).to_string(),
                });
            }
            time += step;
        }
        ticks
    }

    fn y_ticks(&self, step: f64) -> Vec<Tick> {
        let count = (self.top / step).round() as usize;
        let values = (0..=count).map(|index| index as f64 * step);
        values
            .map(|value| Tick {
                position: self.y(value),
                label: format!("{value}"),
            })
            .collect()
    }
}

/// 1, 2 or 5 times a power of ten, at least 1: counts have no halves.
fn nice_step(least: f64) -> f64 {
    let magnitude = 10_f64.powf(least.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
    steps
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or(magnitude * 10.0)
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn points(line: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(line.len() * 12);
    for (x, y) in line {
        write!(text, "{x},{y} ").expect("writing to a string");
    }
    text
}

/// Along the lower line and back along the upper one.
fn band(lower: &[(f64, f64)], upper: &[(f64, f64)]) -> String {
    let back: Vec<_> = upper.iter().rev().copied().collect();
    points(lower) + &points(&back)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> DateTime<Utc> {
        "2026-11-07T05:00:00Z".parse().expect("a moment")
    }

    fn forecast(values: &[[f64; 5]]) -> Vec<ForecastHour> {
        let hour = |(index, values): (usize, &[f64; 5])| ForecastHour {
            time: start() + Duration::hours(index as i64),
            quantiles: Quantiles::repaired(*values).expect("finite"),
        };
        values.iter().enumerate().map(hour).collect()
    }

    #[test]
    fn steps_are_round() {
        for (least, step) in [
            (0.1, 1.0),
            (1.0, 1.0),
            (1.1, 2.0),
            (3.0, 5.0),
            (7.0, 10.0),
            (23.0, 50.0),
        ] {
            assert_eq!(nice_step(least), step, "{least}");
        }
    }

    #[test]
    fn no_forecast_no_chart() {
        assert!(Chart::of(&[], &[]).is_none());
    }

    #[test]
    fn provisional_hours_are_a_line_of_their_own() {
        let actual = |hours: i64, provisional| ActualHour {
            time: start() - Duration::hours(hours),
            value: 3.0,
            provisional,
        };
        let actuals = [actual(3, false), actual(2, false), actual(1, true)];
        let chart =
            Chart::of(&forecast(&[[0.0, 1.0, 2.0, 3.0, 4.0]; 72]), &actuals).expect("a chart");
        assert_eq!(chart.actual.split_whitespace().count(), 2);
        assert_eq!(
            chart.provisional.split_whitespace().count(),
            2,
            "begins where the other ends"
        );
        assert!(chart.x_ticks.len() >= 2 && chart.y_ticks.len() >= 4);
        let settled = Chart::of(&forecast(&[[0.0; 5]; 2]), &actuals[..2]).expect("a chart");
        assert!(settled.provisional.is_empty());
    }

    proptest! {
        #[test]
        fn everything_stays_inside(
            values in prop::collection::vec(prop::array::uniform5(0.0..1e6_f64), 1..100),
            actual in prop::collection::vec(0.0..1e6_f64, 0..100),
        ) {
            let actuals: Vec<_> = actual
                .iter()
                .enumerate()
                .map(|(index, value)| ActualHour { time: start() - Duration::hours(100 - index as i64), value: *value, provisional: index > 50 })
                .collect();
            let chart = Chart::of(&forecast(&values), &actuals).expect("a chart");
            let texts = [&chart.band_95, &chart.band_80, &chart.median, &chart.actual, &chart.provisional];
            for point in texts.iter().flat_map(|text| text.split_whitespace()) {
                let (x, y) = point.split_once(',').expect("two numbers");
                let (x, y): (f64, f64) = (x.parse().expect("a number"), y.parse().expect("a number"));
                prop_assert!((LEFT - 0.1..=RIGHT + 0.1).contains(&x) && (TOP - 0.1..=BOTTOM + 0.1).contains(&y), "{x},{y}");
            }
            prop_assert!(chart.y_ticks.len() <= 8);
        }
    }
}
