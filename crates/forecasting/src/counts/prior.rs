//! What the series of a panel have in common, for the young ones above all.

use super::forecaster::counts_in;
use super::mixture::CountMixture;
use super::negative_binomial::Dispersion;
use super::profile::ProfilePrior;
use super::state::{COUNT_STATE_HOURS, Shape};

/// Series of a panel that a prior is learned from at most, spread evenly over it.
const MOST_OTHERS: usize = 16;

/// Mixtures from which on their mean is taken as it is: what a series' own history says about ten
/// weights is mostly noise.
const FEWEST_MIXTURES: usize = 4;

/// What other series of the same use case lend to a series, a young one above all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CountPrior {
    /// Their week. `None`: every hour alike.
    pub profile: Option<ProfilePrior>,
    /// Their scatter. `None`: nothing known.
    pub dispersion: Option<Dispersion>,
    /// What components weigh with them. `None`: all alike.
    pub mixture: Option<CountMixture>,
    /// Whether the mixture is of so many series that one's own history does not better it.
    pub is_settled: bool,
}

impl CountPrior {
    /// Learns week and scatter from pairs of hourly values and local hours of the week, one pair a
    /// series.
    #[must_use]
    pub fn learn(others: &[(&[f64], &[u8])]) -> Self {
        let profile = ProfilePrior::learn(others);
        let dispersions: Vec<Dispersion> = others
            .iter()
            .filter(|(values, _)| values.iter().any(|&value| value > 0.0))
            .map(|(values, hours)| Shape::learn(values, hours, &Self::default()).dispersion)
            .collect();
        Self {
            profile,
            dispersion: Dispersion::pooled(&dispersions),
            mixture: None,
            is_settled: false,
        }
    }

    /// The mixture that a series takes over as it is.
    pub(super) fn settled(&self) -> Option<CountMixture> {
        self.mixture.filter(|_| self.is_settled)
    }

    /// With the mean of the mixtures that the others have learned.
    #[must_use]
    pub fn with_mixtures(self, others: &[CountMixture]) -> Self {
        Self {
            mixture: CountMixture::mean(others),
            is_settled: others.len() >= FEWEST_MIXTURES,
            ..self
        }
    }

    /// Learns from those series of a panel that hold counts for eight weeks or more; nothing when
    /// there are fewer than two of them.
    #[must_use]
    pub fn of_panel<'a>(panel: &[(&'a [f64], &'a [u8])]) -> Self {
        let old = |(values, hours): &(&'a [f64], &'a [u8])| {
            let is_old = values.len() >= COUNT_STATE_HOURS;
            is_old.then(|| Some((counts_in(values, hours)?, *hours)))?
        };
        let old: Vec<_> = panel.iter().filter_map(old).collect();
        if old.len() < 2 {
            return Self::default();
        }
        let apart = old.len().div_ceil(MOST_OTHERS);
        let others = old.iter().step_by(apart);
        let others: Vec<_> = others.map(|(values, hours)| (&**values, *hours)).collect();
        let prior = Self::learn(&others);
        let mixture =
            |(values, hours): &(&[f64], &[u8])| CountMixture::learn(values, hours, &prior);
        let mixtures: Vec<CountMixture> = others.iter().map(mixture).collect();
        prior.with_mixtures(&mixtures)
    }
}
