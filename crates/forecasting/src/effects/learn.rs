//! What events do to each series of a panel.

use std::collections::BTreeMap;

use super::pool::pool;
use super::{Effects, RegressorRange};
use crate::panel::TrainingPanel;
use crate::structural::{Design, EventEffect, SeasonBasis, event_effects};
use crate::vetting::onset;

/// Hours of history that effects are learned from at least: three weeks, so that every hour of the
/// week has been seen without the event.
const FEWEST_HOURS: usize = 504;

/// What events do to each series, as seen in its first hours.
#[derive(Debug, Default)]
pub(crate) struct PanelEvents {
    ranges: Vec<Vec<RegressorRange>>,
    effects: Vec<Vec<f64>>,
}

impl PanelEvents {
    /// Learns from the first hours of every series: as many as `known` gives for the hours there are
    /// and the series' first hour that counts.
    pub(crate) fn learn(
        panel: &TrainingPanel,
        basis: &SeasonBasis,
        threads: usize,
        known: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let spans: Vec<(usize, usize)> = panel
            .series
            .iter()
            .map(|series| {
                let onset = onset(&series.values);
                (onset, known(panel.hours(), onset))
            })
            .collect();
        if panel.regressors.is_empty() {
            return Self {
                ranges: vec![vec![]; spans.len()],
                effects: vec![vec![]; spans.len()],
            };
        }
        let mut designs: BTreeMap<usize, Design<'_>> = BTreeMap::new();
        for &(_, hours) in &spans {
            designs.entry(hours).or_insert_with(|| {
                Design::new(basis, &panel.hour_of_week, &panel.regressors, hours)
            });
        }
        let study = |index: usize| {
            let (onset, hours) = spans[index];
            let design = &designs[&hours];
            if hours < onset + FEWEST_HOURS {
                return vec![EventEffect::UNKNOWN; panel.regressors.len()];
            }
            event_effects(design, &panel.series[index].values, onset)
        };
        let seen = in_parallel(spans.len(), threads, &study);
        let ranges: Vec<_> = spans
            .iter()
            .map(|(_, hours)| designs[hours].ranges.clone())
            .collect();
        Self {
            effects: pool(&seen, &ranges),
            ranges,
        }
    }

    /// What they do to one series.
    pub(crate) fn on(&self, series: usize) -> Effects<'_> {
        Effects {
            per_unit: &self.effects[series],
            ranges: &self.ranges[series],
        }
    }

    /// Ranges of the regressors, if they were learned from the same hours of all series.
    pub(crate) fn ranges(&self) -> Vec<RegressorRange> {
        self.ranges.first().cloned().unwrap_or_default()
    }

    /// Effects by series and regressor.
    pub(crate) fn effects(&self) -> Vec<Vec<f64>> {
        self.effects.clone()
    }
}

/// Results in the order of the indices, from as many threads as are wanted.
fn in_parallel<T: Send>(
    count: usize,
    threads: usize,
    work: &(impl Fn(usize) -> T + Sync),
) -> Vec<T> {
    let indices: Vec<usize> = (0..count).collect();
    std::thread::scope(|scope| {
        let handles: Vec<_> = indices
            .chunks(count.div_ceil(threads).max(1))
            .map(|chunk| scope.spawn(move || chunk.iter().map(|&index| work(index)).collect()))
            .collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, Vec<T>>| {
            handle
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().flat_map(join).collect()
    })
}
