//! The recent level times an hour-of-week profile, with quantiles of ratios: what a count does
//! when there is little else to learn.

use crate::model::{CandidateForecast, Row};
use crate::spread::PartSpread;
use crate::statistics::{mean, variance};
use crate::week::HOURS_OF_WEEK;

/// Share of the long-run mean in every level, so that a quiet month does not promise silence.
pub const ANCHOR_SHARE: f64 = 0.05;

/// Parameters of climatology for one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Climatology {
    /// 1: the quantiles of the last week as they are, the same for all hours (no season). 0: level
    /// x profile x ratios. Between: a mixture.
    pub flat: f64,
    /// Share of the last week, beside the last four, in the level.
    pub recency: f64,
    /// Mean over the training history.
    pub anchor: f64,
    /// Hour-of-week profile; its mean is one.
    pub profile: Vec<f64>,
    /// Ratios of counts to level x profile.
    pub ratios: PartSpread,
}

/// The variants of (flat, recency) that the backtest chooses from.
pub(crate) const VARIANTS: [(f64, f64); 4] = [(0.0, 0.5), (0.0, 1.0), (0.5, 0.5), (1.0, 1.0)];

/// Prior variance of the hour-of-day profile around one, and of the hour of the week around that.
const HOUR_VARIANCE: f64 = 0.25;
const HOUR_OF_WEEK_VARIANCE: f64 = 0.06;
const WEEKDAY_VARIANCE: f64 = 0.25;

/// Hours between the end of what a level is taken from and the hour it is compared with, so that
/// ratios are spread as they will be a day ahead.
const RATIO_LEAD: usize = 24;

impl Climatology {
    /// Learns profile and ratios; the variant is chosen by the backtest.
    pub(crate) fn learn(values: &[f64], hour_of_week: &[u8]) -> Self {
        let anchor = mean(values);
        let profile = profile(values, hour_of_week, anchor);
        let (flat, recency) = VARIANTS[0];
        let mut learned = Self {
            flat,
            recency,
            anchor,
            profile,
            ratios: PartSpread::UNKNOWN,
        };
        if anchor > 0.0 {
            let ratios = learned.observed_ratios(values, hour_of_week);
            learned.ratios = PartSpread::learn(&ratios).unwrap_or(PartSpread::UNKNOWN);
        }
        learned
    }

    pub(crate) fn with_variant(&self, (flat, recency): (f64, f64)) -> Self {
        Self {
            flat,
            recency,
            ..self.clone()
        }
    }

    fn observed_ratios(&self, values: &[f64], hour_of_week: &[u8]) -> Vec<(usize, f64)> {
        let sums = running_sums(values);
        let first = (HOURS_OF_WEEK + RATIO_LEAD).min(values.len().saturating_sub(HOURS_OF_WEEK));
        let mut observed = Vec::with_capacity(values.len() - first);
        for index in first..values.len() {
            let end = index
                .saturating_sub(RATIO_LEAD)
                .max(HOURS_OF_WEEK.min(values.len()));
            let level = self.level(trailing(&sums, end, 1), trailing(&sums, end, 4));
            let hour = usize::from(hour_of_week[index]);
            let point = level * self.profile[hour];
            if point > 0.0 {
                observed.push((hour, values[index] / point));
            }
        }
        observed
    }

    fn level(&self, week_level: f64, month_level: f64) -> f64 {
        let recent = self.recency * week_level + (1.0 - self.recency) * month_level;
        (1.0 - ANCHOR_SHARE) * recent + ANCHOR_SHARE * self.anchor
    }

    fn point(&self, row: &Row) -> (f64, f64) {
        let level = self.level(row.week_level, row.month_level);
        (level, level * self.profile[row.hour_of_week])
    }

