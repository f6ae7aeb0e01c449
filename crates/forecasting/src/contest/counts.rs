//! The count mixture in the contest: its quantiles beside those of what would be served without it.

use super::origins::Origin;
use super::{Contest, total_loss};
use crate::calibration::Outcome;
use crate::counts::{CountForecast, CountForecaster, CountPrior};
use crate::effects::whole_again;

/// Shares of the count mixture in what is served that the backtest chooses from.
const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Share by which the others must be ahead for small counts not to be left to the mixture alone. They
/// were weighed and given intervals on the very hours of the backtest, which flatters them the more the
/// more of an hour is chance; the mixture was not. Of large numbers little is.
const OTHERS_LEAD: f64 = 0.1;

/// Hours after a shift of the level by which it is known.
const ADAPTED_HOURS: usize = 48;

/// The count mixture, learned before the first origin, and what it said from each.
pub(super) struct Counted {
    pub(super) forecaster: CountForecaster,
    points: Vec<Vec<f64>>,
    pub(super) outcomes: Vec<Outcome>,
    /// Whether the counts are small: see [`CountForecaster::has_small`].
    are_small: bool,
    /// Whether each hour says who forecasts better: at a level that had just shifted, or shifted after
    /// the origin, it is luck.
    foreseeable: Vec<bool>,
}

/// What is served with a share of the count mixture in it.
pub(super) struct Mixed {
    pub(super) share: f64,
    pub(super) points: Vec<Vec<f64>>,
    pub(super) outcomes: Vec<Outcome>,
}

impl Contest<'_> {
    /// Lets the count mixture forecast from every origin, if the hours before the first are counts.
    pub(super) fn counts(&self, prior: &CountPrior) -> Option<Counted> {
        let history = &self.history;
        let onset = history.onset;
        let quiet = history.values.iter().zip(history.factors);
        let seen: Vec<f64> = quiet.map(|(value, factor)| value * factor).collect();
        let values = &whole_again(&seen, history.values)[onset..];
        let hours = &history.hour_of_week[onset..];
        let known: Vec<usize> = self.origins.iter().map(|at| at.known - onset).collect();
        let before = ..known[0];
        let forecaster = CountForecaster::of_counts(&values[before], &hours[before], prior)?;
        let paths = forecaster.forecast_origins(values, hours, &known, history.horizon);
        let said = |(origin, path): (&Origin, &Vec<CountForecast>)| -> Vec<Outcome> {
            let actuals = &history.values[history.ahead_of(*origin)];
            let hours = path.iter().zip(actuals);
            hours
                .map(|(hour, &actual)| (hour.quantiles, actual))
                .collect()
        };
        let shift = forecaster.shift(values, hours);
        let shifted = shift.map(|shift| onset + values.len() - shift.hours);
        let foreseeable = |origin: &Origin| {
            let known_since = shifted.map(|shifted| (shifted, shifted + ADAPTED_HOURS));
            let known = origin.known;
            let is_foreseeable =
                move |hour| known_since.is_none_or(|(at, by)| hour < at || known >= by);
            history.ahead_of(*origin).map(is_foreseeable)
        };
        Some(Counted {
            are_small: forecaster.has_small(&values[before]),
            foreseeable: self.origins.iter().flat_map(foreseeable).collect(),
            outcomes: self.origins.iter().zip(&paths).flat_map(said).collect(),
            points: paths
                .iter()
                .map(|path| path.iter().map(CountForecast::mean).collect())
                .collect(),
            forecaster,
        })
    }
}

impl Counted {
    /// Alone where it is close to the others and loses no more than seasonal naive; else the mean of
    /// its quantiles and theirs at the share that did best, which is none where it adds nothing.
    /// Averaging quantiles is at least as good as the mean of both losses (see [`crate::counts`]).
    pub(super) fn mixed_with(
        &self,
        points: &[Vec<f64>],
        outcomes: &[Outcome],
        naive: &[Outcome],
    ) -> Mixed {
        let loss = |outcomes: &[Outcome]| {
            let all = outcomes.iter().zip(&self.foreseeable);
            let judged = all.filter(|(_, foreseeable)| **foreseeable);
            total_loss(judged.map(|(outcome, _)| outcome))
        };
        let tried = SHARES.map(|share| {
            let mixed = self.quantiles_at(share, outcomes);
            (loss(&mixed), share, mixed)
        });
        let alone = tried[SHARES.len() - 1].0;
        let naive_loss = if naive.is_empty() {
            f64::INFINITY
        } else {
            loss(naive)
        };
        let lead = if self.are_small { OTHERS_LEAD } else { 0.0 };
        let is_close = alone <= (1.0 + lead) * tried[0].0 && alone <= naive_loss;
        let mut tried = tried.into_iter();
        let best = if is_close {
            tried.next_back()
        } else {
            tried.min_by(|a, b| a.0.total_cmp(&b.0))
        };
        let (_, share, outcomes) = best.expect("there are shares");
        let point = |(other, own): (&f64, &f64)| (1.0 - share) * other + share * own;
        let path =
            |(others, own): (&Vec<f64>, &Vec<f64>)| others.iter().zip(own).map(point).collect();
        Mixed {
            share,
            points: points.iter().zip(&self.points).map(path).collect(),
            outcomes,
        }
    }

    fn quantiles_at(&self, share: f64, others: &[Outcome]) -> Vec<Outcome> {
        let mix = |((other, actual), (own, _)): (&Outcome, &Outcome)| {
            let level = |level: usize| (1.0 - share) * other[level] + share * own[level];
            (std::array::from_fn(level), *actual)
        };
        others.iter().zip(&self.outcomes).map(mix).collect()
    }
}
