//! Features cut into at most 32 bins at their quantiles, as histogram-based boosting wants them
//! (Ke et al., "LightGBM", NeurIPS 2017).

/// Most bins of a feature.
pub(super) const BINS: usize = 32;

/// Where the bins of each feature end. A value lies in the first bin whose end is not below it.
pub(super) struct Bins {
    ends: Vec<Vec<f64>>,
}

impl Bins {
    /// Learns the ends from rows of `width` features.
    pub(super) fn learn(rows: &[f64], width: usize) -> Self {
        let ends = (0..width).map(|feature| {
            let mut values: Vec<f64> = rows.iter().skip(feature).step_by(width).copied().collect();
            values.sort_unstable_by(f64::total_cmp);
            let last = values.len() - 1;
            let mut ends: Vec<f64> = (1..BINS)
                .map(|bin| values[bin * last / BINS])
                .filter(|&end| end < values[last])
                .collect();
            ends.dedup();
            ends
        });
        Self {
            ends: ends.collect(),
        }
    }

    /// Bin numbers, row by row.
    pub(super) fn assign(&self, rows: &[f64]) -> Vec<u8> {
        let width = self.ends.len();
        let mut bins = Vec::with_capacity(rows.len());
        for row in rows.chunks_exact(width) {
            let of =
                |(value, ends): (&f64, &Vec<f64>)| ends.partition_point(|end| end < value) as u8;
            bins.extend(row.iter().zip(&self.ends).map(of));
        }
        bins
    }

    /// The value up to which a feature lies in a bin or below it.
    pub(super) fn end(&self, feature: usize, bin: usize) -> f64 {
        self.ends[feature][bin]
    }

    /// Number of places a feature can be split at.
    pub(super) fn splits(&self, feature: usize) -> usize {
        self.ends[feature].len()
    }
}
