//! From a forecast to the people needed in each hour.

use super::error::StaffingError;
use super::queue::{Target, Work, analysts_needed, within};
use crate::risk::QuantileFunction;

/// How incidents become work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Mean hands-on time of an incident, hours.
    pub handling_hours: f64,
    /// See [`Work::patience_hours`].
    pub patience_hours: Option<f64>,
    /// Level of the forecast's quantile that is planned for, from 0.025 to 0.975: 0.8 means enough
    /// people in four hours of five.
    pub covering: f64,
    /// Erlangs already in progress when the plan starts.
    pub backlog: f64,
}

/// What an hour asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HourlyNeed {
    /// Incidents planned for: the covering quantile.
    pub arrivals: f64,
    /// Load in erlangs, work carried over from earlier hours included.
    pub load: f64,
    /// Fewest people who meet the target.
    pub analysts: u32,
}

/// People needed in each hour of a forecast (quantiles at [`foretide_domain::LEVELS`], one row an
/// hour).
///
/// Each hour is taken as a steady state of its own at its modified offered load: what arrives in an
/// hour is still being worked on in the next when handling takes long, so the load follows the
/// arrivals with a lag (Jennings, Mandelbaum, Massey and Whitt, "Server staffing to meet
/// time-varying demand", Management Science 1996), here for exponential handling times and arrivals
/// that are even within an hour.
///
/// # Errors
/// When the forecast is empty or malformed, or a number is out of bounds.
pub fn hourly_needs(
    quantiles: &[[f64; 5]],
    workload: &Workload,
    target: &Target,
) -> Result<Vec<HourlyNeed>, StaffingError> {
    if quantiles.is_empty() {
        return Err(StaffingError::Empty("the forecast"));
    }
    within(
        "covering quantile",
        workload.covering,
        "from 0.025 to 0.975",
        0.025..=0.975,
    )?;
    within("backlog", workload.backlog, "from 0 to 90000", 0.0..=9e4)?;
    within(
        "handling time",
        workload.handling_hours,
        "from 0.0001 to 1000 hours",
        1e-4..=1e3,
    )?;
    let carried = (-1.0 / workload.handling_hours).exp();
    let mut load = workload.backlog;
    let mut needs = Vec::with_capacity(quantiles.len());
    for row in quantiles {
        let arrivals = QuantileFunction::new(*row)
            .ok_or(StaffingError::BadNumber {
                what: "a forecast quantile",
                allowed: "finite, not negative and in order",
                got: row.iter().copied().fold(f64::NAN, f64::min),
            })?
            .at(workload.covering);
        let settled = arrivals * workload.handling_hours;
        let end = carried * load + (1.0 - carried) * settled;
        // The larger end of the hour, so that a surge is met when it peaks.
        let offered = load.max(end);
        let work = Work {
            arrivals: offered / workload.handling_hours,
            handling_hours: workload.handling_hours,
            patience_hours: workload.patience_hours,
        };
        needs.push(HourlyNeed {
            arrivals,
            load: offered,
            analysts: analysts_needed(&work, target)?,
        });
        load = end;
    }
    Ok(needs)
}
