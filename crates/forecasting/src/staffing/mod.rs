//! How many people a forecast asks for, hour by hour, and the shifts that cover them.
//!
//! [`erlang_b`] and [`erlang_c`] are the classic formulas; [`performance`] says how a queue does
//! with a number of people (Erlang-C, or Erlang-A when incidents do not wait for ever);
//! [`analysts_needed`] turns that round; [`hourly_needs`] goes from a forecast's quantiles to people
//! an hour; [`plan_shifts`] covers them with shifts at the least cost. All of it is arithmetic for a
//! draft that people decide on.

mod demand;
mod erlang;
mod error;
mod flow;
mod plan;
mod queue;

pub use demand::{HourlyNeed, Workload, hourly_needs};
pub use erlang::{MAX_LOAD, MAX_SERVERS, erlang_b, erlang_c};
pub use error::StaffingError;
pub use plan::{PlannedShift, ShiftPattern, StaffingPlan, plan_shifts};
pub use queue::{Performance, Target, Work, analysts_needed, performance};
