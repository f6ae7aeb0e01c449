//! The state step of a series: what every state candidate says about the hours after any origin.

use serde::{Deserialize, Serialize};

use super::autoregression::{Autoregression, Lags};
use super::bank::Trial;
use super::decomposition::Decomposition;
use super::local::LocalHistory;
use super::mstl::MstlEts;
use super::scale::Scale;
use super::smoothing::{Smoothed, Smoothing};
use super::{Parts, naive, point, theta};
use crate::candidate::CandidateKind;
use crate::statistics::mean;
use crate::week::HOURS_OF_WEEK;

/// The candidates that a state step computes, in the order of a row's state columns.
pub const STATE_CANDIDATES: [CandidateKind; 19] = [
    CandidateKind::SeasonalNaive,
    CandidateKind::DailyNaive,
    CandidateKind::WeeklyMean,
    CandidateKind::Decomposition,
    CandidateKind::Theta,
    CandidateKind::Ets,
    CandidateKind::EtsLog,
    CandidateKind::DoubleSeasonal,
    CandidateKind::DoubleSeasonalLog,
    CandidateKind::MstlEts,
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
const MSTL_ETS: usize = FIRST_SMOOTHING + SMOOTHINGS;
const FIRST_AUTOREGRESSION: usize = MSTL_ETS + 1;

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
    /// logarithms. None is one that weighs nothing.
    pub smoothings: [Option<Smoothing>; SMOOTHINGS],
    /// Seasons found by MSTL and the smoothing of the rest, if there are weeks enough.
    pub mstl_ets: Option<MstlEts>,
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

    /// What was known after so many hours.
    fn until(&self, hours: usize) -> Self {
        Self::new(&self.counts[..hours], &self.logarithms[..hours])
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
        if candidate == MSTL_ETS {
            return self.mstl_ets.is_some();
        }
        candidate
            .checked_sub(FIRST_AUTOREGRESSION)
            .is_none_or(|index| self.autoregressions[index].is_some())
    }

    /// What every state candidate says about the hours after the known ones, `ahead` hours each.
    /// One that could not be fitted, looks further back than is known or weighs nothing says what
    /// seasonal naive does.
    pub(crate) fn paths(&self, local: &LocalHistory, ahead: usize) -> Vec<Vec<Parts>> {
        let counts = local.values.as_slice();
        let logarithms = self.logarithm.of(counts);
        let known = Known::new(counts, &logarithms);
        let mut paths = simple_paths(&known, ahead);
        let smoothed = self
            .started(&known, local.phase)
            .into_iter()
            .map(|started| {
                let (scale, mut state) = started?;
                state.follow(known.on(scale));
                Some(known.bounded(projected(&state, scale, ahead)))
            });
        let autoregressed = self
            .autoregressions
            .iter()
            .map(|fitted| autoregressed(fitted.as_ref()?, &known, ahead));
        for path in smoothed.chain(autoregressed) {
            paths.push(path.unwrap_or_else(|| paths[0].clone()));
        }
        paths
    }

    /// The parameters to serve: fitted to all hours, as far as wanted.
    pub(crate) fn refitted(
        self,
        local: &LocalHistory,
        is_wanted: impl Fn(CandidateKind) -> bool,
    ) -> Self {
        let logarithms = self.logarithm.of(&local.values);
        let known = Known::new(&local.values, &logarithms);
        let mstl_ets = self
            .mstl_ets
            .filter(|_| is_wanted(CandidateKind::MstlEts))
            .and_then(|fitted| fitted.refitted(&logarithms, local.phase));
        let kinds = &STATE_CANDIDATES[FIRST_SMOOTHING..MSTL_ETS];
        let mut smoothings = self.smoothings;
        for (constants, kind) in smoothings.iter_mut().zip(kinds) {
            *constants = constants.filter(|_| is_wanted(*kind));
        }
        Self {
            smoothings,
            mstl_ets,
            autoregressions: autoregressions(&known, self.logarithm, is_wanted),
            ..self
        }
    }

    /// Every smoothing where it starts on known values, the first of which lies at hour `phase` of the
    /// week. None is one that could not be fitted or weighs nothing.
    fn started(
        &self,
        known: &Known<'_>,
        phase: usize,
    ) -> [Option<(Scale, Smoothed)>; SMOOTHINGS + 1] {
        std::array::from_fn(|index| match self.smoothings.get(index) {
            Some(constants) => {
                let scale = self.smoothing_scale(index);
                Some((scale, Smoothed::start((*constants)?, known.on(scale))))
            }
            None => {
                let fitted = self.mstl_ets.as_ref()?;
                Some((self.logarithm, fitted.start(known.logarithms, phase)))
            }
        })
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

/// What an autoregression foresees, if it looks no further back than is known.
fn autoregressed(fitted: &Autoregression, known: &Known<'_>, ahead: usize) -> Option<Vec<Parts>> {
    let is_long = fitted.reach() <= known.counts.len();
    is_long.then(|| {
        let points = fitted.project(known.on(fitted.scale), ahead);
        known.bounded(naive::apportioned(known.counts, &points))
    })
}

/// What the backtest found out about the state candidates of one series.
pub(crate) struct Validation {
    /// Parameters as of the first origin.
    pub(crate) early: StateStep,
    /// Counts the candidates foresaw: by origin, candidate, hour on the local grid.
    pub(crate) points: Vec<Vec<Vec<f64>>>,
}

/// Lets every state candidate forecast from each origin (`cuts`: known hours on the local grid,
/// ascending; weights of their errors beside them). Autoregressions and seasons are fitted before the
/// first, autoregressions again at the cuts named in `fits`.
pub(crate) fn validate(
    local: &LocalHistory,
    cuts: &[(usize, f64)],
    fits: &[usize],
    ahead: usize,
) -> Validation {
    let values = local.values.as_slice();
    let logarithm = Scale::logarithm(mean(values));
    let logarithms = logarithm.of(values);
    let known = Known::new(values, &logarithms);
    let trials = [Scale::Counts, logarithm].map(|scale| Trial {
        scale,
        values: known.on(scale),
        counts: values,
        cuts,
        ahead,
    });
    let pick = |bank: &[Smoothing], trial: &Trial<'_>| {
        let start = Smoothed::start(bank[0], trial.known());
        trial.best(&start, bank)
    };
    let (daily, double) = (Smoothing::daily_seasonal(), Smoothing::double_seasonal());
    let first = cuts.first().map_or(values.len(), |cut| cut.0);
    let [on_counts, on_logarithms] = &trials;
    let early = StateStep {
        logarithm,
        smoothings: [
            pick(&daily, on_counts),
            pick(&daily, on_logarithms),
            pick(&double, on_counts),
            pick(&double, on_logarithms),
        ]
        .map(Some),
        mstl_ets: MstlEts::best(on_logarithms, local.phase),
        autoregressions: autoregressions(&known.until(first), logarithm, |_| true),
    };
    let points = validation_points(&early, &known, local.phase, (cuts, fits), ahead);
    Validation { early, points }
}

fn autoregressions(
    known: &Known<'_>,
    logarithm: Scale,
    is_wanted: impl Fn(CandidateKind) -> bool,
) -> Vec<Option<Autoregression>> {
    let fit = |(&(lags, is_log), kind): (&(Lags, bool), &CandidateKind)| {
        if !is_wanted(*kind) {
            return None;
        }
        let scale = if is_log { logarithm } else { Scale::Counts };
        Autoregression::fit(known.on(scale), scale, lags)
    };
    let kinds = &STATE_CANDIDATES[FIRST_AUTOREGRESSION..];
    AUTOREGRESSIONS.iter().zip(kinds).map(fit).collect()
}

fn validation_points(
    step: &StateStep,
    all: &Known<'_>,
    phase: usize,
    (cuts, fits): (&[(usize, f64)], &[usize]),
    ahead: usize,
) -> Vec<Vec<Vec<f64>>> {
    let first = cuts.first().map_or(all.counts.len(), |cut| cut.0);
    let mut states = step.started(&all.until(first), phase);
    let mut refitted;
    let mut fitted_now = &step.autoregressions;
    let mut from_each = Vec::with_capacity(cuts.len());
    for &(cut, _) in cuts {
        let known = all.until(cut);
        if cut > first && fits.contains(&cut) {
            refitted = autoregressions(&known, step.logarithm, |_| true);
            fitted_now = &refitted;
        }
        let simple = simple_paths(&known, ahead);
        let mut points: Vec<Vec<f64>> = simple
            .iter()
            .map(|path| path.iter().map(point).collect())
            .collect();
        for started in &mut states {
            let path = started.as_mut().map(|(scale, state)| {
                state.follow(known.on(*scale));
                let mut path = Vec::with_capacity(ahead);
                state.project(ahead, |_, parts| {
                    path.push(scale.count(point(&parts)).min(known.most));
                });
                path
            });
            points.push(path.unwrap_or_else(|| points[0].clone()));
        }
        for fitted in fitted_now {
            let path = fitted
                .as_ref()
                .and_then(|fitted| fitted_points(fitted, &known, ahead));
            points.push(path.unwrap_or_else(|| points[0].clone()));
        }
        from_each.push(points);
    }
    from_each
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
