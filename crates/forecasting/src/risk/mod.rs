//! Periods in which the load probably exceeds what can be carried.
//!
//! The rule `weekday_conformal` raises a window when P(load > capacity) reaches the trigger's
//! probability. The capacity is declared, or it is the usual upper load: what the same hours of the
//! same weekday stay under in most weeks, announced events left out. The rule `rolling_2sd` (mean + 2
//! standard deviations of the trailing 30 days) is kept as a named baseline only: it cannot see a
//! surge on a weekend. [`track_record`] says afterwards how right a rule was.

mod capacity;
mod quantile_function;
mod spread;
mod track_record;
mod windows;

pub use capacity::{announced_hours, learned_capacity};
pub use quantile_function::{QuantileFunction, normal_quantile, normal_share};
pub use spread::WindowSpread;
pub use track_record::{SettledWindow, TrackRecord, Warnings, track_record};
pub use windows::{
    JudgedWindow, ROLLING_2SD, RiskInput, RiskWindow, WEEKDAY_CONFORMAL, rolling_2sd,
    weekday_conformal,
};
