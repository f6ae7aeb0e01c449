//! The score of the Numenta Anomaly Benchmark, version 1.1, standard profile (Lavin and Ahmad 2015):
//! the first fifteen per cent of a file are not scored; the best detection in a window earns up to
//! 1 the earlier it is, a missed window costs 1, every other detection up to 0.11, less if it comes
//! right after a window. 100 is perfect, 0 is to detect nothing.

use std::ops::RangeInclusive;

const FALSE_POSITIVE_WEIGHT: f64 = 0.11;
/// Points of a file that are never scored, at most: 15% of 5,000.
const MOST_PROBATION: f64 = 750.0;

/// Windows (indices of points, both ends inside, in order) of one file, and its length.
pub(crate) struct Labels {
    pub(crate) points: usize,
    pub(crate) windows: Vec<RangeInclusive<usize>>,
}

/// What a file's detections earn, windows missed taken off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Earned {
    pub(crate) sum: f64,
    pub(crate) windows: usize,
    pub(crate) found: usize,
    pub(crate) false_positives: usize,
}

impl Earned {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            windows: self.windows + other.windows,
            found: self.found + other.found,
            false_positives: self.false_positives + other.false_positives,
        }
    }

    /// 0 for a detector that never speaks, 100 for one that finds each window at its start.
    pub(crate) fn score(self) -> f64 {
        let windows = self.windows as f64;
        100.0 * (self.sum + windows) / (2.0 * windows)
    }
}

fn sigmoid(position: f64) -> f64 {
    if position > 3.0 {
        return -1.0;
    }
    2.0 / (1.0 + (5.0 * position).exp()) - 1.0
}

/// Scores the points at which a detector alerted.
pub(crate) fn earn(labels: &Labels, alerts: &[usize]) -> Earned {
    let probation = (0.15 * labels.points as f64).floor().min(MOST_PROBATION) as usize;
    let mut best = vec![f64::NEG_INFINITY; labels.windows.len()];
    let mut earned = Earned {
        windows: labels.windows.len(),
        ..Earned::default()
    };
    for &alert in alerts.iter().filter(|alert| **alert >= probation) {
        if let Some(index) = labels
            .windows
            .iter()
            .position(|window| window.contains(&alert))
        {
            let window = &labels.windows[index];
            let width = (window.end() - window.start() + 1) as f64;
            let to_end = (window.end() - alert + 1) as f64;
            best[index] = best[index].max(sigmoid(-to_end / width) / sigmoid(-1.0));
        } else {
            earned.false_positives += 1;
            earned.sum += FALSE_POSITIVE_WEIGHT * past_the_last_window(labels, alert);
        }
    }
    for best in best {
        let was_found = best > f64::NEG_INFINITY;
        earned.found += usize::from(was_found);
        earned.sum += if was_found { best } else { -1.0 };
    }
    earned
}

fn past_the_last_window(labels: &Labels, alert: usize) -> f64 {
    let before = labels.windows.iter().rfind(|window| *window.end() < alert);
    before.map_or(-1.0, |window| {
        let width = (window.end() - window.start()).max(1) as f64;
        sigmoid((alert - window.end()) as f64 / width)
    })
}

fn one_window() -> Labels {
    Labels {
        points: 1_000,
        windows: vec![500..=599],
    }
}

#[test]
fn silence_scores_nothing_and_the_start_of_a_window_all() {
    assert_eq!(earn(&one_window(), &[]).score(), 0.0);
    assert_eq!(earn(&one_window(), &[500]).score(), 100.0);
}

#[test]
fn later_and_false_detections_earn_less() {
    let middle = earn(&one_window(), &[550, 560]);
    assert!((middle.sum - 0.859_6).abs() < 1e-3, "{middle:?}");
    let early = earn(&one_window(), &[300]);
    assert!((early.sum + 1.11).abs() < 1e-9);
    let just_after = earn(&one_window(), &[601]);
    assert!(just_after.sum > -1.01);
    assert_eq!(earn(&one_window(), &[149]).sum, -1.0);
}
