//! How often intervals held, by horizon and by weekday.

use crate::contest::Path;
use crate::intervals::{HORIZON_BANDS, horizon_band};
use crate::metrics::is_covered;

/// Shares of hours inside the intervals.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Held {
    /// Hours looked at.
    pub hours: usize,
    /// Share inside the 80% interval; zero without hours.
    pub share_80: f64,
    /// Share inside the 95% interval; zero without hours.
    pub share_95: f64,
}

impl Held {
    fn add(&mut self, quantiles: &[f64; 5], actual: f64) {
        let share = |inside: bool| f64::from(u8::from(inside));
        let before = self.hours as f64;
        self.hours += 1;
        let mean = |old: f64, new: f64| (old * before + new) / (before + 1.0);
        let (inner, outer) = ((quantiles[1], quantiles[3]), (quantiles[0], quantiles[4]));
        self.share_80 = mean(self.share_80, share(is_covered(inner, actual)));
        self.share_95 = mean(self.share_95, share(is_covered(outer, actual)));
    }
}

/// Coverage of a series' intervals in its backtest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Coverage {
    /// By [`horizon_band`].
    pub by_band: [Held; HORIZON_BANDS],
    /// By local weekday, Monday first.
    pub by_weekday: [Held; 7],
}

impl Coverage {
    /// From rolling forecasts and the hour of the week of each of their hours, path by path.
    pub(crate) fn of(paths: &[Path], hours_of_week: &[u8]) -> Self {
        let mut coverage = Self::default();
        let mut hours = hours_of_week.iter();
        for path in paths {
            for (step, (quantiles, actual)) in path.outcomes.iter().enumerate() {
                let hour = hours.next().copied().unwrap_or_default();
                coverage.by_band[horizon_band(step + 1)].add(quantiles, *actual);
                coverage.by_weekday[usize::from(hour / 24)].add(quantiles, *actual);
            }
        }
        coverage
    }
}
