//! Sums over forecast paths, and the scores they give.

use std::collections::BTreeMap;

use foretide_domain::LEVELS;

/// Weekdays, from Monday.
const DAYS: usize = 7;

/// Forecasts of one model from one origin, and what happened.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    /// Name of the series.
    pub series: &'a str,
    /// Index of the model in the list the backtest was made with.
    pub model: usize,
    /// Quantiles at [`LEVELS`], an hour each.
    pub quantiles: &'a [[f64; 5]],
    /// What happened in these hours; it may end earlier.
    pub actuals: &'a [f64],
    /// Local weekday of each hour, 0 (Monday) to 6.
    pub weekdays: &'a [u8],
    /// Scale of MASE for this series, if it has one.
    pub mase_scale: Option<f64>,
}

/// Sums over hours that have something in common.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) hours: usize,
    pinball: f64,
    absolute_error: f64,
    absolute_actual: f64,
    inside_80: usize,
    inside_95: usize,
    /// Hours at or below each quantile; one that equals it counts half.
    below: [f64; 5],
}

impl Sums {
    fn add(&mut self, quantiles: &[f64; 5], actual: f64) {
        self.hours += 1;
        self.absolute_error += (actual - quantiles[2]).abs();
        self.absolute_actual += actual.abs();
        let inside = |low: usize, high: usize| {
            usize::from(quantiles[low] <= actual && actual <= quantiles[high])
        };
        self.inside_80 += inside(1, 3);
        self.inside_95 += inside(0, 4);
        let mut loss = 0.0;
        for (index, level) in LEVELS.into_iter().enumerate() {
            let miss = actual - quantiles[index];
            loss += (level * miss).max((level - 1.0) * miss);
            self.below[index] += match actual.total_cmp(&quantiles[index]) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 0.0,
            };
        }
        self.pinball += loss / LEVELS.len() as f64;
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.hours.max(1) as f64
    }

    pub(crate) fn coverage_80(&self) -> f64 {
        self.mean(self.inside_80 as f64)
    }

    pub(crate) fn coverage_95(&self) -> f64 {
        self.mean(self.inside_95 as f64)
    }

    pub(crate) fn wql(&self) -> Option<f64> {
        (self.absolute_actual > 0.0).then(|| 2.0 * self.pinball / self.absolute_actual)
    }

    pub(crate) fn shares_below(&self) -> [f64; 5] {
        self.below.map(|count| self.mean(count))
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ModelTally {
    pub(crate) all: Sums,
    pub(crate) by_horizon: Vec<Sums>,
    pub(crate) by_weekday: [Sums; DAYS],
    by_series: BTreeMap<String, (Sums, Option<f64>)>,
}

/// How good one model was.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The model.
    pub model: String,
    /// Hours that were scored.
    pub hours: usize,
    /// Mean pinball loss over the five levels, in units of the series.
    pub pinball: f64,
    /// Weighted quantile loss: twice the pinball loss over the sum of what happened. `None` when
    /// nothing happened.
    pub wql: Option<f64>,
    /// The same for each series, then the mean over series.
    pub wql_macro: Option<f64>,
    /// Mean absolute error of the median.
    pub mae: f64,
    /// Mean absolute scaled error, mean over series that have a scale.
    pub mase: Option<f64>,
    /// Share of hours inside the 80% interval.
    pub coverage_80: f64,
    /// Share of hours inside the 95% interval.
    pub coverage_95: f64,
}

/// Sums of everything that was scored.
#[derive(Debug, Clone)]
pub struct Backtest {
    pub(crate) models: Vec<String>,
    pub(crate) tallies: Vec<ModelTally>,
    pub(crate) horizon: usize,
}

impl Backtest {
    /// Begins a backtest of `models`, of which the first is the one that is judged.
    ///
    /// # Panics
    /// Without a model.
    #[must_use]
    pub fn new(models: Vec<String>, horizon: usize) -> Self {
        assert!(!models.is_empty(), "a backtest needs a model");
        let tally = ModelTally {
            by_horizon: vec![Sums::default(); horizon],
            ..ModelTally::default()
        };
        Self {
            tallies: vec![tally; models.len()],
            models,
            horizon,
        }
    }

    /// Adds a path. Hours beyond the horizon, or of which it is not known what happened, are left
    /// out.
    ///
    /// # Panics
    /// When the path names a model that the backtest does not have.
    pub fn add(&mut self, path: Path<'_>) {
        let tally = &mut self.tallies[path.model];
        if !tally.by_series.contains_key(path.series) {
            tally
                .by_series
                .insert(path.series.to_owned(), (Sums::default(), path.mase_scale));
        }
        let hours = path.quantiles.iter().zip(path.actuals).zip(path.weekdays);
        for (hour, ((quantiles, actual), weekday)) in hours.take(self.horizon).enumerate() {
            tally.all.add(quantiles, *actual);
            tally.by_horizon[hour].add(quantiles, *actual);
            tally.by_weekday[usize::from(*weekday) % DAYS].add(quantiles, *actual);
            if let Some((sums, _)) = tally.by_series.get_mut(path.series) {
                sums.add(quantiles, *actual);
            }
        }
    }

