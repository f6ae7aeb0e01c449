//! The candidates that are computed from tables and trees, from every origin.

use super::Contest;
use super::members::{Member, blank};
use super::origins::Origin;
use crate::calibration::{Calibration, Outcome};
use crate::candidate::CandidateKind;
use crate::climatology::{Climatology, VARIANTS};
use crate::metrics::pinball_of;
use crate::model::SeriesParameters;
use crate::structural::{GAINS, Structural};
use crate::trees::{TreesHistory, TreesModel, TreesSeries};
use crate::week::HOURS_OF_WEEK;

/// Prophet-class models and what they were fitted on; absent where there was too little.
pub(crate) struct Structurals {
    pub(crate) additive: Option<Structural>,
    pub(crate) multiplicative: Option<Structural>,
    pub(crate) trained_to: usize,
}

impl Structurals {
    fn of(&self, kind: CandidateKind) -> Option<&Structural> {
        match kind {
            CandidateKind::ProphetAdditive => self.additive.as_ref(),
            _ => self.multiplicative.as_ref(),
        }
    }

    /// Parameters of a series with these models alone.
    fn parameters(&self, gain: f64) -> SeriesParameters {
        let mut parameters = blank();
        if let Some(additive) = &self.additive {
            parameters.additive = additive.with_gain(gain);
        }
        if let Some(multiplicative) = &self.multiplicative {
            parameters.multiplicative = multiplicative.with_gain(gain);
        }
        parameters
    }
}

/// Trees as of a moment.
#[derive(Clone, Copy)]
pub(crate) struct TreesAsOf<'a> {
    /// Hours on the panel's grid after which nothing was seen.
    pub(crate) hours: usize,
    pub(crate) model: &'a TreesModel,
}

/// Climatology in its best variant.
pub(super) struct Climate {
    pub(super) variant: (f64, f64),
    pub(super) outcomes: Vec<Outcome>,
    pub(super) calibration: Calibration,
}

