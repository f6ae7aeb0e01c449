//! What any forecast must beat: the same hour of an earlier day or week, and no season at all.

use foretide_domain::LEVELS;

/// Hours that spread is learned from: eight weeks.
const SPREAD_HOURS: usize = 8 * 168;

/// A forecast that needs no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The newest known value of the same hour of the day.
    SeasonalNaive24,
    /// The newest known value of the same hour of the week.
    SeasonalNaive168,
    /// Quantiles of the last 168 hours, the same for every hour ahead.
    Climatology168,
}

impl Baseline {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::SeasonalNaive24,
        Self::SeasonalNaive168,
        Self::Climatology168,
    ];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SeasonalNaive24 => "seasonal_naive_24",
            Self::SeasonalNaive168 => "seasonal_naive_168",
            Self::Climatology168 => "climatology_168",
        }
    }

    /// Quantiles at [`LEVELS`] for the hours after `known`, never negative, never crossing.
    ///
    /// # Panics
    /// When nothing is known.
    #[must_use]
    pub fn forecast(self, known: &[f64], horizon: usize) -> Vec<[f64; 5]> {
        assert!(!known.is_empty(), "a baseline needs history");
        match self {
            Self::SeasonalNaive24 => seasonal_naive(known, 24, horizon),
            Self::SeasonalNaive168 => seasonal_naive(known, 168, horizon),
            Self::Climatology168 => {
                let recent = &known[known.len().saturating_sub(168)..];
                vec![quantiles_of(recent.to_vec()); horizon]
            }
        }
    }
}

/// Seasonal naive; its spread is what it would have missed by in the last weeks, as many seasons
/// ahead. A history shorter than a season repeats its last value.
fn seasonal_naive(known: &[f64], season: usize, horizon: usize) -> Vec<[f64; 5]> {
    let season = season.min(known.len());
    let seasons = horizon.div_ceil(season);
    let spreads: Vec<[f64; 5]> = (1..=seasons)
        .map(|ahead| misses(known, season * ahead))
        .collect();
    (0..horizon)
        .map(|hour| {
            let ahead = hour / season;
            let point = known[known.len() - season + hour % season];
            let mut quantiles = spreads[ahead].map(|miss| (point + miss).max(0.0));
            quantiles[2] = point;
            repaired(quantiles)
        })
        .collect()
}

fn misses(known: &[f64], lag: usize) -> [f64; 5] {
    let from = lag.max(known.len().saturating_sub(SPREAD_HOURS));
    if from >= known.len() {
        return [0.0; 5];
    }
    quantiles_of(
        (from..known.len())
            .map(|at| known[at] - known[at - lag])
            .collect(),
    )
}

/// Ends outward of the median.
fn repaired([low_95, low_80, median, high_80, high_95]: [f64; 5]) -> [f64; 5] {
    let (low_80, high_80) = (low_80.min(median), high_80.max(median));
    [
        low_95.min(low_80),
        low_80,
        median,
        high_80,
        high_95.max(high_80),
    ]
}

/// Quantiles at [`LEVELS`], linear between order statistics.
fn quantiles_of(mut values: Vec<f64>) -> [f64; 5] {
    values.sort_by(f64::total_cmp);
    LEVELS.map(|level| {
        let place = level * (values.len() - 1) as f64;
        let (below, share) = (place.floor() as usize, place.fract());
        let above = (below + 1).min(values.len() - 1);
        values[below] + share * (values[above] - values[below])
    })
}

/// Mean absolute error of seasonal naive inside a history: the scale of MASE. `None` when the history
/// is no longer than a season or never changes.
#[must_use]
pub fn mase_scale(known: &[f64], season: usize) -> Option<f64> {
    let pairs = known.len().checked_sub(season).filter(|pairs| *pairs > 0)?;
    let sum: f64 = (season..known.len())
        .map(|at| (known[at] - known[at - season]).abs())
        .sum();
    Some(sum / pairs as f64).filter(|scale| *scale > 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_series_that_repeats_itself_is_foreseen_exactly() {
        let week: Vec<f64> = (0..168)
            .map(|hour| f64::from(hour % 24 + hour / 24))
            .collect();
        let known = [week.clone(), week.clone(), week.clone()].concat();
        let foreseen = Baseline::SeasonalNaive168.forecast(&known, 200);
        for (hour, quantiles) in foreseen.iter().enumerate() {
            assert_eq!(*quantiles, [week[hour % 168]; 5], "hour {hour}");
        }
    }

    #[test]
    fn climatology_gives_the_quantiles_of_the_last_week() {
        let known: Vec<f64> = (0..1000).map(f64::from).collect();
        let foreseen = Baseline::Climatology168.forecast(&known, 2);
        assert_eq!(foreseen[0], foreseen[1]);
        assert_eq!(foreseen[0][2], (832.0 + 999.0) / 2.0);
    }

    #[test]
    fn the_scale_of_mase_is_the_error_of_seasonal_naive() {
        assert_eq!(mase_scale(&[1.0, 2.0, 4.0, 3.0], 2), Some(2.0));
        assert_eq!(mase_scale(&[1.0; 10], 2), None);
        assert_eq!(mase_scale(&[1.0, 2.0], 2), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_in_order_and_never_negative(
            known in prop::collection::vec(0.0..1e6_f64, 1..400),
            horizon in 1..100_usize,
        ) {
            for baseline in Baseline::ALL {
                let foreseen = baseline.forecast(&known, horizon);
                prop_assert_eq!(foreseen.len(), horizon);
                for quantiles in foreseen {
                    prop_assert!(quantiles[0] >= 0.0);
                    prop_assert!(quantiles.is_sorted());
                }
            }
        }
    }
}
