//! Rows to learn from, drawn from all series by a fixed hash.

use super::features::{FEATURES, ROW_HEAD, TreesHistory};
use super::{TreesOptions, TreesSeries};

/// Hours of a series before the first origin that is learnt from; half of a shorter series.
const FIRST_ORIGIN: usize = 336;

/// Hours a series must have to be learnt from: the lags of a week need a week before them.
const FEWEST_HOURS: usize = 336;

/// Targets are cut off at so many units: one spike is one row, not the whole lesson.
const TARGET_LIMIT: f64 = 20.0;

/// Features of drawn rows and what happened, in units from the anchor.
pub(super) struct Sample {
    pub(super) width: usize,
    pub(super) rows: Vec<f64>,
    pub(super) targets: Vec<f64>,
}

impl Sample {
    /// Draws the same number of (origin, hours ahead) pairs from each series that is long enough.
    pub(super) fn draw(series: &[TreesSeries<'_>], options: &TreesOptions) -> Self {
        let each = (options.most_rows / series.len().max(1)).clamp(1, options.rows_per_series);
        let mut sample = Self {
            width: FEATURES.len(),
            rows: Vec::new(),
            targets: Vec::new(),
        };
        for (index, one) in series.iter().enumerate() {
            if one.values.len() >= FEWEST_HOURS {
                sample.add(one, index, each, options.horizon_hours);
            }
        }
        sample
    }

    fn add(&mut self, series: &TreesSeries<'_>, index: usize, count: usize, horizon: usize) {
        let hours = series.values.len();
        let first = FIRST_ORIGIN.min(hours / 2);
        let history = TreesHistory::new(series);
        let mut row = Vec::with_capacity(ROW_HEAD + self.width);
        for number in 0..count {
            let pick =
                |share: f64, from: usize, to: usize| from + (share * (to - from) as f64) as usize;
            let (across, ahead) = spread_out(number, index);
            let origin = pick(across, first, hours);
            let ahead = pick(ahead, 1, horizon.min(hours - origin) + 1);
            row.clear();
            history.row(origin, ahead, &mut row);
            let (anchor, unit) = (row[0], row[1]);
            let target = (series.values[origin + ahead - 1] - anchor) / unit;
            self.rows.extend_from_slice(&row[ROW_HEAD..]);
            self.targets.push(target.clamp(-TARGET_LIMIT, TARGET_LIMIT));
        }
    }

    /// The features of each row.
    pub(super) fn each_row(&self) -> impl Iterator<Item = &[f64]> {
        self.rows.chunks_exact(self.width)
    }
}

/// The points of a plane-filling sequence (R2; Roberts, "The unreasonable effectiveness of
/// quasirandom sequences", 2018), shifted for each series: drawn rows lie evenly over the history.
fn spread_out(number: usize, series: usize) -> (f64, f64) {
    const STEPS: (f64, f64) = (0.754_877_666_246_692_8, 0.569_840_290_998_053_3);
    let place = series as u64;
    let along = |step: f64, salt| (unit_hash(place, salt) + number as f64 * step).fract();
    (along(STEPS.0, 1), along(STEPS.1, 2))
}

/// A number from 0 up to 1 for a place and a salt, always the same (the finaliser of splitmix64,
/// Steele et al., OOPSLA 2014).
pub(super) fn unit_hash(place: u64, salt: u64) -> f64 {
    let mut mixed = place
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(salt.wrapping_mul(0xd1b5_4a32_d192_ed03));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::unit_hash;

    #[test]
    fn hashes_are_spread_evenly() {
        let mut tenths = [0_u32; 10];
        for place in 0..10_000_u64 {
            tenths[(unit_hash(place, 7) * 10.0) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|count| (900..1100).contains(count)),
            "{tenths:?}"
        );
    }
}