    /// The scores of all models, in their order.
    #[must_use]
    pub fn scores(&self) -> Vec<Score> {
        self.models
            .iter()
            .zip(&self.tallies)
            .map(|(model, tally)| {
                let series = || tally.by_series.values();
                let score = score(model, &tally.all, None);
                Score {
                    wql_macro: mean(series().filter_map(|(sums, _)| sums.wql())),
                    mase: mean(series().filter_map(|(sums, scale)| mase(sums, *scale))),
                    ..score
                }
            })
            .collect()
    }

    /// The scores of every series by every model: series, then models in their order.
    #[must_use]
    pub fn scores_by_series(&self) -> Vec<(String, Score)> {
        let mut scores = Vec::new();
        for series in self.tallies[0].by_series.keys() {
            for (model, tally) in self.models.iter().zip(&self.tallies) {
                if let Some((sums, scale)) = tally.by_series.get(series) {
                    scores.push((series.clone(), score(model, sums, *scale)));
                }
            }
        }
        scores
    }
}

fn score(model: &str, sums: &Sums, scale: Option<f64>) -> Score {
    Score {
        model: model.to_owned(),
        hours: sums.hours,
        pinball: sums.mean(sums.pinball),
        wql: sums.wql(),
        wql_macro: sums.wql(),
        mae: sums.mean(sums.absolute_error),
        mase: mase(sums, scale),
        coverage_80: sums.coverage_80(),
        coverage_95: sums.coverage_95(),
    }
}

fn mase(sums: &Sums, scale: Option<f64>) -> Option<f64> {
    (sums.hours > 0).then(|| scale.map(|scale| sums.mean(sums.absolute_error) / scale))?
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: [f64; 5] = [8.0, 9.0, 10.0, 11.0, 12.0];

    fn backtest(paths: &[(&str, &[f64], Option<f64>)]) -> Backtest {
        let mut backtest = Backtest::new(vec!["m".to_owned()], 3);
        for (series, actuals, mase_scale) in paths {
            backtest.add(Path {
                series,
                model: 0,
                quantiles: &[NARROW; 3],
                actuals,
                weekdays: &[0, 0, 6],
                mase_scale: *mase_scale,
            });
        }
        backtest
    }

    #[test]
    fn scores_are_those_one_computes_by_hand() {
        let score = &backtest(&[("a", &[10.0, 12.0, 20.0], Some(2.0))]).scores()[0];
        assert_eq!(score.hours, 3);
        assert!((score.mae - 4.0).abs() < 1e-12);
        assert_eq!(score.mase, Some(2.0));
        assert!((score.coverage_80 - 1.0 / 3.0).abs() < 1e-12);
        assert!((score.coverage_95 - 2.0 / 3.0).abs() < 1e-12);
        // By hand: the losses at the five levels are
        // 10: .05 + .1 + 0 + .1 + .05; 12: .1 + .3 + 1 + .9 + 0; 20: .3 + 1.1 + 5 + 8.1 + 7.8.
        let pinball = (0.3 + 2.3 + 22.3) / 15.0;
        assert!((score.pinball - pinball).abs() < 1e-12, "{}", score.pinball);
        let wql = 2.0 * 3.0 * pinball / 42.0;
        assert!((score.wql.unwrap() - wql).abs() < 1e-12);
    }

    #[test]
    fn a_large_series_does_not_drown_a_small_one_in_macro_scores() {
        let both = backtest(&[
            ("large", &[1000.0; 3], Some(100.0)),
            ("small", &[10.0; 3], Some(1.0)),
        ]);
        let alone = backtest(&[("small", &[10.0; 3], None)]).scores()[0]
            .wql
            .unwrap();
        let score = &both.scores()[0];
        let large = both.scores_by_series()[0].1.wql.unwrap();
        assert!((score.wql_macro.unwrap() - f64::midpoint(alone, large)).abs() < 1e-12);
        assert!(score.wql.unwrap() > 0.9 * large);
        assert!((score.mase.unwrap() - 9.9 / 2.0).abs() < 1e-12);
    }

    #[test]
    fn hours_that_have_not_happened_are_not_scored() {
        let backtest = backtest(&[("a", &[10.0], None)]);
        assert_eq!(backtest.scores()[0].hours, 1);
        assert_eq!(backtest.tallies[0].by_horizon[1].hours, 0);
        assert_eq!(backtest.tallies[0].by_weekday[0].hours, 1);
        assert_eq!(
            backtest.tallies[0].all.shares_below(),
            [0.0, 0.0, 0.5, 1.0, 1.0]
        );
    }
}
