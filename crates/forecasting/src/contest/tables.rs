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

/// Prophet-class models and what they were fitted on; absent where there was too little.
pub(crate) struct Structurals {
    pub(crate) additive: Option<Structural>,
    pub(crate) multiplicative: Option<Structural>,
    pub(crate) trained_to: usize,
}

/// Climatology in its best variant.
pub(super) struct Climate {
    pub(super) variant: (f64, f64),
    pub(super) outcomes: Vec<Outcome>,
    pub(super) calibration: Calibration,
}

impl Contest<'_> {
    /// Lets a table candidate forecast from every origin.
    fn table_points(
        &self,
        kind: CandidateKind,
        parameters: &SeriesParameters,
        trained_to: usize,
    ) -> Vec<Vec<f64>> {
        let from = |origin: &Origin| {
            let mut points = Vec::with_capacity(self.history.horizon);
            self.history.each_row(*origin, trained_to, |row| {
                points.push(parameters.candidate(kind, row).mean);
            });
            points
        };
        self.origins.iter().map(from).collect()
    }

    pub(super) fn trees(&self, model: &TreesModel) -> Member {
        let history = TreesHistory::new(&TreesSeries {
            values: self.history.values,
            hour_of_week: self.history.hour_of_week,
        });
        let lengths = || {
            self.origins
                .iter()
                .map(|at| self.history.ahead_of(*at).len())
        };
        let rows: Vec<f64> = self
            .origins
            .iter()
            .zip(lengths())
            .flat_map(|(origin, ahead)| history.rows(origin.known, ahead))
            .collect();
        let mut points = model
            .predict_rows(&rows)
            .into_iter()
            .map(|point| point.max(0.0));
        Member {
            kind: CandidateKind::Trees,
            points: lengths()
                .map(|ahead| points.by_ref().take(ahead).collect())
                .collect(),
        }
    }

    pub(super) fn climatology(&self, members: &mut Vec<Member>) -> Climate {
        let first = self.origins[0].known;
        let onset = self.history.onset;
        let learned = Climatology::learn(
            &self.history.values[onset..first],
            &self.history.hour_of_week[onset..first],
        );
        let tried = VARIANTS.map(|variant| {
            let climatology = learned.with_variant(variant);
            let (mut points, mut raw) = (vec![], vec![]);
            for origin in &self.origins {
                let mut path = vec![];
                let mut hour = origin.known;
                self.history.each_row(*origin, first, |row| {
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
        let mut parameters = blank();
        let to = self.structurals.trained_to;
        let fitted = [
            (CandidateKind::ProphetAdditive, &self.structurals.additive),
            (
                CandidateKind::ProphetMultiplicative,
                &self.structurals.multiplicative,
            ),
        ];
        fitted.map(|(kind, structural)| {
            let Some(structural) = structural else {
                return 0.0;
            };
            let tried = GAINS.map(|gain| {
                let with_gain = structural.with_gain(gain);
                if kind == CandidateKind::ProphetAdditive {
                    parameters.additive = with_gain;
                } else {
                    parameters.multiplicative = with_gain;
                }
                let points = self.table_points(kind, &parameters, to);
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
