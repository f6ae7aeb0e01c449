//! What can be wrong with a staffing question.

/// A staffing question that has no answer. Every variant says what to change.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StaffingError {
    /// A number out of bounds.
    #[error("{what} must be {allowed}, got {got}")]
    BadNumber {
        /// Which number.
        what: &'static str,
        /// What is allowed.
        allowed: &'static str,
        /// What was given.
        got: f64,
    },
    /// Nothing to plan for, or nothing to plan with.
    #[error("there is nothing to plan: {0} is empty")]
    Empty(&'static str),
    /// The target cannot be met by any number of people up to [`super::MAX_SERVERS`].
    #[error(
        "no number of analysts up to 100000 meets the target: allow more time, less share or shorter handling"
    )]
    Unreachable,
    /// An hour in which somebody is needed but no shift is on.
    #[error(
        "{needed} analysts are needed in hour {hour} of the plan, and no shift covers it: add one"
    )]
    Uncovered {
        /// Hours from the plan's start.
        hour: usize,
        /// People needed then.
        needed: u32,
    },
    /// A shift that is empty, too long or outside the plan.
    #[error("shift {name:?} must last from 1 to 24 hours, start from 0 to 23 and work on a day")]
    BadShift {
        /// Its name.
        name: String,
    },
    /// More people needed in an hour than a plan can hold.
    #[error("hour {hour} needs {needed} analysts: at most 100000 can be planned")]
    TooMany {
        /// Hours from the plan's start.
        hour: usize,
        /// People needed then.
        needed: u32,
    },
}
