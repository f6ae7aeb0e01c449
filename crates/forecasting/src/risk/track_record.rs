//! How right the warnings of a use case were, once their windows are over.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// A judged window beside what happened in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SettledWindow {
    /// When the forecast was issued.
    pub issued_at: DateTime<Utc>,
    /// When the window began.
    pub start: DateTime<Utc>,
    /// P(load > capacity) as it was foreseen.
    pub probability: f64,
    /// Whether it was raised.
    pub was_raised: bool,
    /// Whether the baseline would have raised it; nothing where it had too little history.
    pub baseline_raised: Option<bool>,
    /// Whether the load exceeded the capacity.
    pub has_exceeded: bool,
}

/// Warnings beside what happened, each window once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Warnings {
    /// Warned of, and exceeded.
    pub hits: u32,
    /// Exceeded without a warning.
    pub misses: u32,
    /// Warned of, and not exceeded.
    pub false_alarms: u32,
}

impl Warnings {
    /// Share of warnings that came true; nothing without a warning.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.hits, self.hits + self.false_alarms)
    }

    /// Share of exceeded windows that were warned of; nothing where none was exceeded.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.hits, self.hits + self.misses)
    }

    fn count(&mut self, warned: bool, exceeded: bool) {
        match (warned, exceeded) {
            (true, true) => self.hits += 1,
            (false, true) => self.misses += 1,
            (true, false) => self.false_alarms += 1,
            (false, false) => {}
        }
    }
}

/// The record of a use case. A window that several forecasts looked at is one window: it was warned
/// of if one of them raised it, and exceeded by what the newest of them takes for its capacity.
/// Probabilities are judged each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TrackRecord {
    /// Different days (UTC) on which the windows' forecasts were issued.
    pub settled_days: u32,
    /// Windows that are over.
    pub windows: u32,
    /// Foreseen probabilities, at least one a window.
    pub judgements: u32,
    /// The use case's own warnings.
    pub warnings: Warnings,
    /// Those of the baseline, over the windows it could judge too.
    pub baseline: Warnings,
    /// Windows that the baseline could judge.
    pub baseline_windows: u32,
    /// Mean squared distance of the probabilities from what happened (0 or 1).
    pub brier: f64,
    /// The same of one who always names the share of windows that were exceeded.
    pub base_rate_brier: f64,
    /// Hours from the earliest warning to its window, mean over the hits; nothing without a hit.
    pub lead_hours: Option<f64>,
}

impl TrackRecord {
    /// Share of judged windows that were exceeded; nothing before one is over.
    #[must_use]
    pub fn base_rate(&self) -> Option<f64> {
        share(self.warnings.hits + self.warnings.misses, self.windows)
    }
}

fn share(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| f64::from(part) / f64::from(whole))
}

/// Adds settled windows up.
#[must_use]
pub fn track_record(settled: &[SettledWindow]) -> TrackRecord {
    let mut days: Vec<_> = settled
        .iter()
        .map(|one| one.issued_at.date_naive())
        .collect();
    days.sort_unstable();
    days.dedup();
    let mut record = TrackRecord {
        settled_days: count(days.len()),
        judgements: count(settled.len()),
        ..TrackRecord::default()
    };
    let (mut hours_ahead, mut warned_hits) = (0.0, 0.0);
    for judgements in by_window(settled).values() {
        let Some(newest) = judgements.iter().max_by_key(|one| one.issued_at) else {
            continue;
        };
        let exceeded = newest.has_exceeded;
        let earliest = judgements.iter().filter(|one| one.was_raised);
        let earliest = earliest.map(|one| one.issued_at).min();
        record.windows += 1;
        record.warnings.count(earliest.is_some(), exceeded);
        if let Some(issued) = earliest.filter(|_| exceeded) {
            hours_ahead += (newest.start - issued).as_seconds_f64() / 3_600.0;
            warned_hits += 1.0;
        }
        let baseline = judgements.iter().filter_map(|one| one.baseline_raised);
        if let Some(raised) = baseline.reduce(|one, other| one || other) {
            record.baseline_windows += 1;
            record.baseline.count(raised, exceeded);
        }
    }
    record.lead_hours = (warned_hits > 0.0).then(|| hours_ahead / warned_hits);
    (record.brier, record.base_rate_brier) = brier_scores(settled);
    record
}

