//! The models that compete for a series.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the models that compete for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// The same local hour of the newest known week.
    SeasonalNaive,
    /// The recent level times an hour-of-week profile (or none), with ratio quantiles.
    Climatology,
    /// Trend, daily and weekly season and regressors, added up.
    ProphetAdditive,
    /// The same on the log scale, so that they multiply.
    ProphetMultiplicative,
    /// The same local hour of the newest known day.
    DailyNaive,
    /// The mean of the same local hour of the last two weeks.
    WeeklyMean,
    /// Hour-of-week means and a straight line, like KQL's `series_decompose_forecast`.
    Decomposition,
    /// The Theta method on seasonally adjusted counts.
    Theta,
    /// ETS(A,Ad,A) with a daily season, on counts.
    Ets,
    /// The same on logarithms.
    EtsLog,
    /// Exponential smoothing with daily and weekly seasons, on counts.
    DoubleSeasonal,
    /// The same on logarithms.
    DoubleSeasonalLog,
    /// MSTL with a daily and a weekly season, exponential smoothing of what they leave.
    MstlEts,
    /// Least-absolute autoregression on a few lags around hour, day and week, on counts.
    ArLean,
    /// The same on logarithms.
    ArLeanLog,
    /// Least-absolute autoregression on all hours of a day and days of a week, on counts.
    ArDay,
    /// The same on logarithms.
    ArDayLog,
    /// The same with the hours around each day of the week, on counts.
    ArNeighbours,
    /// The same on logarithms.
    ArNeighboursLog,
    /// The same with the week before last, on counts.
    ArFortnight,
    /// The same on logarithms.
    ArFortnightLog,
    /// Least-absolute autoregression on the same hour of days and of four weeks, on logarithms.
    ArWeeksLog,
    /// Gradient-boosted trees learned from all series at once.
    Trees,
    /// Quantiles made for counts ([`crate::counts`]), averaged with those of the others.
    CountMixture,
    /// The weighted combination of the others: no candidate itself, but what competes with the
    /// baselines.
    Ensemble,
}

impl CandidateKind {
    /// All candidates, in the order of a model's weights.
    pub const ALL: [Self; 24] = [
        Self::SeasonalNaive,
        Self::Climatology,
        Self::ProphetAdditive,
        Self::ProphetMultiplicative,
        Self::DailyNaive,
        Self::WeeklyMean,
        Self::Decomposition,
        Self::Theta,
        Self::Ets,
        Self::EtsLog,
        Self::DoubleSeasonal,
        Self::DoubleSeasonalLog,
        Self::MstlEts,
        Self::ArLean,
        Self::ArLeanLog,
        Self::ArDay,
        Self::ArDayLog,
        Self::ArNeighbours,
        Self::ArNeighboursLog,
        Self::ArFortnight,
        Self::ArFortnightLog,
        Self::ArWeeksLog,
        Self::Trees,
        Self::CountMixture,
    ];

    /// The kind's word, as it stands in tables and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SeasonalNaive => "seasonal_naive",
            Self::Climatology => "climatology",
            Self::ProphetAdditive => "prophet_additive",
            Self::ProphetMultiplicative => "prophet_multiplicative",
            Self::DailyNaive => "daily_naive",
            Self::WeeklyMean => "weekly_mean",
            Self::Decomposition => "decomposition",
            Self::Theta => "theta",
            Self::Ets => "ets",
            Self::EtsLog => "ets_log",
            Self::DoubleSeasonal => "double_seasonal",
            Self::DoubleSeasonalLog => "double_seasonal_log",
            Self::MstlEts => "mstl_ets",
            Self::ArLean => "ar_lean",
            Self::ArLeanLog => "ar_lean_log",
            Self::ArDay => "ar_day",
            Self::ArDayLog => "ar_day_log",
            Self::ArNeighbours => "ar_neighbours",
            Self::ArNeighboursLog => "ar_neighbours_log",
            Self::ArFortnight => "ar_fortnight",
            Self::ArFortnightLog => "ar_fortnight_log",
            Self::ArWeeksLog => "ar_weeks_log",
            Self::Trees => "trees",
            Self::CountMixture => "count_mixture",
            Self::Ensemble => "ensemble",
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
