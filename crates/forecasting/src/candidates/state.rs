//! The state step of a series: what every state candidate says about the hours after any origin.

use serde::{Deserialize, Serialize};

use super::autoregression::{Autoregression, Lags};
use super::bank::Trial;
use super::decomposition::Decomposition;
use super::scale::Scale;
use super::smoothing::{Smoothed, Smoothing};
use super::{Parts, naive, point, theta};
use crate::candidate::CandidateKind;
use crate::statistics::mean;
use crate::week::HOURS_OF_WEEK;

/// The candidates that a state step computes, in the order of a row's state columns.
pub const STATE_CANDIDATES: [CandidateKind; 18] = [
    CandidateKind::SeasonalNaive,
    CandidateKind::DailyNaive,
    CandidateKind::WeeklyMean,
    CandidateKind::Decomposition,
    CandidateKind::Theta,
    CandidateKind::Ets,
    CandidateKind::EtsLog,
    CandidateKind::DoubleSeasonal,
    CandidateKind::DoubleSeasonalLog,
    CandidateKind::ArLean,
    CandidateKind::ArLeanLog,
    CandidateKind::ArDay,
    CandidateKind::ArDayLog,
    CandidateKind::ArNeighbours,
    CandidateKind::ArNeighboursLog,
    CandidateKind::ArFortnight,
    CandidateKind::ArFortnightLog,
    CandidateKind::ArWeeksLog,
];

const SMOOTHINGS: usize = 4;
const FIRST_SMOOTHING: usize = 5;
const FIRST_AUTOREGRESSION: usize = FIRST_SMOOTHING + SMOOTHINGS;

/// Lags and whether logarithmic, in the order of [`STATE_CANDIDATES`].
const AUTOREGRESSIONS: [(Lags, bool); 9] = [
    (Lags::Lean, false),
    (Lags::Lean, true),
    (Lags::Day, false),
    (Lags::Day, true),
    (Lags::Neighbours, false),
    (Lags::Neighbours, true),
    (Lags::Fortnight, false),
    (Lags::Fortnight, true),
    (Lags::Weeks, true),
];

/// However the newest hours run, no candidate foresees more than this many times the highest of
/// them.
const HIGHEST_RATIO: f64 = 3.0;

/// Parameters of the state step of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateStep {
    /// The logarithmic scale of the series.
    pub logarithm: Scale,
    /// Smoothing constants: daily on counts and logarithms, double seasonal on counts and
    /// logarithms.
    pub smoothings: [Smoothing; SMOOTHINGS],
    /// The autoregressions that could be fitted, in the order of [`STATE_CANDIDATES`].
    pub autoregressions: Vec<Option<Autoregression>>,
}

/// Known values on both scales.
struct Known<'a> {
    counts: &'a [f64],
    logarithms: &'a [f64],
    most: f64,
}

impl<'a> Known<'a> {
    fn new(counts: &'a [f64], logarithms: &'a [f64]) -> Self {
        let most = HIGHEST_RATIO * counts.iter().copied().fold(0.0, f64::max);
        Self {
            counts,
            logarithms,
            most,
        }
    }

    fn on(&self, scale: Scale) -> &'a [f64] {
        match scale {
            Scale::Counts => self.counts,
            Scale::Logarithm { .. } => self.logarithms,
        }
    }

    fn bounded(&self, mut path: Vec<Parts>) -> Vec<Parts> {
        for parts in &mut path {
            let sum = point(parts);
            parts[0] += sum.clamp(0.0, self.most) - sum;
        }
        path
    }
}

impl StateStep {
    /// Whether a candidate could be fitted.
    pub(crate) fn has(&self, candidate: usize) -> bool {
        candidate
            .checked_sub(FIRST_AUTOREGRESSION)
            .is_none_or(|index| self.autoregressions[index].is_some())
    }

    /// What every state candidate says about the hours after the known ones, `ahead` hours each.
    /// One that could not be fitted, or looks further back than is known, says what seasonal naive
    /// does.
    pub(crate) fn paths(&self, counts: &[f64], ahead: usize) -> Vec<Vec<Parts>> {
        let logarithms = self.logarithm.of(counts);
        let known = Known::new(counts, &logarithms);
        let mut paths = simple_paths(&known, ahead);
        for (index, constants) in self.smoothings.iter().enumerate() {
            let scale = self.smoothing_scale(index);
            let values = known.on(scale);
            let mut state = Smoothed::start(*constants, values);
            state.follow(values);
            paths.push(known.bounded(projected(&state, scale, ahead)));
        }
        for fitted in &self.autoregressions {
            paths.push(autoregressed(fitted.as_ref(), &known, ahead));
        }
        paths
    }

    /// The parameters to serve: fitted to all hours, as far as wanted.
    pub(crate) fn refitted(
        self,
        values: &[f64],
        is_wanted: impl Fn(CandidateKind) -> bool,
    ) -> Self {
        let autoregressions = autoregressions(values, self.logarithm, is_wanted);
        Self {
            autoregressions,
            ..self
        }
    }

    fn smoothing_scale(&self, index: usize) -> Scale {
        if index.is_multiple_of(2) {
            Scale::Counts
        } else {
            self.logarithm
        }
    }
}

