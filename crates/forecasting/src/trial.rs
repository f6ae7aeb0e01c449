//! A candidate on trial: its variants over the backtest's trainings, the best of them, its score.

use crate::backtest::{self, History, Path};
use crate::candidate::{CandidateKind, CandidateScore};
use crate::climatology::VARIANTS;
use crate::model::{RegressorRange, SeriesParameters};
use crate::structural::GAINS;

/// Parameters as of one cut of the history.
pub(crate) struct Training {
    pub(crate) trained_to: usize,
    pub(crate) ranges: Vec<RegressorRange>,
    pub(crate) parameters: SeriesParameters,
    /// Which candidates had enough history, in the order of [`CandidateKind::ALL`].
    pub(crate) fitted: [bool; 4],
}

/// What the backtest may choose of a candidate.
#[derive(Clone, Copy)]
pub(crate) enum Variant {
    Only,
    Climatology((f64, f64)),
    AdditiveGain(f64),
    MultiplicativeGain(f64),
}

impl Variant {
    fn all(kind: CandidateKind) -> Vec<Self> {
        match kind {
            CandidateKind::SeasonalNaive => vec![Self::Only],
            CandidateKind::Climatology => VARIANTS.map(Self::Climatology).into(),
            CandidateKind::ProphetAdditive => GAINS.map(Self::AdditiveGain).into(),
            CandidateKind::ProphetMultiplicative => GAINS.map(Self::MultiplicativeGain).into(),
        }
    }

    pub(crate) fn apply(self, parameters: &mut SeriesParameters) {
        match self {
            Self::Only => {}
            Self::Climatology(variant) => {
                parameters.climatology = parameters.climatology.with_variant(variant);
            }
            Self::AdditiveGain(gain) => {
                parameters.additive = parameters.additive.with_gain(gain);
            }
            Self::MultiplicativeGain(gain) => {
                parameters.multiplicative = parameters.multiplicative.with_gain(gain);
            }
        }
    }
}

/// A candidate's best variant in the backtest.
pub(crate) struct Trial {
    pub(crate) variant: Variant,
    pub(crate) paths: Vec<Path>,
    pub(crate) score: CandidateScore,
}

impl Trial {
    pub(crate) fn of_best_variant(
        kind: CandidateKind,
        trainings: &[Training],
        history: &History<'_>,
    ) -> Self {
        let mut best: Option<(f64, Variant, Vec<Path>)> = None;
        for variant in Variant::all(kind) {
            let mut paths = Vec::new();
            for (fold, training) in trainings.iter().enumerate() {
                let mut parameters = training.parameters.clone();
                variant.apply(&mut parameters);
                let to = training.trained_to;
                paths.extend(history.paths(fold, to, &parameters, kind, &training.ranges));
            }
            let pinball = backtest::raw_pinball(&paths);
            if best.as_ref().is_none_or(|(lowest, ..)| pinball < *lowest) {
                best = Some((pinball, variant, paths));
            }
        }
        let (_, variant, paths) = best.expect("every kind has a variant");
        let score = backtest::score(kind, &paths);
        Self {
            variant,
            paths,
            score,
        }
    }
}

pub(crate) fn is_prophet(kind: CandidateKind) -> bool {
    matches!(
        kind,
        CandidateKind::ProphetAdditive | CandidateKind::ProphetMultiplicative
    )
}
