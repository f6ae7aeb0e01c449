//! Forecasts of hourly counts with honest intervals, and the periods in which they are too many.
//!
//! Pure: no I/O, no clock, no randomness. The way through the crate:
//!
//! 1. [`train`] takes a [`TrainingPanel`] (all series of a use case on one hourly grid), fits every
//!    candidate ([`CandidateKind`]), lets them forecast from rolling origins inside the history and
//!    weighs them by how little they missed. Where the ensemble does not beat seasonal naive or
//!    climatology, that baseline is served, and the note says so.
//! 2. The [`PanelModel`] is one model for all series: a weighted sum of candidates with intervals from
//!    its own rolling misses. `foretide-onnx` writes the same formulas as an ONNX graph.
//! 3. [`PanelSchema::inputs`] turns fresh history (a [`ScoringFrame`]) into rows: the state step
//!    ([`StateStep`]).
//! 4. [`PanelModel::predict`] gives quantiles, means and drivers that sum to the mean.
//! 5. [`Hierarchy`] makes severity x product add up.
//! 6. [`risk`] finds windows in which the load probably exceeds the capacity.
//! 7. [`trees`] learns across all series at once.
//! 8. [`metrics`] says afterwards how good it was, and [`EndFactors`] let intervals follow it.

mod adaptation;
mod calibration;
mod candidate;
mod candidates;
mod climatology;
mod contest;
pub mod counts;
mod coverage;
mod effects;
mod error;
mod hierarchy;
mod intervals;
pub mod metrics;
mod model;
mod notes;
mod panel;
pub mod risk;
mod rolling;
mod schema;
mod spread;
pub mod staffing;
mod statistics;
mod structural;
mod train;
pub mod trees;
mod vetting;
mod week;
mod weighting;

pub use adaptation::{ENDS, EndFactors, SettledHour};
pub use calibration::Calibration;
pub use candidate::{CandidateKind, CandidateScore};
pub use candidates::{
    Autoregression, MstlEts, Parts, STATE_CANDIDATES, Scale, Smoothing, StateStep,
};
pub use climatology::{ANCHOR_SHARE, Climatology};
pub use coverage::{Coverage, Held};
pub use effects::{EFFECT_LIMIT, RegressorRange};
pub use error::ForecastError;
pub use hierarchy::Hierarchy;
pub use intervals::{HORIZON_BANDS, Intervals, horizon_band};
pub use model::{PanelModel, PanelPrediction, SeriesParameters, TABLE_CANDIDATES};
pub use panel::{MAX_COUNT, PanelSeries, Regressor, ScoringFrame, TrainingPanel};
pub use rolling::{
    HourlyHistory, Origin, OriginForecast, RegressorTrack, RollingOptions, forecast_origins,
};
pub use schema::{PanelInputs, PanelSchema, RESERVED_DRIVERS, SIGNATURE, STATE_HOURS};
pub use spread::PartSpread;
pub use structural::{
    DAMPING_DAYS, LOG_LIMIT, Link, SERIES_LIMIT, STATE_LAG_DAYS, STATE_LIMIT, Structural,
    TREND_PAST_DAYS,
};
pub use train::{FEWEST_HOURS, LEARNING_DAYS, SeriesReport, TrainOptions, TrainedPanel, train};
pub use vetting::Vetting;
pub use week::{HOURS_OF_WEEK, PARTS_OF_WEEK, part_of_week};