    pub(crate) fn forecast(&self, row: &Row) -> CandidateForecast {
        let shaped = 1.0 - self.flat;
        let (level, point) = self.point(row);
        let base = shaped * level + self.flat * row.week_level;
        let season = shaped * (point - level);
        CandidateForecast {
            mean: base + season,
            parts: [base, 0.0, 0.0, season, 0.0, 0.0],
        }
    }

    /// Quantiles before calibration.
    pub(crate) fn quantiles(&self, row: &Row) -> [f64; 5] {
        let shaped = 1.0 - self.flat;
        let ratios = self.ratios.times(self.point(row).1, row.hour_of_week);
        std::array::from_fn(|index| shaped * ratios[index] + self.flat * row.recent[index])
    }
}

fn running_sums(values: &[f64]) -> Vec<f64> {
    let mut sums = Vec::with_capacity(values.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for value in values {
        sum += value;
        sums.push(sum);
    }
    sums
}

/// Mean of the `weeks` before `end`, or of what there is.
fn trailing(sums: &[f64], end: usize, weeks: usize) -> f64 {
    let start = end.saturating_sub(weeks * HOURS_OF_WEEK);
    if end == start {
        0.0
    } else {
        ((sums[end] - sums[start]) / (end - start) as f64).max(0.0)
    }
}

/// Number of groups, the group of an hour of the week, and the groups' prior variance.
type Layer = (usize, fn(usize) -> usize, f64);

/// Hour-of-week profile: hour of day x weekday, and on top what the hour of the week has shown to
/// differ; each shrunk by how sure the history makes it.
fn profile(values: &[f64], hour_of_week: &[u8], anchor: f64) -> Vec<f64> {
    let mut profile = vec![1.0; HOURS_OF_WEEK];
    if anchor <= 0.0 {
        return profile;
    }
    let sums = running_sums(values);
    let ratio = |index: usize| {
        let start = index
            .saturating_sub(HOURS_OF_WEEK / 2)
            .min(values.len().saturating_sub(168));
        let level = trailing(&sums, (start + HOURS_OF_WEEK).min(values.len()), 1);
        values[index] / (level + ANCHOR_SHARE * anchor)
    };
    let ratios: Vec<f64> = (0..values.len()).map(ratio).collect();
    let layers: [Layer; 3] = [
        (24, |hour| hour % 24, HOUR_VARIANCE),
        (7, |hour| hour / 24, WEEKDAY_VARIANCE),
        (HOURS_OF_WEEK, |hour| hour, HOUR_OF_WEEK_VARIANCE),
    ];
    for (groups, group_of, prior_variance) in layers {
        refine(
            &mut profile,
            &ratios,
            hour_of_week,
            groups,
            group_of,
            prior_variance,
        );
    }
    let scale = mean(&profile);
    if scale > 0.0 {
        profile.iter_mut().for_each(|value| *value /= scale);
    }
    profile
}

/// Multiplies the profile by the shrunk mean of what it leaves unexplained in each group of hours.
fn refine(
    profile: &mut [f64],
    ratios: &[f64],
    hour_of_week: &[u8],
    groups: usize,
    group_of: fn(usize) -> usize,
    prior_variance: f64,
) {
    let (mut seen, mut expected, mut count) =
        (vec![0.0; groups], vec![0.0; groups], vec![0.0; groups]);
    let mut residuals = Vec::with_capacity(ratios.len());
    for (&ratio, &hour) in ratios.iter().zip(hour_of_week) {
        let hour = usize::from(hour);
        let group = group_of(hour);
        seen[group] += ratio;
        expected[group] += profile[hour];
        count[group] += 1.0;
        residuals.push(ratio - profile[hour]);
    }
    let noise = variance(&residuals);
    for (hour, value) in profile.iter_mut().enumerate() {
        let group = group_of(hour);
        if expected[group] > 0.0 {
            let certainty = prior_variance / (prior_variance + noise / count[group]);
            *value *= 1.0 + certainty * (seen[group] / expected[group] - 1.0);
        }
    }
}