fn simple_paths(known: &Known<'_>, ahead: usize) -> Vec<Vec<Parts>> {
    let counts = known.counts;
    let decomposition = Decomposition::of(counts, HOURS_OF_WEEK);
    let paths = vec![
        naive::same_hour_of_week(counts, 1, ahead),
        naive::same_hour_of_day(counts, ahead),
        naive::same_hour_of_week(counts, 2, ahead),
        decomposition.project(ahead),
        theta::project(&decomposition, counts, ahead),
    ];
    paths.into_iter().map(|path| known.bounded(path)).collect()
}

fn projected(state: &Smoothed, scale: Scale, ahead: usize) -> Vec<Parts> {
    let mut path = Vec::with_capacity(ahead);
    state.project(ahead, |_, parts| path.push(scale.parts(parts)));
    path
}

fn autoregressed(fitted: Option<&Autoregression>, known: &Known<'_>, ahead: usize) -> Vec<Parts> {
    match fitted {
        Some(fitted) if fitted.reach() <= known.counts.len() => {
            let points = fitted.project(known.on(fitted.scale), ahead);
            known.bounded(naive::apportioned(known.counts, &points))
        }
        _ => known.bounded(naive::same_hour_of_week(known.counts, 1, ahead)),
    }
}

/// What the backtest found out about the state candidates of one series.
pub(crate) struct Validation {
    /// Parameters as of the first origin.
    pub(crate) early: StateStep,
    /// Counts the candidates foresaw: by origin, candidate, hour on the local grid.
    pub(crate) points: Vec<Vec<Vec<f64>>>,
}

/// Lets every state candidate forecast from each origin (`cuts`: known hours on the local grid,
/// ascending; weights of their errors beside them). Autoregressions are fitted before the first.
pub(crate) fn validate(values: &[f64], cuts: &[(usize, f64)], ahead: usize) -> Validation {
    let logarithm = Scale::logarithm(mean(values));
    let logarithms = logarithm.of(values);
    let pick = |bank: &[Smoothing], scale: Scale| {
        let scaled = match scale {
            Scale::Counts => values,
            Scale::Logarithm { .. } => logarithms.as_slice(),
        };
        let trial = Trial {
            scale,
            values: scaled,
            counts: values,
            cuts,
            ahead,
        };
        trial.best(bank)
    };
    let (daily, double) = (Smoothing::daily_seasonal(), Smoothing::double_seasonal());
    let first = cuts.first().map_or(values.len(), |cut| cut.0);
    let early = StateStep {
        logarithm,
        smoothings: [
            pick(&daily, Scale::Counts),
            pick(&daily, logarithm),
            pick(&double, Scale::Counts),
            pick(&double, logarithm),
        ],
        autoregressions: autoregressions(&values[..first], logarithm, |_| true),
    };
    let points = validation_points(&early, values, &logarithms, cuts, ahead);
    Validation { early, points }
}

fn autoregressions(
    values: &[f64],
    logarithm: Scale,
    is_wanted: impl Fn(CandidateKind) -> bool,
) -> Vec<Option<Autoregression>> {
    let logarithms = logarithm.of(values);
    let fit = |(&(lags, is_log), kind): (&(Lags, bool), &CandidateKind)| {
        if !is_wanted(*kind) {
            return None;
        }
        if is_log {
            Autoregression::fit(&logarithms, logarithm, lags)
        } else {
            Autoregression::fit(values, Scale::Counts, lags)
        }
    };
    let kinds = &STATE_CANDIDATES[FIRST_AUTOREGRESSION..];
    AUTOREGRESSIONS.iter().zip(kinds).map(fit).collect()
}

fn validation_points(
    step: &StateStep,
    values: &[f64],
    logarithms: &[f64],
    cuts: &[(usize, f64)],
    ahead: usize,
) -> Vec<Vec<Vec<f64>>> {
    let mut states: Vec<(Scale, Smoothed)> = step
        .smoothings
        .iter()
        .enumerate()
        .map(|(index, constants)| {
            let scale = step.smoothing_scale(index);
            let first = cuts.first().map_or(values.len(), |cut| cut.0);
            let known = Known::new(&values[..first], &logarithms[..first]);
            (scale, Smoothed::start(*constants, known.on(scale)))
        })
        .collect();
    let mut all = Vec::with_capacity(cuts.len());
    for &(cut, _) in cuts {
        let known = Known::new(&values[..cut], &logarithms[..cut]);
        let simple = simple_paths(&known, ahead);
        let mut points: Vec<Vec<f64>> = simple
            .iter()
            .map(|path| path.iter().map(point).collect())
            .collect();
        for (scale, state) in &mut states {
            state.follow(known.on(*scale));
            let mut path = Vec::with_capacity(ahead);
            state.project(ahead, |_, parts| {
                path.push(scale.count(point(&parts)).min(known.most));
            });
            points.push(path);
        }
        for fitted in &step.autoregressions {
            let path = fitted
                .as_ref()
                .and_then(|fitted| fitted_points(fitted, &known, ahead));
            points.push(path.unwrap_or_else(|| points[0].clone()));
        }
        all.push(points);
    }
    all
}

/// What an autoregression foresees, in counts, if it looks no further back than is known.
fn fitted_points(fitted: &Autoregression, known: &Known<'_>, ahead: usize) -> Option<Vec<f64>> {
    if fitted.reach() > known.counts.len() {
        return None;
    }
    let mut points = fitted.project(known.on(fitted.scale), ahead);
    for point in &mut points {
        *point = point.min(known.most);
    }
    Some(points)
}
