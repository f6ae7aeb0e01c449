//! One series: its candidates forecast from rolling origins inside the history, and what they earn
//! there decides what is served.
//!
//! Origins lie a day apart over the last days of the history. Parameters are fitted before the
//! first of them, in a long history again on the way; state steps run at each. Nothing at or after
//! an origin is seen from it.
//!
//! The contest is held on the series as it would have been without events ([`crate::effects`]), so
//! that no candidate is blamed or praised for one; scores and intervals are those of what happened.

mod counts;
mod members;
mod origins;
mod tables;

use crate::calibration::{Calibration, Outcome};
use crate::candidate::{CandidateKind, CandidateScore};
use crate::candidates::StateStep;
use crate::counts::{CountForecaster, CountPrior};
use crate::coverage::Coverage;
use crate::effects::with_events;
use crate::intervals::{Intervals, Missed};
use crate::metrics::{evaluate_values, pinball_of};
use crate::model::served_weights;
use crate::train::TrainOptions;
use crate::weighting;

pub(crate) use members::blank;
use members::{Member, combined, state_members};
use origins::Origin;
pub(crate) use origins::{History, fit_days, origin_days, trees_days};
pub(crate) use tables::{Structurals, TreesAsOf};

/// Shares of climatology's own quantiles that the backtest chooses from.
const SHARES: [f64; 2] = [0.0, 0.5];

/// One rolling forecast beside what happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    /// Expected counts.
    pub(crate) means: Vec<f64>,
    /// Quantiles, and what happened.
    pub(crate) outcomes: Vec<Outcome>,
}

/// The contest of one series, decided.
pub(crate) struct Decision {
    pub(crate) champion: CandidateKind,
    pub(crate) weights: [f64; CandidateKind::ALL.len()],
    pub(crate) climatology_variant: (f64, f64),
    pub(crate) gains: [f64; 2],
    pub(crate) intervals: Intervals,
    pub(crate) climatology_share: f64,
    pub(crate) calibration: Calibration,
    pub(crate) scores: Vec<CandidateScore>,
    /// Share by which what is served is below the best baseline's pinball loss.
    pub(crate) gain: f64,
    /// The best baseline.
    pub(crate) baseline: CandidateKind,
    /// What would be served without the count mixture.
    pub(crate) without_counts: CandidateKind,
    /// The count mixture, if it is part of what is served.
    pub(crate) counts: Option<CountForecaster>,
    pub(crate) served: Vec<Path>,
    pub(crate) hours_of_week: Vec<u8>,
    pub(crate) early: StateStep,
}