fn by_window(settled: &[SettledWindow]) -> BTreeMap<DateTime<Utc>, Vec<&SettledWindow>> {
    let mut windows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in settled {
        windows.entry(one.start).or_default().push(one);
    }
    windows
}

/// Of the probabilities, and of the base rate.
fn brier_scores(settled: &[SettledWindow]) -> (f64, f64) {
    let n = settled.len().max(1) as f64;
    let outcome = |one: &SettledWindow| if one.has_exceeded { 1.0 } else { 0.0 };
    let squares = |one: &SettledWindow| (one.probability - outcome(one)).powi(2);
    let rate = settled.iter().map(outcome).sum::<f64>() / n;
    let brier = settled.iter().map(squares).sum::<f64>() / n;
    (brier, rate * (1.0 - rate))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn settled(
        issued_day: i64,
        start_hour: i64,
        probability: f64,
        exceeded: bool,
    ) -> SettledWindow {
        let zero: DateTime<Utc> = "2026-03-02T06:00:00Z".parse().unwrap();
        SettledWindow {
            issued_at: zero + TimeDelta::days(issued_day),
            start: zero + TimeDelta::hours(start_hour),
            probability,
            was_raised: probability >= 0.5,
            baseline_raised: None,
            has_exceeded: exceeded,
        }
    }

    #[test]
    fn f11_a_window_that_two_forecasts_looked_at_is_one_window() {
        let record = track_record(&[
            settled(0, 50, 0.7, true),
            settled(1, 50, 0.4, true),
            settled(1, 58, 0.8, false),
            settled(1, 66, 0.1, true),
            settled(1, 74, 0.1, false),
        ]);
        assert_eq!(
            (record.settled_days, record.windows, record.judgements),
            (2, 4, 5)
        );
        let Warnings {
            hits,
            misses,
            false_alarms,
        } = record.warnings;
        assert_eq!((hits, misses, false_alarms), (1, 1, 1));
        assert_eq!(record.warnings.precision(), Some(0.5));
        assert_eq!(record.lead_hours, Some(50.0));
        assert_eq!(record.base_rate(), Some(0.5));
        assert!((record.base_rate_brier - 0.24).abs() < 1e-12);
        let brier = (0.09 + 0.36 + 0.64 + 0.81 + 0.01) / 5.0;
        assert!((record.brier - brier).abs() < 1e-12);
        assert_eq!(record.baseline_windows, 0);
    }

    #[test]
    fn nothing_settled_says_nothing() {
        let record = track_record(&[]);
        assert_eq!(record, TrackRecord::default());
        assert_eq!((record.base_rate(), record.warnings.recall()), (None, None));
    }

    proptest! {
        #[test]
        fn hits_misses_and_false_alarms_are_what_they_are_called(
            judged in prop::collection::vec((0_i64..6, 0_i64..20, 0.0..1.0_f64, any::<bool>()), 0..60)
        ) {
            let all: Vec<_> = judged
                .into_iter()
                .map(|(day, window, p, exceeded)| settled(day, 200 + 8 * window, p, exceeded))
                .collect();
            let record = track_record(&all);
            let Warnings { hits, misses, false_alarms } = record.warnings;
            prop_assert!(hits + misses + false_alarms <= record.windows);
            prop_assert!(record.windows <= record.judgements);
            prop_assert!((0.0..=1.0).contains(&record.brier));
            prop_assert!((0.0..=0.25).contains(&record.base_rate_brier));
            let raised = all.iter().filter(|one| one.was_raised).map(|one| one.start);
            let distinct: std::collections::BTreeSet<_> = raised.collect();
            prop_assert_eq!((hits + false_alarms) as usize, distinct.len());
        }
    }
}
