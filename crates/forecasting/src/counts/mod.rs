//! A forecast made for counts: small, whole, noisy, with little season and sudden bursts.
//!
//! Three parts, so that a forecast can be issued at any hour between two trainings:
//!
//! 1. [`Shape`] (at a training): the hour-of-week profile, shrunk by empirical Bayes, the ratios of
//!    counts to levels by reach, and the scatter, beside how the level moved (a shift, or growth). A young series borrows from the others of its use
//!    case through a [`CountPrior`].
//! 2. [`CountState`] (at an origin): quantiles of the newest hours under several memories, with and
//!    without the profile, around the same time of day, and levels.
//! 3. [`CountMixture`] (at a training): what each component weighs at the next hour, up to six
//!    hours ahead, up to a day, and beyond; from rolling origins inside the history.
//!
//! [`CountForecaster`] puts them together. The forecast of an hour is the weighted mean of the components' quantiles: averaging quantiles
//! keeps them sharp and is at least as good as the mean of its parts' pinball losses (Lichtendahl,
//! Grushka-Cockayne and Winkler, "Is it better to average probabilities or quantiles?", Management
//! Science 2013).

mod course;
mod forecaster;
mod mixture;
mod negative_binomial;
mod prior;
mod profile;
mod state;
mod weighted;
mod whole;

pub use course::{LevelShift, level_shift};
pub use forecaster::CountForecaster;
pub use mixture::CountMixture;
pub use negative_binomial::Dispersion;
pub use prior::CountPrior;
pub use profile::{ProfilePrior, WeekProfile};
pub use state::{
    COMPONENTS, COUNT_SHAPE_HOURS, COUNT_STATE_HOURS, Components, CountForecast, CountState,
    REACHES, Shape, reach_of,
};
pub use weighted::Spread;
pub use whole::{toward_whole, unit_of};
