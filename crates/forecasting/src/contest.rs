//! One series: its candidates forecast from rolling origins inside the history, and what they earn
//! there decides what is served.
//!
//! Origins lie a day apart over the last days of the history. Parameters are fitted before the
//! first of them; state steps run at each. Nothing at or after an origin is seen from it.

use crate::calibration::{Calibration, Outcome};
use crate::candidate::{CandidateKind, CandidateScore};
use crate::candidates::{
    Horizon, LocalHistory, STATE_CANDIDATES, StateStep, Validation, point, validate,
};
use crate::climatology::{Climatology, VARIANTS};
use crate::coverage::Coverage;
use crate::intervals::{Intervals, Missed};
use crate::metrics::{evaluate_values, pinball_of};
use crate::model::{RegressorRange, Row, SeriesParameters};
use crate::panel::Regressor;
use crate::schema::SeriesState;
use crate::structural::{GAINS, Link, Structural};
use crate::train::TrainOptions;
use crate::trees::{self, TreesHistory, TreesModel, TreesSeries};
use crate::weighting;

/// Days of origins for histories of at least so many hours.
const ORIGIN_DAYS: [(usize, usize); 3] = [(10 * 168, 14), (3 * 168, 7), (0, 4)];

/// Shares of climatology's own quantiles that the backtest chooses from.
const SHARES: [f64; 2] = [0.0, 0.5];

/// Logarithm of the factor from which on a regressor's effect is worth knowing.
const SMALLEST_EFFECT: f64 = 0.15;

/// Share by which the ensemble may be worse than a baseline in days without events, if it knows what
/// they do.
const EFFECT_MARGIN: f64 = 0.03;

/// Hours of history below which climatology stands alone: three weeks.
const ENSEMBLE_HOURS: usize = 504;

/// The days of the contest may hold few events: effects found in the whole history are believed as
/// long as they do not raise the error by more than this factor.
const EFFECT_TOLERANCE: f64 = 1.005;

/// One rolling forecast beside what happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    /// Expected counts.
    pub(crate) means: Vec<f64>,
    /// Quantiles, and what happened.
    pub(crate) outcomes: Vec<Outcome>,
}

/// Days of origins that a history of so many hours has.
pub(crate) fn origin_days(hours: usize) -> usize {
    let fits = |&&(least, _): &&(usize, usize)| hours >= least;
    ORIGIN_DAYS.iter().find(fits).map_or(0, |&(_, days)| days)
}

/// A series' history on the panel's grid.
#[derive(Clone, Copy)]
pub(crate) struct History<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) hour_of_week: &'a [u8],
    pub(crate) regressors: &'a [Regressor],
    /// First hour that counts.
    pub(crate) onset: usize,
    pub(crate) horizon: usize,
}

impl History<'_> {
    fn origins(&self) -> Vec<Origin> {
        let hours = self.values.len();
        let days = origin_days(hours - self.onset);
        (1..=days)
            .rev()
            .map(|days_back| Origin {
                known: hours - 24 * days_back,
                weight: weighting::recency(days_back),
            })
            .collect()
    }

    fn ahead_of(&self, origin: Origin) -> std::ops::Range<usize> {
        origin.known..(origin.known + self.horizon).min(self.values.len())
    }

    /// Rows of the hours ahead of an origin, for table candidates whose days start at `day_zero`.
    fn each_row(&self, origin: Origin, day_zero: usize, mut see: impl FnMut(&Row<'_>)) {
        let known = SeriesState::at_end(&self.values[self.onset..origin.known]);
        let days = |hour: usize| (hour as f64 - day_zero as f64) / 24.0;
        let mut regressors = vec![0.0; self.regressors.len()];
        for hour in self.ahead_of(origin) {
            for (value, regressor) in regressors.iter_mut().zip(self.regressors) {
                *value = regressor.values[hour];
            }
            see(&Row {
                days: days(hour),
                issue_days: days(origin.known),
                hour_of_week: usize::from(self.hour_of_week[hour]),
                regressors: &regressors,
                week_level: known.week_level,
                month_level: known.month_level,
                recent: known.recent,
            });
        }
    }
}

