//! Shape, mixture and whole numbers put together.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::course::{LevelShift, Levels};
use super::mixture::CountMixture;
use super::prior::CountPrior;
use super::state::{COUNT_STATE_HOURS, CountForecast, CountState, Memories, Shape, Tracks};
use super::whole::{in_units, toward_whole, unit_of};
use crate::statistics::mean;
use crate::week::HOURS_OF_WEEK;

/// Mean count an hour up to which whole numbers are taken as counts, however they scatter: beyond
/// it, chance alone moves an hour by less than a thirtieth.
const SMALL_MEAN: f64 = 1_000.0;

/// Overdispersion from which on larger ones are, too: beyond it an hour's standard deviation is
/// above a quarter of its mean.
const SCATTERED: f64 = 0.06;

/// Everything that is learned about one series of counts at a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountForecaster {
    /// Its week and scatter.
    pub shape: Shape,
    /// What the components weigh.
    pub mixture: CountMixture,
    /// Whether its values are whole numbers of units, so that quantiles are drawn to them.
    pub is_whole: bool,
    /// The unit its values are told in: see [`unit_of`].
    pub unit: f64,
}

/// A history in its unit, if it is one of counts: whole numbers, not all zero, that are small or
/// scatter widely.
pub(super) fn counts_in<'v>(values: &'v [f64], hour_of_week: &[u8]) -> Option<Cow<'v, [f64]>> {
    let values = in_units(values, unit_of(values)?);
    let scatter = || Shape::learn(&values, hour_of_week, &CountPrior::default()).dispersion;
    let are_counts = mean(&values) <= SMALL_MEAN || scatter().overdispersion >= SCATTERED;
    are_counts.then_some(values)
}

impl CountForecaster {
    /// Learns from hourly values and the local hours of the week (0 to 167) they lie in. A series
    /// of its own needs no prior; one younger than [`COUNT_STATE_HOURS`] gains from it.
    ///
    /// # Panics
    /// When both slices differ in length or an hour of the week is above 167.
    #[must_use]
    pub fn learn(values: &[f64], hour_of_week: &[u8], prior: &CountPrior) -> Self {
        assert_eq!(
            values.len(),
            hour_of_week.len(),
            "one hour of the week for each value"
        );
        let unit = unit_of(values);
        let values = &in_units(values, unit.unwrap_or(1.0));
        let learned = || CountMixture::learn(values, hour_of_week, prior);
        Self {
            shape: Shape::learn(values, hour_of_week, prior),
            mixture: prior.settled().unwrap_or_else(learned),
            is_whole: unit.is_some(),
            unit: unit.unwrap_or(1.0),
        }
    }

    /// The same, but only of what is worth it: whole numbers that are small, or scatter more around
    /// level and week than the other candidates' intervals expect.
    ///
    /// # Panics
    /// As [`Self::learn`].
    #[must_use]
    pub fn of_counts(values: &[f64], hour_of_week: &[u8], prior: &CountPrior) -> Option<Self> {
        counts_in(values, hour_of_week).map(|_| Self::learn(values, hour_of_week, prior))
    }

    /// Whether an hour of these values, which are in the unit that was learned, is small enough for
    /// chance to move it: [`SMALL_MEAN`] on average at most.
    pub(crate) fn has_small(&self, values: &[f64]) -> bool {
        mean(&in_units(values, self.unit)) <= SMALL_MEAN
    }

    /// With the shape of a longer history. What the components weigh stays, unless the prior, which
    /// must be of that history's time, has settled it.
    #[must_use]
    pub fn reshaped(self, values: &[f64], hour_of_week: &[u8], prior: &CountPrior) -> Self {
        Self {
            shape: Shape::learn(&in_units(values, self.unit), hour_of_week, prior),
            mixture: prior.settled().unwrap_or(self.mixture),
            ..self
        }
    }

    /// The shift of the level that the newest hours show, if any.
    #[must_use]
    pub fn shift(&self, values: &[f64], hour_of_week: &[u8]) -> Option<LevelShift> {
        let levels = Levels::new(values, hour_of_week, &self.shape.profile);
        levels.course(values.len()).shift
    }

    /// Forecasts the hours after the known ones, whose local hours of the week are `ahead`.
    #[must_use]
    pub fn forecast(
        &self,
        values: &[f64],
        hour_of_week: &[u8],
        ahead: &[u8],
    ) -> Vec<CountForecast> {
        let values = in_units(values, self.unit);
        let state = CountState::at_end(&self.shape, &values, hour_of_week);
        self.forecast_state(&state, ahead)
    }

    /// The same from each of several origins (numbers of known hours, at least one each) of one
    /// history that goes on for `horizon` hours or ends before, with less work than one by one:
    /// what a backtest needs. Parameters stay as they are.
    #[must_use]
    pub fn forecast_origins(
        &self,
        values: &[f64],
        hour_of_week: &[u8],
        origins: &[usize],
        horizon: usize,
    ) -> Vec<Vec<CountForecast>> {
        let oldest = origins.iter().copied().min().unwrap_or(0);
        let oldest = oldest.saturating_sub(COUNT_STATE_HOURS);
        let (values, hours) = (&values[oldest..], &hour_of_week[oldest..]);
        let memories = Memories::new();
        let values = in_units(values, self.unit);
        let tracks = Tracks::new(&self.shape, &values, hours);
        origins
            .iter()
            .map(|known| {
                let known = known - oldest;
                let end = (known + horizon).min(hours.len());
                self.forecast_state(
                    &tracks.state(&memories, known, |_| true),
                    &hours[known..end],
                )
            })
            .collect()
    }

    fn forecast_state(&self, state: &CountState, ahead: &[u8]) -> Vec<CountForecast> {
        let forecast = |(ahead, &hour): (usize, &u8)| {
            let hour = usize::from(hour) % HOURS_OF_WEEK;
            let components = state.components(&self.shape, ahead, hour);
            let mut forecast = self.mixture.mix(&components, ahead);
            if self.is_whole {
                forecast.quantiles = toward_whole(forecast.quantiles);
            }
            forecast.times(self.unit)
        };
        (1..).zip(ahead).map(forecast).collect()
    }
}
