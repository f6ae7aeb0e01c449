//! Candidates whose state step is a pass over recent history on a local clock.
//!
//! What they all have in common: a few parameters learned at training, a state step that runs over
//! the newest hours whenever a forecast is issued, and a path of additive [`Parts`]. The paths enter
//! a model as columns of its rows, so that the model itself stays arithmetic on columns.

mod autoregression;
mod bank;
mod decomposition;
mod least_absolute;
mod local;
mod loess;
mod mstl;
mod naive;
mod scale;
mod smoothing;
mod state;
mod theta;

pub use autoregression::Autoregression;
pub(crate) use local::{Horizon, LocalHistory};
pub use mstl::MstlEts;
pub use scale::Scale;
pub use smoothing::Smoothing;
pub use state::{STATE_CANDIDATES, StateStep};
pub(crate) use state::{Validation, validate};

/// Additive parts of a point: level, trend, daily season, weekly season.
pub type Parts = [f64; 4];

/// What parts add up to.
pub(crate) fn point(parts: &Parts) -> f64 {
    parts.iter().sum()
}