/// A moment inside the history at which candidates forecast.
#[derive(Debug, Clone, Copy)]
struct Origin {
    /// Hours known, on the panel's grid.
    known: usize,
    /// What errors from here count.
    weight: f64,
}

/// Prophet-class models and what they were fitted on; absent where there was too little.
pub(crate) struct Structurals {
    pub(crate) additive: Option<Structural>,
    pub(crate) multiplicative: Option<Structural>,
    pub(crate) ranges: Vec<RegressorRange>,
    pub(crate) trained_to: usize,
}

impl Structurals {
    /// Whether a regressor moves counts by enough to be worth knowing.
    fn have_effects(&self) -> bool {
        let effects = self.multiplicative.iter().flat_map(|model| &model.effects);
        effects
            .zip(&self.ranges)
            .any(|(effect, range)| (effect * (range.high - range.low)).abs() > SMALLEST_EFFECT)
    }
}

/// What a candidate said from each origin.
struct Member {
    kind: CandidateKind,
    points: Vec<Vec<f64>>,
}

/// The contest of one series, decided.
pub(crate) struct Decision {
    pub(crate) champion: CandidateKind,
    pub(crate) weights: [f64; CandidateKind::ALL.len()],
    pub(crate) climatology_variant: (f64, f64),
    pub(crate) gains: [f64; 2],
    pub(crate) effect_share: f64,
    pub(crate) intervals: Intervals,
    pub(crate) climatology_share: f64,
    pub(crate) calibration: Calibration,
    pub(crate) scores: Vec<CandidateScore>,
    /// Share by which the ensemble's pinball loss is below the best baseline's.
    pub(crate) gain: f64,
    pub(crate) served: Vec<Path>,
    pub(crate) hours_of_week: Vec<u8>,
    pub(crate) early: StateStep,
    pub(crate) local: LocalHistory,
}

/// Holds the contest.
pub(crate) fn decide(
    history: History<'_>,
    structurals: &Structurals,
    trees: Option<&TreesModel>,
    options: &TrainOptions,
) -> Decision {
    let origins = history.origins();
    let (local, validation, mut members) = state_members(&history, &origins);
    let contest = Contest {
        history,
        origins,
        structurals,
    };
    let climatology = contest.climatology(&mut members);
    let gains = contest.prophets(&mut members);
    if let Some(trees) = trees {
        members.push(contest.trees(trees));
    }
    let error = |member: &Member| {
        let takes_part = options.allows(member.kind);
        takes_part.then(|| contest.error(&member.points))
    };
    let errors: Vec<Option<f64>> = members.iter().map(error).collect();
    let shares = weighting::by_error(&errors);
    let points = combined(&members, &shares);
    let moved = contest.with_effects(&points, &members, &shares);
    let effect_share = f64::from(u8::from(moved.is_some()));
    let has_effects = moved.is_some() && structurals.have_effects();
    let points = moved.unwrap_or(points);
    let ensemble = contest.missed(&points);
    let intervals = Intervals::learn(&ensemble);
    let own = Intervals::crossed(&ensemble, intervals.exponent);
    let (share, blended) = if options.allows(CandidateKind::Climatology) && !has_effects {
        best_share(&own, &climatology.outcomes)
    } else {
        (0.0, own)
    };
    let score = |kind, outcomes: &[Outcome]| scored(kind, outcomes);
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
    let gain = 1.0 - pinball(CandidateKind::Ensemble) / pinball(baseline).max(f64::MIN_POSITIVE);
    let needed = if has_effects {
        -EFFECT_MARGIN
    } else {
        options.margin
    };
    let wins = gain > needed || !options.allows(baseline);
    let champion = if wins {
        CandidateKind::Ensemble
    } else {
        baseline
    };
    let mut weights = [0.0; CandidateKind::ALL.len()];
    let mut served_effects = effect_share;
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
            // A baseline, too, is told of events that matter.
            let told = has_effects
                .then(|| contest.with_effects(&points, &members, &alone))
                .flatten();
            served_effects = f64::from(u8::from(told.is_some()));
            let knows_no_events = told.is_none();
            let points = told.unwrap_or(points);
            let missed = contest.missed(&points);
            let intervals = Intervals::learn(&missed);
            let (share, outcomes) = if kind == CandidateKind::Climatology && knows_no_events {
                (1.0, climatology.outcomes)
            } else {
                (0.0, Intervals::crossed(&missed, intervals.exponent))
            };
            (points, outcomes, intervals, share)
        }
    };
    let hours_of_week = contest.hours_of_week();
    Decision {
        champion,
        weights,
        climatology_variant: climatology.variant,
        gains,
        effect_share: served_effects,
        intervals,
        climatology_share,
        calibration: climatology.calibration,
        scores,
        gain,
        served: paths(points, outcomes),
        hours_of_week,
        early: validation.early,
        local,
    }
}

