//! The words everything else is written in: ids, series, quantiles, phases, use cases, clock.
//!
//! Pure: no I/O, no clock of its own, no randomness but ids. Everything here is checked when it is
//! made, so a value that exists is valid.

mod arrival;
mod built_in;
mod capacity;
mod clock;
mod ids;
mod principal;
mod quantiles;
mod series;
mod severity;
mod table;
mod time;
mod use_case;

pub use arrival::ArrivalLag;
pub use capacity::{CapacityKind, DayOfWeek, DeclaredCapacity, Roster, Shift};
pub use clock::{
    Clock, ClockSetting, FixedClock, RunningClock, SharedClock, SimulatedClock, machine_clock,
};
pub use ids::{ForecastId, IdError, JobId, ProposalId, RiskWindowId, RunId};
pub use principal::{Principal, Role};
pub use quantiles::{LEVELS, Quantiles, QuantilesError};
pub use series::{Dimension, SeriesId, SeriesIdError};
pub use severity::Severity;
pub use table::{Measure, SentinelTable};
pub use time::{HOUR, TimeSpan, floor_day, floor_hour, hours_between};
pub use use_case::{
    ActionKind, ModelKind, Phase, SeriesSpec, Step, Trigger, UseCase, UseCaseError, UseCaseId,
    ValidationProblem,
};
