//! The models that compete for a series.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the models that compete for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// The same hour of the newest known week, with residual quantiles.
    SeasonalNaive,
    /// The recent level times an hour-of-week profile (or none), with ratio quantiles.
    Climatology,
    /// Trend, daily and weekly season and regressors, added up.
    ProphetAdditive,
    /// The same on the log scale, so that they multiply.
    ProphetMultiplicative,
}

impl CandidateKind {
    /// All kinds, in the order of a model's weights.
    pub const ALL: [Self; 4] = [
        Self::SeasonalNaive,
        Self::Climatology,
        Self::ProphetAdditive,
        Self::ProphetMultiplicative,
    ];

    /// The kind's word, as it stands in tables and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SeasonalNaive => "seasonal_naive",
            Self::Climatology => "climatology",
            Self::ProphetAdditive => "prophet_additive",
            Self::ProphetMultiplicative => "prophet_multiplicative",
        }
    }

    /// Place in [`Self::ALL`], and so in a model's weights.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How one candidate did in the rolling-origin backtest of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateScore {
    /// Which candidate.
    pub kind: CandidateKind,
    /// Mean pinball loss over the five levels, in counts. Lower is better.
    pub pinball: f64,
    /// Mean absolute error of the median, in counts.
    pub mae: f64,
    /// Share of hours inside the 80% interval.
    pub coverage_80: f64,
    /// Share of hours inside the 95% interval.
    pub coverage_95: f64,
}
