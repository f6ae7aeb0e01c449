//! Periods in which the load probably exceeds what can be carried.
//!
//! The rule `weekday_conformal` raises a window when P(load > capacity) reaches the trigger's
//! probability. The capacity is given, or learned: what the same hours of the same weekday stay
//! under in most weeks. The rule `rolling_2sd` (mean + 2 standard deviations of the trailing 30
//! days) is kept as a named baseline only: it cannot see a surge on a weekend.

mod capacity;
mod quantile_function;
mod spread;
mod windows;

pub use capacity::learned_capacity;
pub use quantile_function::{QuantileFunction, normal_quantile, normal_share};
pub use spread::WindowSpread;
pub use windows::{
    ROLLING_2SD, RiskInput, RiskWindow, WEEKDAY_CONFORMAL, rolling_2sd, weekday_conformal,
};