impl Contest<'_> {
    /// Which fit an origin is seen with: the newest that saw nothing after it.
    fn fit_of(&self, origin: &Origin) -> usize {
        let is_known = |fit: &&Structurals| fit.trained_to <= origin.known;
        let known = self.structurals.iter().take_while(is_known).count();
        known.saturating_sub(1)
    }

    /// Lets a table candidate forecast from every origin, with the parameters of each fit.
    fn table_points(&self, kind: CandidateKind, fits: &[SeriesParameters]) -> Vec<Vec<f64>> {
        let from = |origin: &Origin| {
            let fit = self.fit_of(origin);
            let mut points = Vec::with_capacity(self.history.horizon);
            let trained_to = self.structurals[fit].trained_to;
            self.history.each_row(*origin, trained_to, |row| {
                points.push(fits[fit].candidate(kind, row).mean);
            });
            points
        };
        self.origins.iter().map(from).collect()
    }

    /// What trees say from each origin, the newest that saw nothing after it; the first must have
    /// some.
    pub(super) fn trees(&self, learned: &[TreesAsOf<'_>]) -> Option<Member> {
        let onset = self.history.onset;
        let history = TreesHistory::new(&TreesSeries {
            values: &self.history.values[onset..],
            hour_of_week: &self.history.hour_of_week[onset..],
        });
        let model = |origin: &Origin| {
            let known = learned.iter().filter(|one| one.hours <= origin.known);
            known.max_by_key(|one| one.hours).map(|one| one.model)
        };
        let first = self.origins.first()?;
        if first.known < onset + HOURS_OF_WEEK {
            return None;
        }
        model(first)?;
        let mut points = Vec::with_capacity(self.origins.len());
        // Rows of origins with the same trees go through them side by side.
        let same = |a: &Origin, b: &Origin| match (model(a), model(b)) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            _ => false,
        };
        for origins in self.origins.chunk_by(same) {
            let ahead = |origin: &Origin| self.history.ahead_of(*origin).len();
            let rows = origins
                .iter()
                .flat_map(|at| history.rows(at.known - onset, ahead(at)));
            let rows: Vec<f64> = rows.collect();
            let mut counts = model(&origins[0])?.predict_rows(&rows).into_iter();
            for origin in origins {
                let path = counts.by_ref().take(ahead(origin));
                points.push(path.map(|count| count.max(0.0)).collect());
            }
        }
        let kind = CandidateKind::Trees;
        Some(Member { kind, points })
    }

    pub(super) fn climatology(&self, members: &mut Vec<Member>) -> Climate {
        let onset = self.history.onset;
        let learn = |fit: &Structurals| {
            let known = onset..fit.trained_to;
            let hours = &self.history.hour_of_week[known.clone()];
            Climatology::learn(&self.history.values[known], hours)
        };
        let learned: Vec<Climatology> = self.structurals.iter().map(learn).collect();
        let tried = VARIANTS.map(|variant| {
            let varied = learned.iter().map(|one| one.with_variant(variant));
            let varied: Vec<Climatology> = varied.collect();
            let (mut points, mut raw) = (vec![], vec![]);
            for origin in &self.origins {
                let mut path = vec![];
                let mut hour = origin.known;
                let fit = self.fit_of(origin);
                let climatology = &varied[fit];
                let trained_to = self.structurals[fit].trained_to;
                self.history.each_row(*origin, trained_to, |row| {
                    path.push(climatology.forecast(row).mean);
                    let quantiles = Calibration::NONE.apply(climatology.quantiles(row));
                    raw.push((quantiles, self.history.values[hour]));
                    hour += 1;
                });
                points.push(path);
            }
            let loss: f64 = raw.iter().map(|(q, actual)| pinball_of(q, *actual)).sum();
            (loss, variant, points, raw)
        });
        let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let (_, variant, points, raw) = best.expect("there are variants");
        let kind = CandidateKind::Climatology;
        members.push(Member { kind, points });
        Climate {
            variant,
            outcomes: self.calibrated(&raw),
            calibration: Calibration::learn(&raw),
        }
    }

    /// Each hour calibrated on the other half of the origins.
    fn calibrated(&self, raw: &[Outcome]) -> Vec<Outcome> {
        let mut halves = Vec::with_capacity(raw.len());
        for (index, origin) in self.origins.iter().enumerate() {
            halves.extend(self.history.ahead_of(*origin).map(|_| index % 2));
        }
        let calibrations = [0, 1].map(|half| {
            let others = raw.iter().zip(&halves).filter(|(_, at)| **at != half);
            Calibration::learn(&others.map(|(outcome, _)| *outcome).collect::<Vec<_>>())
        });
        raw.iter()
            .zip(&halves)
            .map(|((quantiles, actual), half)| (calibrations[*half].apply(*quantiles), *actual))
            .collect()
    }

    /// Adds the Prophet kinds with the gain that errs least; gives the gains.
    pub(super) fn prophets(&self, members: &mut Vec<Member>) -> [f64; 2] {
        let kinds = [
            CandidateKind::ProphetAdditive,
            CandidateKind::ProphetMultiplicative,
        ];
        kinds.map(|kind| {
            if self.structurals.iter().any(|fit| fit.of(kind).is_none()) {
                return 0.0;
            }
            let tried = GAINS.map(|gain| {
                let parameters = |fit: &Structurals| fit.parameters(gain);
                let fits: Vec<SeriesParameters> = self.structurals.iter().map(parameters).collect();
                let points = self.table_points(kind, &fits);
                let member = Member { kind, points };
                (self.error(&member.points), gain, member)
            });
            let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
            let (_, gain, member) = best.expect("there are gains");
            members.push(member);
            gain
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::{History, fit_days, trees_days};
    use crate::trees::{FEATURES, Linear};

    const HOURS: usize = 15 * 168;

    struct Series {
        values: Vec<f64>,
        hour_of_week: Vec<u8>,
        factors: Vec<f64>,
        fits: Vec<Structurals>,
    }

    impl Series {
        fn new() -> Self {
            let fit = |days: &usize| Structurals {
                additive: None,
                multiplicative: None,
                trained_to: HOURS - 24 * days,
            };
            Self {
                values: (0..HOURS).map(|hour| (hour % 24) as f64 + 1.0).collect(),
                hour_of_week: (0..HOURS).map(|hour| (hour % 168) as u8).collect(),
                factors: vec![1.0; HOURS],
                fits: fit_days(HOURS).iter().map(fit).collect(),
            }
        }

        fn contest(&self) -> Contest<'_> {
            let history = History {
                values: &self.values,
                factors: &self.factors,
                hour_of_week: &self.hour_of_week,
                onset: 0,
                horizon: 24,
            };
            Contest {
                history,
                origins: history.origins(),
                structurals: &self.fits,
            }
        }
    }

    /// Trees that move every hour by so many units.
    fn moving_by(units: f64) -> TreesModel {
        TreesModel {
            linear: Linear {
                intercept: units,
                weights: vec![0.0; FEATURES.len()],
            },
            trees: vec![],
        }
    }

    #[test]
    fn each_origin_is_seen_with_the_newest_fit_before_it() {
        let series = Series::new();
        let contest = series.contest();
        assert_eq!(contest.origins.len(), 35);
        for origin in &contest.origins {
            let fit = contest.fit_of(origin);
            assert!(series.fits[fit].trained_to <= origin.known);
            let next = series.fits.get(fit + 1);
            assert!(next.is_none_or(|next| next.trained_to > origin.known));
        }
    }

    #[test]
    fn trees_see_nothing_after_an_origin_and_are_the_newest_that_do_not() {
        let series = Series::new();
        let contest = series.contest();
        let models: Vec<(usize, TreesModel)> = trees_days(HOURS)
            .into_iter()
            .map(|days| (HOURS - 24 * days, moving_by(days as f64)))
            .collect();
        let learned: Vec<TreesAsOf<'_>> = models
            .iter()
            .map(|(hours, model)| TreesAsOf {
                hours: *hours,
                model,
            })
            .collect();
        let all = contest.trees(&learned).expect("the first origin has trees");
        assert_eq!(all.points.len(), contest.origins.len());
        for (index, one) in learned.iter().enumerate() {
            let alone = TreesAsOf { hours: 0, ..*one };
            let alone = contest.trees(&[alone]).expect("trees as of the start");
            let until = learned.get(index + 1).map_or(HOURS, |next| next.hours);
            for (at, origin) in contest.origins.iter().enumerate() {
                let is_seen_by = (one.hours..until).contains(&origin.known);
                assert_eq!(all.points[at] == alone.points[at], is_seen_by);
            }
        }
        assert!(contest.trees(&learned[1..]).is_none());
    }
}