/// Climatology in its best variant.
struct Climate {
    variant: (f64, f64),
    outcomes: Vec<Outcome>,
    calibration: Calibration,
}

struct Contest<'a> {
    history: History<'a>,
    origins: Vec<Origin>,
    structurals: &'a Structurals,
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

    /// Lets a table candidate forecast from every origin.
    fn table_points(
        &self,
        kind: CandidateKind,
        parameters: &SeriesParameters,
        ranges: &[RegressorRange],
        trained_to: usize,
    ) -> Vec<Vec<f64>> {
        let from = |origin: &Origin| {
            let mut points = Vec::with_capacity(self.history.horizon);
            self.history.each_row(*origin, trained_to, |row| {
                points.push(parameters.candidate(kind, row, ranges).mean);
            });
            points
        };
        self.origins.iter().map(from).collect()
    }

    fn trees(&self, model: &TreesModel) -> Member {
        let history = TreesHistory::new(&TreesSeries {
            values: self.history.values,
            hour_of_week: self.history.hour_of_week,
            regressors: self.history.regressors,
        });
        let width = trees::row_width(self.history.regressors.len());
        let from = |origin: &Origin| {
            let ahead = self.history.ahead_of(*origin).len();
            let rows = history.rows(origin.known, ahead);
            let rows = rows.chunks_exact(width);
            rows.map(|row| model.predict(row).max(0.0)).collect()
        };
        Member {
            kind: CandidateKind::Trees,
            points: self.origins.iter().map(from).collect(),
        }
    }

    fn climatology(&self, members: &mut Vec<Member>) -> Climate {
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

    /// Whether the regressors' effects, found in the whole history, are to move the members that do
    /// not know them; if so, the ensemble's points with them.
    fn with_effects(
        &self,
        points: &[Vec<f64>],
        members: &[Member],
        shares: &[f64],
    ) -> Option<Vec<Vec<f64>>> {
        let structural = self.structurals.multiplicative.as_ref()?;
        if self.history.regressors.is_empty() {
            return None;
        }
        let unaware: Vec<f64> = members
            .iter()
            .zip(shares)
            .map(|(member, share)| if is_unaware(member.kind) { *share } else { 0.0 })
            .collect();
        let unaware = combined(members, &unaware);
        let mut parameters = blank(self.history.regressors.len());
        parameters
            .multiplicative
            .effects
            .clone_from(&structural.effects);
        parameters.effect_share = 1.0;
        let mut moved = points.to_vec();
        for ((origin, moved), unaware) in self.origins.iter().zip(&mut moved).zip(&unaware) {
            let mut hours = moved.iter_mut().zip(unaware);
            self.history
                .each_row(*origin, self.structurals.trained_to, |row| {
                    let effect = parameters.effect(row, &self.structurals.ranges);
                    if let Some((point, unaware)) = hours.next() {
                        *point += unaware * effect.exp_m1();
                    }
                });
        }
        let is_no_worse = self.error(&moved) <= EFFECT_TOLERANCE * self.error(points);
        is_no_worse.then_some(moved)
    }

    /// Adds the Prophet kinds with the gain that errs least; gives the gains.
    fn prophets(&self, members: &mut Vec<Member>) -> [f64; 2] {
        let mut parameters = blank(self.history.regressors.len());
        let ranges = &self.structurals.ranges;
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
                let points = self.table_points(kind, &parameters, ranges, to);
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

/// Parameters without any candidate.
pub(crate) fn blank(regressors: usize) -> SeriesParameters {
    SeriesParameters {
        weights: [0.0; CandidateKind::ALL.len()],
        climatology: Climatology::learn(&[], &[]),
        additive: Structural::absent(Link::Identity, regressors),
        multiplicative: Structural::absent(Link::Log, regressors),
        effect_share: 0.0,
        intervals: Intervals::NONE,
        climatology_share: 0.0,
        calibration: Calibration::NONE,
    }
}

fn state_members(
    history: &History<'_>,
    origins: &[Origin],
) -> (LocalHistory, Validation, Vec<Member>) {
    let onset = history.onset;
    let local = LocalHistory::new(&history.values[onset..], &history.hour_of_week[onset..]);
    let horizons: Vec<Horizon> = origins
        .iter()
        .map(|origin| {
            let ahead = &history.hour_of_week[history.ahead_of(*origin)];
            Horizon::new(history.hour_of_week[origin.known - 1], ahead)
        })
        .collect();
    let cuts: Vec<(usize, f64)> = origins
        .iter()
        .map(|origin| (local.known(origin.known - onset).len(), origin.weight))
        .collect();
    let ahead = horizons
        .iter()
        .map(|horizon| horizon.length)
        .max()
        .unwrap_or(0);
    let validation = validate(&local.values, &cuts, ahead);
    let points = |candidate: usize| {
        let from = |(horizon, paths): (&Horizon, &Vec<Vec<_>>)| {
            horizon.pick(&paths[candidate]).iter().map(point).collect()
        };
        horizons.iter().zip(&validation.paths).map(from).collect()
    };
    let is_long = history.values.len() - onset >= ENSEMBLE_HOURS;
    let members = STATE_CANDIDATES
        .iter()
        .enumerate()
        .filter(|(candidate, _)| is_long && validation.early.has(*candidate))
        .map(|(candidate, &kind)| Member {
            kind,
            points: points(candidate),
        })
        .collect();
    (local, validation, members)
}

/// Whether a candidate does not know the regressors.
fn is_unaware(kind: CandidateKind) -> bool {
    kind == CandidateKind::Climatology || STATE_CANDIDATES.contains(&kind)
}

fn combined(members: &[Member], shares: &[f64]) -> Vec<Vec<f64>> {
    let mut sums: Vec<Vec<f64>> = members[0]
        .points
        .iter()
        .map(|p| vec![0.0; p.len()])
        .collect();
    for (member, share) in members
        .iter()
        .zip(shares)
        .filter(|(_, share)| **share > 0.0)
    {
        for (sums, points) in sums.iter_mut().zip(&member.points) {
            for (sum, point) in sums.iter_mut().zip(points) {
                *sum += share * point;
            }
        }
    }
    sums
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

fn paths(points: Vec<Vec<f64>>, outcomes: Vec<Outcome>) -> Vec<Path> {
    let mut outcomes = outcomes.into_iter();
    let path = |means: Vec<f64>| Path {
        outcomes: outcomes.by_ref().take(means.len()).collect(),
        means,
    };
    points.into_iter().map(path).collect()
}

impl Decision {
    /// The candidates that weigh something.
    pub(crate) fn each_weight(&self) -> Vec<(CandidateKind, f64)> {
        let all = CandidateKind::ALL.into_iter().zip(self.weights);
        all.filter(|(_, weight)| *weight > 0.0).collect()
    }

    /// How often the intervals held in the backtest.
    pub(crate) fn coverage(&self) -> Coverage {
        Coverage::of(&self.served, &self.hours_of_week)
    }
}