/// Holds the contest.
pub(crate) fn decide(
    history: History<'_>,
    structurals: &[Structurals],
    trees: &[TreesAsOf<'_>],
    prior: &CountPrior,
    options: &TrainOptions,
) -> Decision {
    let origins = history.origins();
    let fits: Vec<usize> = structurals.iter().map(|fit| fit.trained_to).collect();
    let (validation, mut members) = state_members(&history, &origins, &fits);
    let contest = Contest {
        history,
        origins,
        structurals,
    };
    let climatology = contest.climatology(&mut members);
    let gains = contest.prophets(&mut members);
    members.extend(contest.trees(trees));
    let error = |member: &Member| {
        // Where the count mixture is alone, someone must stand in for series that are no counts.
        let is_left = options.candidates == [CandidateKind::CountMixture];
        let takes_part = options.allows(member.kind) || is_left;
        takes_part.then(|| contest.error(&member.points))
    };
    let errors: Vec<Option<f64>> = members.iter().map(error).collect();
    let shares = weighting::by_error(&errors);
    let points = combined(&members, &shares);
    let ensemble = contest.missed(&points);
    let (intervals, own) = Intervals::learn(&ensemble);
    let (share, blended) = if options.allows(CandidateKind::Climatology) {
        best_share(&own, &climatology.outcomes)
    } else {
        (0.0, own)
    };
    let score = |kind, outcomes: &[Outcome]| scored(kind, &contest.with_events(outcomes));
    let mut scores: Vec<CandidateScore> = members
        .iter()
        .zip(&shares)
        .filter(|(member, share)| **share > 0.0 || member.kind == CandidateKind::SeasonalNaive)
        .map(|(member, _)| {
            let missed = contest.missed(&member.points);
            score(
                member.kind,
                &Intervals::crossed(&missed, intervals.exponent),
            )
        })
        .filter(|score| score.kind != CandidateKind::Climatology)
        .collect();
    scores.push(score(CandidateKind::Climatology, &climatology.outcomes));
    if members.len() > 1 {
        scores.push(score(CandidateKind::Ensemble, &blended));
    }
    let pinball = |kind| {
        let found = scores
            .iter()
            .find(|score: &&CandidateScore| score.kind == kind);
        found.map_or(f64::INFINITY, |score| score.pinball)
    };
    let naive = pinball(CandidateKind::SeasonalNaive);
    let baseline = if naive < pinball(CandidateKind::Climatology) {
        CandidateKind::SeasonalNaive
    } else {
        CandidateKind::Climatology
    };
    let to_beat = pinball(baseline);
    let naive = members
        .iter()
        .find(|member| member.kind == CandidateKind::SeasonalNaive);
    let naive = naive.map_or_else(Vec::new, |naive| {
        let residuals = contest.missed(&naive.points);
        Intervals::crossed(&residuals, intervals.exponent)
    });
    let mut gain = gain_over(to_beat, pinball(CandidateKind::Ensemble));
    let wins = gain > options.margin || !options.allows(baseline);
    let champion = if wins {
        CandidateKind::Ensemble
    } else {
        baseline
    };
    let mut weights = [0.0; CandidateKind::ALL.len()];
    let (points, outcomes, intervals, climatology_share) = match champion {
        CandidateKind::Ensemble => {
            for (member, share) in members.iter().zip(&shares) {
                weights[member.kind.index()] = *share;
            }
            (points, blended, intervals, share)
        }
        kind => {
            weights[kind.index()] = 1.0;
            let alone: Vec<f64> = members
                .iter()
                .map(|member| f64::from(u8::from(member.kind == kind)))
                .collect();
            let points = combined(&members, &alone);
            let missed = contest.missed(&points);
            let (intervals, own) = Intervals::learn(&missed);
            let (share, outcomes) = if kind == CandidateKind::Climatology {
                (1.0, climatology.outcomes)
            } else {
                (0.0, own)
            };
            (points, outcomes, intervals, share)
        }
    };
    let counted = options
        .allows(CandidateKind::CountMixture)
        .then(|| contest.counts(prior))
        .flatten();
    let counts = counted.map(|counted| {
        scores.push(score(CandidateKind::CountMixture, &counted.outcomes));
        let mixed = counted.mixed_with(&points, &outcomes, &naive);
        (counted.forecaster, mixed)
    });
    let without_counts = champion;
    let (champion, points, outcomes, counts) = match counts {
        Some((forecaster, mixed)) if mixed.share > 0.0 => {
            let kind = if mixed.share < 1.0 {
                scores.retain(|score| score.kind != CandidateKind::Ensemble);
                scores.push(score(CandidateKind::Ensemble, &mixed.outcomes));
                CandidateKind::Ensemble
            } else {
                weights = [0.0; CandidateKind::ALL.len()];
                CandidateKind::CountMixture
            };
            weights[CandidateKind::CountMixture.index()] = mixed.share;
            gain = gain_over(to_beat, score(kind, &mixed.outcomes).pinball);
            (kind, mixed.points, mixed.outcomes, Some(forecaster))
        }
        _ => (champion, points, outcomes, None),
    };
    let hours_of_week = contest.hours_of_week();
    Decision {
        champion,
        weights,
        climatology_variant: climatology.variant,
        gains,
        intervals,
        climatology_share,
        calibration: climatology.calibration,
        scores,
        gain,
        baseline,
        without_counts,
        counts,
        served: contest.paths(&points, &outcomes),
        hours_of_week,
        early: validation.early,
    }
}

/// Pinball loss, summed over hours.
fn total_loss<'o>(outcomes: impl IntoIterator<Item = &'o Outcome>) -> f64 {
    let losses = outcomes
        .into_iter()
        .map(|(q, actual)| pinball_of(q, *actual));
    losses.sum()
}

/// The share by which a loss is below the one to beat. Nothing is better than a loss of 0, so what
/// equals it has gained nothing.
fn gain_over(to_beat: f64, loss: f64) -> f64 {
    if to_beat > 0.0 {
        1.0 - loss / to_beat
    } else {
        0.0
    }
}

struct Contest<'a> {
    history: History<'a>,
    origins: Vec<Origin>,
    /// Of every fit, oldest first.
    structurals: &'a [Structurals],
}

impl Contest<'_> {
    /// Every hour of what was said, beside what happened.
    fn missed(&self, points: &[Vec<f64>]) -> Vec<Missed> {
        let mut all = Vec::new();
        for (index, (origin, points)) in self.origins.iter().zip(points).enumerate() {
            let actuals = &self.history.values[self.history.ahead_of(*origin)];
            for (step, (&point, &actual)) in points.iter().zip(actuals).enumerate() {
                all.push(Missed {
                    origin: index,
                    ahead: step + 1,
                    point,
                    actual,
                });
            }
        }
        all
    }

    /// The factor of every hour ahead of every origin.
    fn factors(&self) -> impl Iterator<Item = f64> {
        let ahead = |origin: &Origin| &self.history.factors[self.history.ahead_of(*origin)];
        self.origins.iter().flat_map(ahead).copied()
    }

    /// Quantiles and what happened, events put in again.
    fn with_events(&self, outcomes: &[Outcome]) -> Vec<Outcome> {
        let put_in = |((quantiles, quiet), factor): (&Outcome, f64)| {
            (with_events(*quantiles, factor), quiet * factor)
        };
        outcomes.iter().zip(self.factors()).map(put_in).collect()
    }

    /// What would have been served, events put in again.
    fn paths(&self, points: &[Vec<f64>], outcomes: &[Outcome]) -> Vec<Path> {
        let mut factors = self.factors();
        let mut outcomes = self.with_events(outcomes).into_iter();
        let path = |points: &Vec<f64>| {
            let factors = factors.by_ref().take(points.len());
            Path {
                means: points.iter().zip(factors).map(|(p, f)| p * f).collect(),
                outcomes: outcomes.by_ref().take(points.len()).collect(),
            }
        };
        points.iter().map(path).collect()
    }

    fn hours_of_week(&self) -> Vec<u8> {
        let hours =
            |origin: &Origin| self.history.hour_of_week[self.history.ahead_of(*origin)].to_vec();
        self.origins.iter().flat_map(hours).collect()
    }

    fn error(&self, points: &[Vec<f64>]) -> f64 {
        let (mut total, mut weights) = (0.0, 0.0);
        for (origin, points) in self.origins.iter().zip(points) {
            let actuals = &self.history.values[self.history.ahead_of(*origin)];
            let errors = points
                .iter()
                .zip(actuals)
                .map(|(point, actual)| (point - actual).abs());
            total += origin.weight * errors.sum::<f64>();
            weights += origin.weight * actuals.len() as f64;
        }
        total / weights
    }
}

/// The share of climatology's quantiles that did best, and the outcomes with it.
fn best_share(own: &[Outcome], climate: &[Outcome]) -> (f64, Vec<Outcome>) {
    let blend = |share: f64| -> Vec<Outcome> {
        let mix = |((own, actual), (climate, _)): (&Outcome, &Outcome)| {
            let level = |level: usize| (1.0 - share) * own[level] + share * climate[level];
            (std::array::from_fn(level), *actual)
        };
        own.iter().zip(climate).map(mix).collect()
    };
    let tried = SHARES.map(|share| {
        let blended = blend(share);
        let loss: f64 = blended
            .iter()
            .map(|(q, actual)| pinball_of(q, *actual))
            .sum();
        (loss, share, blended)
    });
    let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    let (_, share, blended) = best.expect("there are shares");
    (share, blended)
}

fn scored(kind: CandidateKind, outcomes: &[Outcome]) -> CandidateScore {
    let evaluation = evaluate_values(outcomes).expect("origins have hours ahead");
    CandidateScore {
        kind,
        pinball: evaluation.pinball,
        mae: evaluation.mae,
        coverage_80: evaluation.coverage_80,
        coverage_95: evaluation.coverage_95,
    }
}

impl Decision {
    /// The candidates that weigh something.
    pub(crate) fn each_weight(&self) -> Vec<(CandidateKind, f64)> {
        served_weights(&self.weights)
    }

    /// How often the intervals held in the backtest.
    pub(crate) fn coverage(&self) -> Coverage {
        Coverage::of(&self.served, &self.hours_of_week)
    }
}
